import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Connection, ConnectionLimits, Listener } from '../../net/network.ts';
import { GIVE_UP_MS } from '../../net/simulated-stream.ts';
import { SimulatedWorld } from './simulated-world.ts';

const LIMITS: ConnectionLimits = {
  maxConnections: 10,
  firstByteTimeoutMs: 0,
  idleTimeoutMs: 0,
  maxBufferedBytes: 1_000_000,
  closeTimeoutMs: 2_000,
};
const QUIET = { lossRate: 0, duplicateRate: 0, latencyMs: [1, 5] } as const;

/** Listens on machine `server`; keeps what arrives, and answers each chunk with its length. */
async function listen(world: SimulatedWorld): Promise<{ listener: Listener; ends: End[] }> {
  const ends: End[] = [];
  const { network } = world.host('server');
  const listener = await network.listen({ host: '127.0.0.1', port: 80, limits: LIMITS }, (connection) => {
    ends.push(endOf(connection));
  });
  return { listener, ends };
}

interface End {
  readonly connection: Connection;
  text: string;
  /** How it ended, once it has. */
  ended: 'peer' | 'closed' | 'broken' | undefined;
}

function endOf(connection: Connection): End {
  const end: End = { connection, text: '', ended: undefined };
  connection.attach({
    data: (chunk) => {
      end.text += chunk.toString();
    },
    end: () => {
      end.ended = 'peer';
      connection.end();
    },
    close: (cause) => {
      if (cause !== undefined) end.ended = 'broken';
      else end.ended ??= 'closed';
    },
  });
  return end;
}

async function dial(world: SimulatedWorld, timeoutMs = 5_000): Promise<End> {
  const { network } = world.host('client');
  return endOf(await network.connect({ host: 'server', port: 80, timeoutMs }));
}

/** Runs `work` in a few worlds, and each of them twice. */
async function inWorlds(work: (world: SimulatedWorld) => Promise<void>): Promise<void> {
  for (let seed = 1; seed <= 5; seed += 1) {
    const digests: string[] = [];
    for (const _ of [1, 2]) {
      const world = new SimulatedWorld({ seed, link: QUIET });
      await world.run(() => work(world));
      digests.push(world.digest());
    }
    assert.equal(digests[0], digests[1]);
  }
}

test('a stream arrives whole and in order, however it is cut', () =>
  inWorlds(async (world) => {
    world.network.setConditions('client', 'server', { maxSegmentBytes: 7, lossRate: 0.1, windowBytes: 50 });
    const { ends } = await listen(world);
    const { connection } = await dial(world);
    const sent = Array.from({ length: 100 }, (_, number) => `${number},`).join('');
    for (const part of sent.split(/(?<=5)/)) connection.write(part);
    connection.end();
    await world.clock.sleep(60_000);
    assert.equal(ends[0]?.text, sent);
    assert.equal(ends[0]?.ended, 'peer');
    assert.deepEqual(world.open('client'), []);
  }));

test('a partition holds streams up and loses datagrams; connecting waits and times out', () =>
  inWorlds(async (world) => {
    const { ends } = await listen(world);
    let datagrams = 0;
    await world
      .host('server')
      .network.udp({ host: '127.0.0.1', port: 53, receive: () => void (datagrams += 1) });
    const udp = await world
      .host('client')
      .network.udp({ host: '127.0.0.1', port: 0, receive: () => undefined });
    const { connection } = await dial(world);
    world.partition('client', 'server');
    connection.write('late');
    udp.send(Buffer.from('lost'), { address: world.network.address('server'), port: 53 });
    await assert.rejects(dial(world, 3_000), { code: 'connect-timeout' });
    assert.equal(ends[0]?.text, '');
    world.heal('client', 'server');
    await world.clock.sleep(100);
    assert.equal(ends[0]?.text, 'late');
    assert.equal(datagrams, 0);
  }));

test('a sender whose peer cannot be reached gives up when TCP would; a reader never learns', () =>
  inWorlds(async (world) => {
    const { ends } = await listen(world);
    const sender = await dial(world);
    await world.clock.sleep(10);
    world.halfOpen('client', 'server');
    sender.connection.write('into the void');
    await world.clock.sleep(GIVE_UP_MS - 1_000);
    assert.equal(sender.ended, undefined);
    await world.clock.sleep(2_000);
    assert.equal(sender.ended, 'broken');
    assert.deepEqual([ends[0]?.text, ends[0]?.ended], ['', undefined]);
    // The network itself is whole.
    const other = await dial(world);
    other.connection.write('x');
    await world.clock.sleep(100);
    assert.equal(ends[1]?.text, 'x');
  }));

test('a killed process leaves what it sent, then the end; what is sent to it is answered with a reset', () =>
  inWorlds(async (world) => {
    const { ends } = await listen(world);
    const peer = await dial(world);
    await world.clock.sleep(10);
    ends[0]?.connection.write('last words');
    world.kill('server');
    await world.clock.sleep(100);
    assert.deepEqual([peer.text, peer.ended], ['last words', 'peer']);
    await assert.rejects(dial(world), { code: 'connect-failed' });
    assert.deepEqual(world.open('server'), []);
  }));

test('a machine without power is silent, and resets what it does not know when it is back', () =>
  inWorlds(async (world) => {
    const { ends } = await listen(world);
    const peer = await dial(world);
    await world.clock.sleep(10);
    world.powerCut('server');
    peer.connection.write('is anybody there?');
    await assert.rejects(dial(world, 2_000), { code: 'connect-timeout' });
    assert.equal(peer.ended, undefined);
    world.host('server');
    await world.clock.sleep(100);
    assert.equal(peer.ended, 'broken');
    assert.equal(ends[0]?.text, '');
  }));

test('a reset breaks both ends, with a beginning of what was under way', () =>
  inWorlds(async (world) => {
    world.network.setConditions('client', 'server', { maxSegmentBytes: 10 });
    const { ends } = await listen(world);
    const peer = await dial(world);
    const sent = 'abcdefghij'.repeat(50);
    peer.connection.write(sent);
    await world.clock.sleep(3);
    world.reset('client', 'server');
    await world.clock.sleep(100);
    assert.deepEqual([peer.ended, ends[0]?.ended], ['broken', 'broken']);
    assert.ok(sent.startsWith(ends[0]?.text ?? 'nothing'));
  }));

test('who does not read makes the writer wait, and is cut off at the bound', () =>
  inWorlds(async (world) => {
    const { ends } = await listen(world);
    const peer = await dial(world);
    await world.clock.sleep(10);
    ends[0]?.connection.pause();
    let written = 0;
    while (!peer.connection.destroyed) {
      peer.connection.write(Buffer.alloc(100_000));
      written += 1;
      await world.clock.sleep(10);
    }
    // 16 MiB, which is what a client's connection may hold unless it says otherwise, and the window.
    assert.ok(written >= 168 && written <= 173, `${written} writes`);
  }));

test('nothing of a killed process happens any more', () =>
  inWorlds(async (world) => {
    const { clock, files } = world.host('server');
    await files.makeFolder('/data');
    let happened = '';
    clock.schedule(100, () => {
      happened += 'timer ';
    });
    void clock.sleep(100).then(() => {
      happened += 'sleep ';
    });
    void files.list('/data').then(() => {
      happened += 'files ';
    });
    assert.match(world.open('server').join(), /timers/);
    world.kill('server');
    clock.schedule(1, () => {
      happened += 'late timer ';
    });
    await world.clock.sleep(1_000);
    assert.equal(happened, '');
    assert.deepEqual(world.open('server'), []);
    assert.deepEqual(await world.host('server').files.list('/'), ['data']);
  }));

test('a disk may end its process at any call', () =>
  inWorlds(async (world) => {
    const { files } = world.host('server');
    await files.makeFolder('/data');
    const file = await files.open('/data/a', 'create');
    world.judgeDisk('server', ({ call }) => (call === 'write' ? 'power-cut' : undefined));
    let isWritten = false;
    void file.write(0, Buffer.from('x')).then(() => {
      isWritten = true;
    });
    await world.clock.sleep(1_000);
    assert.equal(isWritten, false);
    world.judgeDisk('server', undefined);
    // Its name may have outlived the power; the write did not even happen.
    const found = await world.host('server').files.stat('/data/a');
    assert.equal(found?.sizeBytes ?? 0, 0);
  }));

test('a world that waits for nothing says so, and names what is open', async () => {
  const world = new SimulatedWorld({ seed: 1 });
  const waiting = world.run(async () => {
    await listen(world);
    await new Promise(() => undefined);
  });
  await assert.rejects(waiting, /nothing more will happen.*server: listening on tcp/);
});

test('two seeds give two worlds', async () => {
  const digests = new Set<string>();
  for (const seed of [1, 2, 3]) {
    const world = new SimulatedWorld({ seed });
    await world.run(async () => {
      await listen(world);
      const { connection } = await dial(world);
      connection.end('hello');
      await world.clock.sleep(1_000);
    });
    digests.add(world.digest());
  }
  assert.equal(digests.size, 3);
});
