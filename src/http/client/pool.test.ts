import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { createSimulatedNetwork } from '../../core/net/simulated-network.ts';
import { SimulatedClock } from '../../core/time/simulated-clock.ts';
import { HttpClientError } from '../errors.ts';
import { type Script, ScriptedServer } from '../testing/scripted-server.ts';
import { runOut, settle, turns } from '../testing/virtual-time.ts';
import type { ClientRequest } from '../types.ts';
import { createHttpClient, type HttpClient, type HttpClientOptions } from './index.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const failure = (code: string) => (thrown: unknown) =>
  thrown instanceof HttpClientError && thrown.code === code;

class World implements AsyncDisposable {
  readonly clock = new SimulatedClock();
  readonly network = createSimulatedNetwork({ clock: this.clock });
  readonly servers: ScriptedServer[] = [];
  readonly client: HttpClient;

  constructor(options: Partial<HttpClientOptions> = {}) {
    this.client = createHttpClient({ clock: this.clock, network: this.network, ...options });
  }

  async serve(script: Script = (connection) => connection.write(OK)): Promise<ScriptedServer> {
    const server = await ScriptedServer.start(this.network, script);
    this.servers.push(server);
    return server;
  }

  async get(url: string, more: Partial<ClientRequest> = {}): Promise<string> {
    const response = await settle(this.clock, this.client.request({ url, ...more }));
    return settle(this.clock, response.body.text(100));
  }

  /** Without moving time. */
  async ask(url: string): Promise<string> {
    return (await this.client.request({ url })).body.text(100);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    await runOut(this.clock, 10_000);
    assert.equal(this.client.counters.connections, 0);
    assert.equal(this.client.counters.waiting, 0);
    assert.equal(this.clock.pendingCount, 0);
    for (const server of this.servers) await server[Symbol.asyncDispose]();
  }
}

/** Answers each request when it is told to. */
class Gate {
  readonly waiting: (() => void)[] = [];
  readonly order: string[] = [];

  readonly script: Script = (connection, _, all) => {
    this.order.push(all.slice(all.lastIndexOf('GET ')).split(' ')[1]!);
    this.waiting.push(() => connection.write(OK));
  };

  async open(): Promise<void> {
    this.waiting.shift()!();
    await turns();
  }
}

suite('a pool', () => {
  test('keeps connections, uses the freshest, and counts', async () => {
    await using world = new World();
    const server = await world.serve();
    const pair = await settle(
      world.clock,
      Promise.all([world.client.request({ url: server.url }), world.client.request({ url: server.url })]),
    );
    for (const response of pair) await response.body.text(10);
    await world.get(server.url);
    assert.deepEqual(world.client.counters, {
      connections: 2,
      free: 2,
      waiting: 0,
      opened: 2,
      reused: 1,
      requests: 3,
      repeated: 0,
      redirected: 0,
      failed: 0,
    });
  });

  test('closes what is idle, sooner when Keep-Alive says so', async () => {
    await using world = new World({ idleTimeoutMs: 4_000 });
    const plain = await world.serve();
    const hinted = await world.serve((connection) =>
      connection.write('HTTP/1.1 200 OK\r\nKeep-Alive: timeout=2\r\nContent-Length: 2\r\n\r\nok'),
    );
    await world.get(plain.url);
    await world.get(hinted.url);
    await runOut(world.clock, 999);
    assert.equal(world.client.counters.free, 2);
    await runOut(world.clock, 1);
    assert.equal(world.client.counters.free, 1);
    await runOut(world.clock, 3_000);
    assert.equal(world.client.counters.connections, 0);
  });

  test('closes a connection on which nothing was ever sent, too', async () => {
    await using world = new World();
    const server = await world.serve();
    const request = world.client.request({ url: server.url, headers: [['X', 'a\r\nb']] });
    await assert.rejects(settle(world.clock, request), failure('invalid-request'));
    assert.equal(world.client.counters.free, 1);
    await runOut(world.clock, 4_000);
    assert.equal(world.client.counters.connections, 0);
  });

  test('does not use a connection whose time is over though its timer has not fired', async () => {
    await using world = new World({ idleTimeoutMs: 4_000 });
    const server = await world.serve();
    await world.get(server.url);
    world.clock.spend(4_000);
    await world.get(server.url);
    assert.equal(server.connections.length, 2);
  });

  test('retires connections by age and by count', async () => {
    await using world = new World({ maxRequestsPerConnection: 2, maxConnectionAgeMs: 3_000 });
    const server = await world.serve();
    for (let count = 0; count < 4; count++) await world.get(server.url);
    assert.equal(server.connections.length, 2);
    await world.get(server.url);
    await runOut(world.clock, 3_000);
    await world.get(server.url);
    assert.equal(server.connections.length, 3);
    await world.get(server.url);
    assert.equal(server.connections.length, 4);
  });

  test('drops a connection that its server closed, or spoke on, while it was idle', async () => {
    await using world = new World();
    const server = await world.serve();
    await world.get(server.url);
    server.connections[0]!.destroy();
    await turns();
    assert.equal(world.client.counters.connections, 0);
    await world.get(server.url);
    server.connections[1]!.write('HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n');
    await turns();
    assert.equal(world.client.counters.connections, 0);
    assert.equal(await world.get(server.url, { method: 'POST', body: 'x' }), 'ok');
  });

  test('uses no connection again after an answer that was left unread, when much is left', async () => {
    await using world = new World();
    const server = await world.serve((connection, index) =>
      connection.write(index === 0 ? 'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nabc' : OK),
    );
    const response = await settle(world.clock, world.client.request({ url: server.url }));
    response.body.discard();
    await turns();
    assert.equal(world.client.counters.connections, 0);
    await world.get(server.url);
    assert.equal(server.connections.length, 2);
  });

  test('waits a moment for the end of what was left unread, which a stream does not have', async () => {
    await using world = new World({ discardTimeoutMs: 1_000 });
    const stream = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
    const server = await world.serve((connection) => connection.write(stream));
    const [late, endless] = await Promise.all(
      [1, 2].map(() => settle(world.clock, world.client.request({ url: server.url }))),
    );
    late!.body.discard();
    endless!.body.discard();
    await world.clock.advance(900);
    server.connections[0]!.write('0\r\n\r\n');
    server.connections[1]!.write('2\r\n:\n\r\n');
    await turns();
    await world.clock.advance(200);
    assert.equal(world.client.counters.connections, 1);
    assert.equal(server.openCount, 1);
  });

  test('serves those who wait in the order in which they came', async () => {
    await using world = new World({ maxConnectionsPerOrigin: 1 });
    const gate = new Gate();
    const server = await world.serve(gate.script);
    const all = ['/1', '/2', '/3'].map((path) => world.ask(server.url + path));
    await turns();
    assert.equal(world.client.counters.waiting, 2);
    for (let count = 0; count < 3; count++) await gate.open();
    assert.deepEqual(await Promise.all(all), ['ok', 'ok', 'ok']);
    assert.deepEqual(gate.order, ['/1', '/2', '/3']);
    assert.equal(server.connections.length, 1);
  });

  test('refuses to queue more than it may', async () => {
    await using world = new World({ maxConnectionsPerOrigin: 1, maxWaiting: 1 });
    const server = await world.serve(() => undefined);
    const held = [1, 2].map(() => world.client.request({ url: server.url }).catch(() => undefined));
    await turns();
    await assert.rejects(world.client.request({ url: server.url }), failure('queue-full'));
    await world.client.close();
    await Promise.all(held);
  });

  test('takes an idle connection’s place for another origin when all places are taken', async () => {
    await using world = new World({ maxConnections: 1 });
    const [one, other] = [await world.serve(), await world.serve()];
    await world.get(one.url);
    await world.get(other.url);
    await turns();
    assert.equal(world.client.counters.connections, 1);
    assert.equal(one.openCount, 0);
  });

  test('a busy origin starves no other', async () => {
    await using world = new World({ maxConnections: 1 });
    const gate = new Gate();
    const busy = await world.serve(gate.script);
    const quiet = await world.serve();
    const first = [world.ask(`${busy.url}/1`), world.ask(`${busy.url}/2`)];
    await turns();
    const waiting = world.ask(`${quiet.url}/`);
    const later = world.ask(`${busy.url}/3`);
    await turns();
    await gate.open();
    await gate.open();
    assert.equal(await waiting, 'ok');
    await turns();
    await gate.open();
    assert.deepEqual(await Promise.all([...first, later]), ['ok', 'ok', 'ok']);
  });

  test('one who leaves the queue, or whose connection fails, holds nobody up', async () => {
    await using world = new World({ maxConnectionsPerOrigin: 1 });
    const server = await world.serve((connection, index) => {
      if (index === 0) connection.destroy();
      else connection.write(OK);
    });
    const leave = new AbortController();
    const lost = assert.rejects(world.get(server.url, { method: 'POST' }), failure('connection-lost'));
    const left = assert.rejects(world.get(server.url, { signal: leave.signal }), failure('aborted'));
    const last = world.get(server.url);
    leave.abort();
    await Promise.all([lost, left]);
    assert.equal(await last, 'ok');
  });

  test('repeats an idempotent request once, on a fresh connection, when the kept one closed', async () => {
    await using world = new World();
    let cuts = 0;
    const server = await world.serve((connection, index, all) => {
      const isSecond = all.split('HTTP/1.1\r\n').length > 2;
      if (!isSecond) return connection.write(OK);
      cuts++;
      connection.destroy();
      return index;
    });
    await world.get(server.url);
    assert.equal(await world.get(server.url), 'ok');
    assert.equal(cuts, 1);
    assert.equal(world.client.counters.repeated, 1);
    await assert.rejects(world.get(server.url, { method: 'POST', body: 'x' }), failure('connection-lost'));
    assert.equal(cuts, 2);
    assert.equal(server.received.join('').split('POST').length, 2, 'the POST was sent once');
  });

  test('repeats nothing once a byte of an answer was seen, also of an informational one', async () => {
    await using world = new World();
    const server = await world.serve((connection, _, all) => {
      if (all.split('HTTP/1.1\r\n').length < 3) connection.write(OK);
      else {
        connection.write('HTTP/1.1 103 Early Hints\r\n\r\n');
        connection.end();
      }
    });
    await world.get(server.url);
    await assert.rejects(world.get(server.url), failure('connection-lost'));
    assert.equal(server.connections.length, 1);
  });
});
