import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import type { Connection } from '../../core/net/network.ts';
import { createSimulatedNetwork } from '../../core/net/simulated-network.ts';
import { testHost } from '../../core/testing/host.ts';
import { Peer } from '../../core/testing/peer.ts';
import { untilIdle } from '../../core/testing/simulated-world/until-idle.ts';
import { SimulatedClock } from '../../core/time/simulated-clock.ts';
import { OpenWebSocket, type WebSocketClosed, type WebSocketConnection } from './connection.ts';
import { Deflater } from './deflate.ts';
import { WebSocketError } from './errors.ts';
import { DEFAULT_WEBSOCKET_LIMITS } from './limits.ts';
import { WebSocketSet } from './set.ts';
import { closePayload, hex, testFrame, testFrames } from './testing/frames.ts';
import { startWorld, type World } from './testing/world.ts';

const { observer } = testHost('websocket');
const NETWORK_LIMITS = {
  maxConnections: 10,
  firstByteTimeoutMs: 0,
  idleTimeoutMs: 0,
  maxBufferedBytes: 1 << 20,
  closeTimeoutMs: 10,
};
const echo = (socket: WebSocketConnection): void =>
  socket.attach({ message: (message) => void socket.send(message) });

const INFLATE_BESIDE = { ...DEFAULT_WEBSOCKET_LIMITS, deflateInlineBytes: 0 };

/** Takes the messages of `socket` from now on. */
function inboxOf(socket: WebSocketConnection): (string | Buffer)[] {
  const inbox: (string | Buffer)[] = [];
  socket.attach({ message: (message) => void inbox.push(message) });
  return inbox;
}

/** Text that shrinks, but not like a bomb. */
function variedText(length: number): string {
  let text = '';
  for (let n = 0; text.length < length; n++) text += `é${n * n}`;
  return text.slice(0, length);
}

/** A client that speaks in bytes. */
async function rawPeer(world: World): Promise<Peer> {
  const peer = await Peer.connect(world.network, world.server.endpoint);
  peer.send(
    'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  await peer.untilText('\r\n\r\n');
  return peer;
}

suite('a pair of our own', () => {
  for (const deflate of [false, true]) {
    test(`exchanges messages of all sizes in order${deflate ? ', compressed' : ''}`, async () => {
      await using world = await startWorld(observer, { open: echo, deflate });
      const socket = await world.connect({ deflate });
      assert.equal(socket.deflate === undefined, !deflate);
      const inbox = inboxOf(socket);
      const messages: (string | Buffer)[] = [];
      for (const size of [0, 1, 125, 126, 2_000, 65_536, 200_000, 3, 40_000, 5]) {
        messages.push(variedText(size), Buffer.from(variedText(size)));
      }
      for (const message of messages) {
        socket.send(message);
        await socket.drain();
      }
      while (inbox.length < messages.length) await untilIdle();
      assert.deepEqual(inbox, messages);
      const closed = await socket.close(1000, 'done');
      assert.deepEqual(closed, { code: 1000, reason: '', clean: true });
      assert.deepEqual(await world.accepted[0]!.closed, { code: 1000, reason: 'done', clean: true });
    });
  }

  test('iterates over messages, and closes when left', async () => {
    await using world = await startWorld(observer, {
      async open(socket) {
        for await (const message of socket) socket.send(`got ${String(message)}`);
      },
    });
    const socket = await world.connect();
    for (const text of ['one', 'two', 'three']) socket.send(text);
    const seen: string[] = [];
    for await (const message of socket) {
      seen.push(String(message));
      if (seen.length === 3) break;
    }
    assert.deepEqual(seen, ['got one', 'got two', 'got three']);
    assert.deepEqual(await socket.closed, { code: 1000, reason: '', clean: true });
    assert.equal((await world.accepted[0]!.closed).clean, true);
  });

  test('an iteration ends when the peer closes', async () => {
    await using world = await startWorld(observer, {
      open(socket) {
        socket.send('bye');
        void socket.close(4_000, 'why');
      },
    });
    const socket = await world.connect();
    const seen: unknown[] = [];
    for await (const message of socket) seen.push(message);
    assert.deepEqual(seen, ['bye']);
    assert.deepEqual(await socket.closed, { code: 4_000, reason: 'why', clean: true });
  });

  test('a message in parts arrives whole, or in parts where they are wished', async () => {
    const parts: string[] = [];
    await using world = await startWorld(observer, {
      open(socket) {
        if (world.accepted.length === 1) echo(socket);
        else socket.attach({ part: ({ of, bytes, last }) => void parts.push(`${of} ${bytes} ${last}`) });
      },
    });
    async function* source() {
      yield Buffer.from('one ');
      yield Buffer.alloc(0);
      yield Buffer.from('two');
    }
    const first = await world.connect();
    const inbox = inboxOf(first);
    const sent = first.sendParts('text', source());
    first.send('behind');
    await sent;
    while (inbox.length < 2) await untilIdle();
    assert.deepEqual(inbox, ['one two', 'behind']);

    const second = await world.connect();
    await second.sendParts('binary', source());
    while (parts.length < 3) await untilIdle();
    assert.deepEqual(parts, ['binary one  false', 'binary two false', 'binary  true']);
  });

  test('what the source of parts throws ends the connection', async () => {
    await using world = await startWorld(observer, { open: echo });
    const socket = await world.connect();
    inboxOf(socket);
    async function* source() {
      yield Buffer.from('begun');
      throw new Error('no more');
    }
    await assert.rejects(socket.sendParts('text', source()), /no more/);
    const closed = await socket.closed;
    assert.ok(closed.cause instanceof Error);
    assert.equal((await world.accepted[0]!.closed).code, 1011);
  });

  test('what a handler throws closes with 1011', async () => {
    const problem = new Error('bad handler');
    for (const message of [
      () => {
        throw problem;
      },
      () => Promise.reject(problem),
    ]) {
      await using world = await startWorld(observer, { open: (socket) => socket.attach({ message }) });
      const socket = await world.connect();
      inboxOf(socket);
      socket.send('x');
      assert.equal((await socket.closed).code, 1011);
      assert.equal((await world.accepted[0]!.closed).cause, problem);
    }
  });

  test('both may send more than fits without waiting for each other', async () => {
    const messages = Array.from({ length: 40 }, (_, n) => Buffer.alloc(100_000, n));
    const flood = async (socket: WebSocketConnection): Promise<void> => {
      for (const message of messages) if (!socket.send(message)) await socket.drain();
    };
    let server: (string | Buffer)[] = [];
    await using world = await startWorld(observer, {
      open(socket) {
        server = inboxOf(socket);
        void flood(socket);
      },
    });
    const socket = await world.connect();
    const inbox = inboxOf(socket);
    await flood(socket);
    while (inbox.length < messages.length || server.length < messages.length) await untilIdle();
    assert.deepEqual(inbox, messages);
    assert.deepEqual(server, messages);
  });
});

suite('closing', () => {
  test('a close may not say what has no meaning', async () => {
    await using world = await startWorld(observer);
    const socket = await world.connect();
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 2_999, 5_000, 1000.5])
      assert.throws(() => socket.close(code), WebSocketError);
    assert.throws(() => socket.close(1000, 'é'.repeat(62)), WebSocketError);
    assert.equal(socket.state, 'open');
  });

  test('nothing is sent behind a close, and a second one only waits', async () => {
    await using world = await startWorld(observer, { open: inboxOf });
    const socket = await world.connect();
    inboxOf(socket);
    socket.send('last');
    const closed = socket.close(3_000, 'first');
    assert.equal(socket.send('late'), false);
    assert.equal(socket.close(3_001), socket.closed);
    assert.deepEqual(await closed, { code: 3_000, reason: '', clean: true });
    assert.deepEqual(await world.accepted[0]!.closed, { code: 3_000, reason: 'first', clean: true });
    assert.equal(socket.send('later'), false);
    await socket.drain();
  });

  test('goes behind a long message that is being compressed', async () => {
    let inbox: (string | Buffer)[] = [];
    await using world = await startWorld(observer, {
      deflate: true,
      open(socket) {
        inbox = inboxOf(socket);
      },
    });
    const socket = await world.connect({ deflate: true });
    inboxOf(socket);
    const long = variedText(250_000);
    assert.equal(socket.send(long), false);
    assert.ok(socket.bufferedBytes >= long.length);
    socket.send('short');
    await socket.close();
    assert.deepEqual(inbox, [long, 'short']);
  });

  test('parts that do not end are cut by a close, in time', async () => {
    await using world = await startWorld(observer, { open: inboxOf });
    const socket = await world.connect();
    inboxOf(socket);
    let isOver = false;
    async function* endless() {
      try {
        for (;;) {
          yield Buffer.from('on and on ');
          await untilIdle();
        }
      } finally {
        isOver = true;
      }
    }
    const sent = socket.sendParts('text', endless());
    const closed = socket.close(1001);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(socket.state, 'open');
    await world.clock.advance(5_000);
    assert.deepEqual(await closed, { code: 1001, reason: '', clean: true });
    await sent;
    assert.ok(isOver);
  });

  test('is answered though a handler has not done with the last message', async () => {
    await using world = await startWorld(observer, {
      open: (socket) => socket.attach({ message: () => new Promise<void>(() => undefined) }),
    });
    const peer = await rawPeer(world);
    peer.send(
      testFrames(
        [
          [0x81, 'x'],
          [0x88, closePayload(1000)],
        ],
        'client',
      ),
    );
    await untilIdle();
    assert.equal(peer.received.length, 0);
    const closed = world.accepted[0]!.close(1001);
    assert.deepEqual(await closed, { code: 1000, reason: '', clean: true });
  });

  test('the server ends the connection, and the client waits for that', async () => {
    await using world = await startWorld(observer, { open: inboxOf });
    const peer = await rawPeer(world);
    peer.send(testFrame([0x88, closePayload(1000)], Buffer.alloc(4)));
    assert.equal((await peer.untilClosed()).toString('hex'), '880203e8');
  });

  test('a client does not end the connection before the server, but for a time', async () => {
    const clock = new SimulatedClock();
    const network = createSimulatedNetwork({ clock });
    const server = Promise.withResolvers<Connection>();
    const listener = await network.listen(
      { host: '127.0.0.1', port: 0, limits: NETWORK_LIMITS },
      server.resolve,
    );
    const connection = await network.connect({
      host: '127.0.0.1',
      port: listener.endpoint.port,
      timeoutMs: 1_000,
    });
    const socket = new OpenWebSocket({
      role: 'client',
      connection,
      early: hex('88 02 03 e8'),
      clock,
      limits: DEFAULT_WEBSOCKET_LIMITS,
      protocol: '',
      deflate: undefined,
      maskKey: () => 0,
    });
    inboxOf(socket);
    let hasEnded = false;
    let received = '';
    (await server.promise).attach({
      data(chunk) {
        received += chunk.toString('hex');
      },
      end() {
        hasEnded = true;
      },
      close() {
        hasEnded = true;
      },
    });
    await untilIdle();
    assert.equal(received, '888200000000' + '03e8');
    assert.equal(hasEnded, false);
    await clock.advance(5_000);
    await untilIdle();
    assert.equal(hasEnded, true);
    assert.deepEqual(await socket.closed, { code: 1000, reason: '', clean: true });
    listener.stop();
  });

  test('a peer that ends without a close frame is 1006, and what came before is told', async () => {
    let inbox: (string | Buffer)[] = [];
    await using world = await startWorld(observer, {
      open(socket) {
        inbox = inboxOf(socket);
      },
    });
    const peer = await rawPeer(world);
    peer.send(testFrames([[0x81, 'x']], 'client'));
    peer.connection.end();
    const closed = await world.accepted[0]!.closed;
    assert.equal(closed.code, 1006);
    assert.equal(closed.clean, false);
    assert.deepEqual(inbox, ['x']);
  });

  test('a broken rule is told, and nothing behind it is read', async () => {
    let inbox: (string | Buffer)[] = [];
    await using world = await startWorld(observer, {
      open(socket) {
        inbox = inboxOf(socket);
      },
    });
    const peer = await rawPeer(world);
    peer.send(Buffer.concat([hex('83 80 00 00 00 00'), testFrames([[0x81, 'x']], 'client')]));
    const received = await peer.untilClosed();
    assert.equal(received.subarray(0, 4).toString('hex'), '881803ea');
    assert.equal((await world.accepted[0]!.closed).code, 1002);
    assert.deepEqual(inbox, []);
  });

  test('a set closes all with 1001, and is empty then', async () => {
    const set = new WebSocketSet();
    await using world = await startWorld(observer, { set, open: inboxOf });
    const sockets = await Promise.all([world.connect(), world.connect(), world.connect()]);
    for (const socket of sockets) inboxOf(socket);
    assert.equal(set.size, 3);
    assert.deepEqual([...set], world.accepted);
    await set.close('restart');
    for (const socket of sockets)
      assert.deepEqual(await socket.closed, { code: 1001, reason: 'restart', clean: true });
    assert.equal(set.size, 0);
    await world.server.close(1_000);
  });

  test('what comes into a set that closes is closed, too', async () => {
    const set = new WebSocketSet();
    await using world = await startWorld(observer, { open: inboxOf });
    const socket = await world.connect();
    inboxOf(socket);
    await set.close();
    set.add(world.accepted[0]!);
    assert.equal((await socket.closed).code, 1001);
  });

  test('a handler is told of the end once', async () => {
    const ends: WebSocketClosed[] = [];
    await using world = await startWorld(observer, { open: inboxOf });
    const socket = await world.connect();
    socket.attach({ close: (closed) => void ends.push(closed) });
    socket.destroy();
    await socket.closed;
    await untilIdle();
    assert.equal(ends.length, 1);
    assert.equal(ends[0]!.code, 1006);
  });
});

suite('time', () => {
  test('a silent peer is pinged, and cut when it stays silent', async () => {
    await using world = await startWorld(observer, { open: inboxOf });
    const peer = await rawPeer(world);
    await world.clock.advance(30_000);
    assert.equal((await peer.bytes(2)).toString('hex'), '8900');
    await world.clock.advance(20_000);
    assert.deepEqual(await world.accepted[0]!.closed, {
      code: 1006,
      reason: 'the peer did not answer a ping',
      clean: false,
    });
  });

  test('a peer that answers pings lives on', async () => {
    await using world = await startWorld(observer, { open: inboxOf });
    const socket = await world.connect();
    inboxOf(socket);
    for (let n = 0; n < 10; n++) {
      await world.clock.advance(30_000);
      await untilIdle();
    }
    assert.equal(socket.state, 'open');
    assert.equal(world.accepted[0]!.state, 'open');
  });

  test('a peer that does not answer a close frame is cut', async () => {
    await using world = await startWorld(observer, { open: inboxOf });
    const peer = await rawPeer(world);
    const closed = world.accepted[0]!.close();
    assert.equal((await peer.bytes(4)).toString('hex'), '880203e8');
    await world.clock.advance(5_000);
    assert.equal((await closed).code, 1006);
  });

  test('a server that does not end a closed connection is cut', async () => {
    await using world = await startWorld(observer, { open: inboxOf });
    const socket = await world.connect();
    // Its reading stops, so that the client’s close frame is answered by nobody.
    world.accepted[0]!.attach({ message: () => new Promise<void>(() => undefined) });
    inboxOf(socket);
    socket.send('x');
    await untilIdle();
    const closed = socket.close();
    await untilIdle();
    await world.clock.advance(5_000);
    assert.equal((await closed).code, 1006);
  });

  test('no timer is left behind', async () => {
    await using world = await startWorld(observer, { open: inboxOf });
    const before = world.clock.pendingCount;
    const socket = await world.connect();
    inboxOf(socket);
    await untilIdle();
    assert.ok(world.clock.pendingCount > before);
    await socket.close();
    await world.accepted[0]!.closed;
    await untilIdle();
    assert.equal(world.clock.pendingCount, before);
  });
});

suite('backpressure', () => {
  test('a handler’s promise holds the peer back', async () => {
    let release = (): void => undefined;
    const inbox: string[] = [];
    await using world = await startWorld(observer, {
      open: (socket) =>
        socket.attach({
          message(message) {
            inbox.push(String(message));
            return new Promise((resolve) => {
              release = resolve;
            });
          },
        }),
    });
    const socket = await world.connect();
    inboxOf(socket);
    for (const text of ['1', '2', '3']) socket.send(text);
    for (const expected of [['1'], ['1', '2'], ['1', '2', '3']]) {
      await untilIdle();
      assert.deepEqual(inbox, expected);
      release();
    }
  });

  test('a handler’s promise holds back what is inflated beside the event loop, too', async () => {
    let release = (): void => undefined;
    const inbox: number[] = [];
    await using world = await startWorld(observer, {
      deflate: true,
      limits: { deflateInlineBytes: 0 },
      open: (socket) =>
        socket.attach({
          message(message) {
            inbox.push(message.length);
            return new Promise((resolve) => {
              release = resolve;
            });
          },
        }),
    });
    const socket = await world.connect({ deflate: true });
    inboxOf(socket);
    const inflated = async (count: number): Promise<void> => {
      while (inbox.length < count) await untilIdle();
      // Time for a second one, if it were not held back.
      const other = new Deflater({ contextTakeover: false, windowBits: 15 }, INFLATE_BESIDE);
      for (let n = 0; n < 5; n++) await other.deflate(Buffer.from(variedText(50_000)));
      await untilIdle();
    };
    for (const size of [2_000, 2_001, 2_002]) socket.send(variedText(size));
    for (const count of [1, 2, 3]) {
      await inflated(count);
      assert.equal(inbox.length, count);
      release();
    }
    assert.deepEqual(inbox, [2_000, 2_001, 2_002]);
  });

  test('a reader of messages who does not come holds the peer back', async () => {
    await using world = await startWorld(observer, {
      limits: { receiveQueueBytes: 10_000 },
      async open(socket) {
        for await (const _ of socket) await new Promise<void>(() => undefined);
      },
    });
    const socket = await world.connect();
    inboxOf(socket);
    let sent = 0;
    while (sent < 1_000 && socket.send(Buffer.alloc(10_000))) {
      sent++;
      await untilIdle();
    }
    // The window of the network, what the server’s queue holds, and what we hold.
    assert.ok(sent < 100, String(sent));
  });

  test('echoes that the peer does not read stop the reading, not the growing of memory', async () => {
    await using world = await startWorld(observer, { open: echo });
    const peer = await rawPeer(world);
    peer.connection.pause();
    const frame = testFrames([[0x82, Buffer.alloc(50_000)]], 'client');
    let written = 0;
    while (peer.connection.write(frame) && written < 500) {
      written++;
      await untilIdle();
    }
    assert.ok(written < 100, String(written));
    assert.ok(world.accepted[0]!.bufferedBytes < 1_000_000, String(world.accepted[0]!.bufferedBytes));
    peer.connection.resume();
    await peer.until((received) => received.length >= written * 50_004);
  });

  test('answers that take time to compress stop the reading, too', async () => {
    let most = 0;
    let count = 0;
    await using world = await startWorld(observer, {
      deflate: true,
      limits: { deflateInlineBytes: 0 },
      open: (socket) =>
        socket.attach({
          message(message) {
            count++;
            socket.send(message);
            most = Math.max(most, socket.bufferedBytes);
          },
        }),
    });
    const socket = await world.connect({ deflate: true, limits: { deflateThresholdBytes: 1 << 20 } });
    const inbox = inboxOf(socket);
    for (let n = 0; n < 200; n++) socket.send(variedText(10_000));
    while (inbox.length < 200) await untilIdle();
    assert.equal(count, 200);
    assert.ok(most < 150_000, String(most));
  });

  test('a peer that takes nothing for long is cut', async () => {
    await using world = await startWorld(observer, { open: echo });
    const peer = await rawPeer(world);
    peer.connection.pause();
    const socket = world.accepted[0]!;
    while (socket.send(Buffer.alloc(100_000))) await untilIdle();
    await world.clock.advance(30_000);
    assert.deepEqual(await socket.closed, { code: 1006, reason: 'the peer does not read', clean: false });
  });

  test('a peer that takes a little from time to time is not', async () => {
    await using world = await startWorld(observer, { open: echo });
    const peer = await rawPeer(world);
    const socket = world.accepted[0]!;
    const { connection } = peer;
    connection.attach({ data: () => connection.pause() });
    for (let n = 0; n < 30; n++) socket.send(Buffer.alloc(100_000));
    await untilIdle();
    for (let n = 0; n < 5; n++) {
      await world.clock.advance(29_000);
      assert.equal(socket.state, 'open');
      connection.resume();
      await untilIdle();
      await world.clock.advance(1_000);
    }
    assert.equal(socket.state, 'open');
    await world.clock.advance(30_000);
    assert.deepEqual((await socket.closed).reason, 'the peer does not read');
  });

  test('who sends on and on to a peer that does not read is cut', async () => {
    await using world = await startWorld(observer, { open: inboxOf, limits: { sendBufferBytes: 1_000_000 } });
    const peer = await rawPeer(world);
    peer.connection.pause();
    const socket = world.accepted[0]!;
    for (let n = 0; n < 30; n++) {
      socket.send(Buffer.alloc(100_000));
      await untilIdle();
    }
    assert.equal((await socket.closed).reason, 'the peer does not read');
  });

  test('all that is sent in one turn is one write', async () => {
    await using world = await startWorld(observer, { open: inboxOf });
    const peer = await rawPeer(world);
    const chunks: Buffer[] = [];
    peer.connection.attach({ data: (chunk) => void chunks.push(chunk) });
    for (let n = 0; n < 20; n++) world.accepted[0]!.send('x');
    await untilIdle();
    assert.deepEqual(
      chunks.map((chunk) => chunk.toString('hex')),
      ['810178'.repeat(20)],
    );
  });
});
