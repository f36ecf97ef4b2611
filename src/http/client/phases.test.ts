/** Each phase of a request: it ends in its own error when its time is over, and `aborted` when it is cancelled. */
import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import type { Connection } from '../../core/net/network.ts';
import { createSimulatedNetwork, type SimulatedNetwork } from '../../core/net/simulated-network.ts';
import { createSystemNetwork } from '../../core/net/system-network.ts';
import { SimulatedClock } from '../../core/time/simulated-clock.ts';
import { HttpClientError, type HttpClientErrorCode } from '../errors.ts';
import { ScriptedServer } from '../testing/scripted-server.ts';
import { runOut, settle, turns } from '../testing/virtual-time.ts';
import type { ClientRequest } from '../types.ts';
import { createHttpClient, type HttpClient, type HttpClientOptions } from './index.ts';

interface World {
  readonly clock: SimulatedClock;
  readonly network: SimulatedNetwork;
  readonly client: HttpClient;
  readonly server: ScriptedServer;
}

interface Phase {
  readonly name: string;
  readonly code: HttpClientErrorCode;
  readonly unsent: boolean;
  /** When it has to be over, milliseconds. */
  readonly afterMs: number;
  readonly options?: Partial<HttpClientOptions>;
  readonly request?: Partial<ClientRequest>;
  /** The server reads nothing. */
  readonly isDeaf?: boolean;
  readonly arrange?: (world: World) => Promise<void>;
}

const never = <Value>(): Promise<Value> => new Promise(() => undefined);

/** The server is silent, whatever it is asked. */
const PHASES: readonly Phase[] = [
  {
    name: 'the queue',
    code: 'pool-timeout',
    unsent: true,
    afterMs: 700,
    options: { maxConnectionsPerOrigin: 1, queueTimeoutMs: 700 },
    arrange: async ({ client, server }) => {
      client.request({ url: server.url, timeoutMs: 50_000 }).catch(() => undefined);
      await turns();
    },
  },
  {
    name: 'resolution',
    code: 'resolve-timeout',
    unsent: true,
    afterMs: 800,
    options: { resolve: () => never(), resolveTimeoutMs: 800 },
    request: { url: 'http://name.test/' },
  },
  {
    name: 'the connection',
    code: 'connect-timeout',
    unsent: true,
    afterMs: 900,
    options: { connectTimeoutMs: 900 },
    arrange: async ({ network }) => {
      network.partitioned = true;
    },
  },
  {
    name: 'the tunnel',
    code: 'proxy-timeout',
    unsent: true,
    afterMs: 1_000,
    options: { tunnelTimeoutMs: 1_000 },
    request: { url: 'https://name.test/' },
  },
  {
    name: 'sending',
    code: 'send-timeout',
    unsent: false,
    afterMs: 1_100,
    options: { limits: { writeStallTimeoutMs: 1_100 } },
    request: { method: 'PUT', body: Buffer.alloc(1 << 20) },
    isDeaf: true,
  },
  {
    name: 'the head',
    code: 'response-timeout',
    unsent: false,
    afterMs: 1_200,
    request: { timeoutMs: 1_200 },
  },
  {
    name: 'the whole',
    code: 'total-timeout',
    unsent: false,
    afterMs: 1_300,
    request: { totalTimeoutMs: 1_300 },
  },
];

async function world(phase: Phase): Promise<World & AsyncDisposable> {
  const clock = new SimulatedClock();
  const network = createSimulatedNetwork({ clock });
  const accepted = (connection: Connection): void => {
    if (phase.isDeaf === true) connection.pause();
  };
  const server = await ScriptedServer.start(network, () => undefined, { accepted });
  const proxy = phase.name === 'the tunnel' ? { proxy: { url: server.url } } : {};
  const client = createHttpClient({ clock, network, ...proxy, ...phase.options });
  return {
    clock,
    network,
    client,
    server,
    [Symbol.asyncDispose]: async () => {
      await client.close();
      network.partitioned = false;
      for (const connection of server.connections) connection.resume();
      await runOut(clock, 100_000);
      assert.equal(client.counters.connections, 0, 'connections leak');
      assert.equal(client.counters.waiting, 0, 'waiters leak');
      assert.equal(server.openCount, 0, 'the server keeps connections');
      assert.equal(clock.pendingCount, 0, 'timers leak');
      await server[Symbol.asyncDispose]();
    },
  };
}

function check(thrown: unknown, code: HttpClientErrorCode, unsent: boolean): boolean {
  assert.ok(thrown instanceof HttpClientError, String(thrown));
  assert.equal(thrown.code, code, thrown.message);
  assert.equal(thrown.unsent, unsent);
  return true;
}

for (const phase of PHASES) {
  suite(`in the phase of ${phase.name}`, () => {
    test(`time runs out: ${phase.code}`, async () => {
      await using it = await world(phase);
      await phase.arrange?.(it);
      const startMs = it.clock.monotonic();
      const request = it.client.request({ url: it.server.url, ...phase.request });
      await assert.rejects(settle(it.clock, request), (thrown) => check(thrown, phase.code, phase.unsent));
      assert.equal(it.clock.monotonic() - startMs, phase.afterMs);
    });

    for (const how of ['signal', 'close', 'total']) {
      test(`it is cancelled by ${how}`, async () => {
        await using it = await world(phase);
        await phase.arrange?.(it);
        const controller = new AbortController();
        const total = how === 'total' ? { totalTimeoutMs: 300 } : {};
        const { signal } = controller;
        const request = it.client.request({ url: it.server.url, ...phase.request, ...total, signal });
        const code = how === 'total' ? 'total-timeout' : 'aborted';
        const rejected = assert.rejects(request, (thrown) => check(thrown, code, phase.unsent));
        await turns();
        if (how === 'signal') controller.abort();
        else if (how === 'close') await it.client.close();
        await settle(it.clock, rejected, 300);
      });
    }
  });
}

suite('in the phase of content', () => {
  const part = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc';

  for (const how of ['idle', 'signal', 'close', 'total']) {
    test(`it is ended by ${how}`, async () => {
      const clock = new SimulatedClock();
      const network = createSimulatedNetwork({ clock });
      await using server = await ScriptedServer.start(network, (connection) => connection.write(part));
      await using client = createHttpClient({ clock, network, limits: { responseIdleTimeoutMs: 900 } });
      const controller = new AbortController();
      const total = how === 'total' ? { totalTimeoutMs: 300 } : {};
      const { signal } = controller;
      const response = await settle(clock, client.request({ url: server.url, signal, ...total }));
      const code = { idle: 'body-timeout', total: 'total-timeout' }[how] ?? 'aborted';
      const rejected = assert.rejects(response.body.bytes(100), (thrown) =>
        check(thrown, code as HttpClientErrorCode, false),
      );
      await turns();
      if (how === 'signal') controller.abort();
      else if (how === 'close') await client.close();
      await settle(clock, rejected, 900);
      await runOut(clock, 10_000);
      assert.equal(client.counters.connections, 0);
      assert.equal(clock.pendingCount, 0);
    });
  }

  test('the time for the whole ends with the last byte', async () => {
    const clock = new SimulatedClock();
    const network = createSimulatedNetwork({ clock });
    await using server = await ScriptedServer.start(network, (connection) =>
      connection.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'),
    );
    await using client = createHttpClient({ clock, network });
    const response = await settle(clock, client.request({ url: server.url, totalTimeoutMs: 1_000_000 }));
    await runOut(clock, 10_000);
    assert.equal(await response.body.text(10), 'ok');
    assert.equal(clock.pendingCount, 0);
  });

  test('a head that comes byte by byte without end is late all the same', async () => {
    const clock = new SimulatedClock();
    const network = createSimulatedNetwork({ clock });
    await using server = await ScriptedServer.start(network, (connection) => {
      connection.write('HTTP/1.1 200 OK\r\nX: ');
      const drip = (): void => {
        if (!connection.destroyed && connection.write('a')) clock.schedule(100, drip);
      };
      drip();
    });
    await using client = createHttpClient({ clock, network });
    const request = client.request({ url: server.url, timeoutMs: 1_000 });
    await assert.rejects(settle(clock, request), (thrown) => check(thrown, 'response-timeout', false));
    assert.equal(clock.monotonic(), 1_000);
  });
});

suite('in the phase of the TLS handshake', () => {
  for (const how of ['time', 'signal', 'close', 'total']) {
    test(`a silent server is left by ${how}`, async () => {
      const clock = new SimulatedClock();
      const network = createSystemNetwork(clock);
      const greeted = Promise.withResolvers<void>();
      await using server = await ScriptedServer.start(network, () => greeted.resolve());
      await using client = createHttpClient({ clock, network, tlsTimeoutMs: 500 });
      const controller = new AbortController();
      const total = how === 'total' ? { totalTimeoutMs: 300 } : {};
      const { signal } = controller;
      const url = server.url.replace('http', 'https');
      const request = client.request({ url, signal, ...total });
      const code = { time: 'tls-timeout', total: 'total-timeout' }[how] ?? 'aborted';
      const rejected = assert.rejects(request, (thrown) => check(thrown, code as HttpClientErrorCode, true));
      await greeted.promise;
      if (how === 'signal') controller.abort();
      else if (how === 'close') await client.close();
      else await clock.advance(500);
      await rejected;
      assert.equal(client.counters.connections, 0);
    });
  }
});
