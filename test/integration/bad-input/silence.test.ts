/**
 * Half a message, then silence; nothing at all; a byte now and then. All with the limits that a started Octet
 * has: the clock is moved instead of waiting.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DEFAULT_CACHE_OPTIONS, startCache } from '../../../src/cache/index.ts';
import { testHost } from '../../../src/core/testing/host.ts';
import { Peer } from '../../../src/core/testing/peer.ts';
import { DEFAULT_DNS_OPTIONS, startDns } from '../../../src/dns/index.ts';
import { type Attack, drip, run } from './attack.ts';
import {
  fatal,
  greeted,
  inTransaction,
  loggedIntoCache,
  loggedIntoPostgres,
  openedQueue,
  refusal,
} from './attacks.ts';
import {
  AMQP_HEADER,
  amqpFrame,
  amqpMethod,
  dnsQuestion,
  framed,
  httpRequest,
  postgresMessage,
  postgresStartup,
  shortString,
} from './bytes.ts';
import { type House, type Protocol, startHouse, type Target } from './house.ts';
import { heldBytes, MiB } from './memory.ts';

const SMTP_TIMEOUT = /^421 4\.4\.2 timeout, closing\r\n$/;
const HEARTBEATS = /^(\x08\x00{6}\xce)*$/;
/** connection.tune-ok with a heartbeat of 10 s, connection.open. */
const OPEN_WITH_HEARTBEAT = Buffer.concat([
  amqpMethod(0, 10, 31, Buffer.from([0x07, 0xff, 0, 2, 0, 0, 0, 10])),
  amqpMethod(0, 10, 40, Buffer.concat([shortString('/'), Buffer.from([0, 0])])),
]);

const SILENCES: Readonly<Record<Protocol, (target: Target) => readonly Attack[]>> = {
  dns: () => [
    {
      what: 'half a question',
      send: framed(dnsQuestion('www.bad.test')).subarray(0, 20),
      ends: { afterMs: 10_000 },
    },
  ],
  postgres: () => [
    { what: 'nothing at all', send: '', ends: { afterMs: 30_000 } },
    { what: 'half a startup packet', send: postgresStartup().subarray(0, 20), ends: { afterMs: 30_000 } },
    {
      what: 'half a query in a transaction',
      open: async (peer) => {
        await loggedIntoPostgres(peer);
        peer.send(postgresMessage('Q', 'BEGIN\0'));
        await peer.untilText('Z\0\0\0\x05T');
        peer.take();
      },
      send: postgresMessage('Q', 'SELECT 1\0').subarray(0, 8),
      reply: fatal('25P03'),
      ends: { afterMs: 300_000 },
    },
  ],
  resp: () => [
    { what: 'half a command', send: '*2\r\n$4\r\nAUTH\r\n$5\r\noct', ends: { afterMs: 60_000 } },
    {
      what: 'a little of a value announced as 512 MiB',
      open: loggedIntoCache,
      send: `*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870880\r\n${'x'.repeat(MiB)}`,
      ends: { afterMs: 60_000 },
    },
  ],
  amqp: () => [
    { what: 'nothing at all', send: '', ends: { afterMs: 10_000 } },
    { what: 'half a protocol header', send: AMQP_HEADER.slice(0, 5), ends: { afterMs: 10_000 } },
    {
      what: 'a header and no login',
      send: AMQP_HEADER,
      reply: /^\x01\x00\x00....\x00\x0a\x00\x0a.*\xce$/s,
      ends: { afterMs: 10_000 },
    },
    {
      what: 'half a frame where heartbeats were agreed',
      open: (peer) => openedQueue(peer, OPEN_WITH_HEARTBEAT),
      send: amqpFrame(1, 1, Buffer.alloc(1_000)).subarray(0, 500),
      reply: HEARTBEATS,
      ends: { afterMs: 20_000 },
    },
  ],
  smtp: () => [
    { what: 'nothing at all', open: greeted, send: '', reply: SMTP_TIMEOUT, ends: { afterMs: 300_000 } },
    {
      what: 'half a command',
      open: greeted,
      send: 'EHLO attacker',
      reply: SMTP_TIMEOUT,
      ends: { afterMs: 300_000 },
    },
    {
      what: 'half a message',
      open: inTransaction,
      send: 'Subject: a\r\n\r\nb\r\n.',
      reply: SMTP_TIMEOUT,
      ends: { afterMs: 180_000 },
    },
  ],
  http: ({ name, path, fields }) => [
    { what: 'nothing at all', send: '', ends: { afterMs: 30_000 } },
    {
      what: 'half a head',
      send: httpRequest(path, fields).slice(0, -2),
      reply: refusal(408),
      ends: { afterMs: 10_000 },
    },
    {
      what: 'nothing after an answer',
      send: httpRequest(path, fields),
      reply: /^HTTP\/1\.1 200 OK\r\n/,
      ends: { afterMs: name === 'objects' ? 60_000 : 75_000 },
    },
    ...(path === '/api/notes' ? [HALF_A_ROW] : []),
  ],
};

const HALF_A_ROW: Attack = {
  what: 'half the content',
  send: 'POST /api/notes HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"te',
  reply: /^HTTP\/1\.1 408 Request Timeout\r\n/,
  ends: { afterMs: 10_000 },
};

interface Drip extends Pick<Attack, 'open' | 'send'> {
  readonly afterMs: number;
  readonly reply: RegExp;
}

const DRIPS: Readonly<Record<Exclude<Protocol, 'smtp'>, Drip>> = {
  dns: { send: framed(dnsQuestion('www.bad.test')).toString('latin1'), afterMs: 10_000, reply: /^$/ },
  postgres: { send: postgresStartup().toString('latin1'), afterMs: 30_000, reply: /^$/ },
  resp: { send: '*2\r\n$4\r\nAUTH\r\n', afterMs: 60_000, reply: /^$/ },
  amqp: { send: AMQP_HEADER, afterMs: 10_000, reply: /^$/ },
  http: { send: 'GET / HTTP/1.1\r\n', afterMs: 10_000, reply: refusal(408) },
};

describe('silence', () => {
  let house: House;
  before(async () => {
    house = await startHouse();
  });
  after(() => house[Symbol.asyncDispose]());

  test('half a message, or nothing', async (context) => {
    for (const target of house.targets) {
      for (const attack of SILENCES[target.protocol](target)) {
        await context.test(`${target.name}: ${attack.what}`, () => run(house, target, attack));
      }
    }
  });

  test('a byte now and then', async (context) => {
    for (const target of house.targets) {
      // Each byte of a command counts for SMTP (RFC 5321 section 4.5.3.2); a bound on the whole session ends it.
      if (target.protocol === 'smtp') continue;
      const { afterMs, reply, ...attack } = DRIPS[target.protocol];
      await context.test(target.name, async () => {
        assert.match(await drip(house, target, { what: '', ends: 'closed', ...attack }, afterMs), reply);
      });
    }
  });

  test('a hundred unfinished messages are held in no more than they sent', async () => {
    const sent = 64 * 1024;
    const cache = house.target('cache');
    const before = await heldBytes();
    const peers = await Promise.all(Array.from({ length: 100 }, () => house.connect(cache)));
    for (const peer of peers) {
      await loggedIntoCache(peer);
      peer.send(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870880\r\n${'x'.repeat(sent)}`);
    }
    await cache.ask();
    await cache.ask();
    const held = (await heldBytes()) - before;
    for (const peer of peers) peer.close();
    assert.ok(held < 100 * sent * 2 + 4 * MiB, `${held} bytes held for ${100 * sent} sent`);
  });
});

describe('nothing at all, where the listener itself ends it', () => {
  test('dns', async () => {
    const host = testHost('dns');
    await using dns = await startDns(
      { ...DEFAULT_DNS_OPTIONS, port: 0, limits: { firstByteTimeoutMs: 50 } },
      host,
    );
    const peer = await Peer.connect(host.network, dns.endpoints['main']!);
    assert.equal((await peer.untilClosed()).length, 0);
  });

  test('cache', async () => {
    const host = testHost('cache');
    await using cache = await startCache({ ...DEFAULT_CACHE_OPTIONS, port: 0, firstByteTimeoutMs: 50 }, host);
    const peer = await Peer.connect(host.network, cache.endpoints['main']!);
    assert.equal((await peer.untilClosed()).length, 0);
  });
});
