/** What a server says to peers that it does not let in, or does not understand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testHost } from '../core/testing/host.ts';
import { Peer } from '../core/testing/peer.ts';
import { SimulatedClock } from '../core/time/simulated-clock.ts';
import { DEFAULT_DATABASE_OPTIONS, startDatabase } from './server.ts';

const LIMITS = { authenticationTimeoutMs: 1_000 };
const STARTUP = Buffer.from('\0\0\0\x14\0\x03\0\0user\0octet\0\0', 'latin1');

async function start(password: string) {
  const clock = new SimulatedClock();
  const host = testHost('database', { clock });
  const options = { ...DEFAULT_DATABASE_OPTIONS, port: 0, password, limits: LIMITS };
  const database = await startDatabase(options, host);
  const peer = await Peer.connect(host.network, database.endpoints['main']!);
  return {
    clock,
    peer,
    /** Resolves when the server has seen all that was sent. */
    async seen(bytes: number) {
      const received = () =>
        host.observatory.samples().find(({ name }) => name.startsWith('octet_database_received_bytes'))!
          .value;
      while (received() < bytes) await new Promise((resolve) => setImmediate(resolve));
    },
    async [Symbol.asyncDispose]() {
      peer.close();
      await database.close(0);
    },
  };
}

test('the time to authenticate is not extended by a byte now and then', async () => {
  await using running = await start('secret');
  const { clock, peer, seen } = running;
  for (let at = 0; at < 3; at++) {
    peer.send(STARTUP.subarray(at, at + 1));
    await seen(at + 1);
    await clock.advance(300);
    assert.equal(peer.closed, false);
  }
  peer.send(STARTUP.subarray(3, 4));
  await seen(4);
  await clock.advance(101);
  assert.equal((await peer.untilClosed()).length, 0);
});

test('a simple query that is not UTF-8 ends with ReadyForQuery', async () => {
  await using running = await start('');
  const { peer } = running;
  peer.send(STARTUP);
  await peer.untilText('Z\0\0\0\x05I');
  peer.send(Buffer.from("Q\0\0\0\x0fselect '\xff'\0", 'latin1'));
  assert.match(await peer.untilText('Z\0\0\0\x05I'), /^E.*C22021\0/s);
});

test('a version before 3 is refused as such, whatever its packet looks like', async () => {
  await using running = await start('');
  const { peer } = running;
  peer.send(Buffer.from('\0\0\0\x0d\0\x02\0\0octet', 'latin1'));
  assert.match((await peer.untilClosed()).toString('latin1'), /C0A000\0Munsupported frontend protocol 2\.0/);
});
