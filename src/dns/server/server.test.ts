/** The service over real sockets: what it answers, and what it survives. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoint, Network, UdpSocket } from '../../core/net/network.ts';
import { testHost } from '../../core/testing/host.ts';
import { Peer } from '../../core/testing/peer.ts';
import { createDnsClient, type DnsClient } from '../client/client.ts';
import { DnsError, ZoneError } from '../errors.ts';
import { CLASS, RCODE, TYPE } from '../wire/codes.ts';
import { extendedErrorsOf } from '../wire/edns.ts';
import { frame } from '../wire/framing.ts';
import { decodeMessage, encodeMessage, type Message, makeQuery } from '../wire/message.ts';
import { nameFromText } from '../wire/name.ts';
import { DEFAULT_DNS_OPTIONS, type DnsOptions } from './options.ts';
import { type Dns, startDns } from './server.ts';

const HEAD = '$TTL 60\n@ SOA ns mail 1 2h 15m 30d 5m\n@ NS ns\nns A 127.0.0.1\n';
const BIG = `big TXT ${Array.from({ length: 20 }, (_, at) => `"${String(at).padEnd(200, 'x')}"`).join(' ')}\n`;
const SPELLS = { origin: 'spells.test', text: `${HEAD}www A 192.0.2.1\naway CNAME www.guild.test.\n${BIG}` };
const GUILD = { origin: 'guild.test', text: `${HEAD}www A 192.0.2.2\n` };

type Changes = Partial<DnsOptions>;

async function start(
  changes: Changes = {},
): Promise<{ dns: Dns; host: ReturnType<typeof testHost>; client: DnsClient; at: Endpoint }> {
  const host = testHost('dns');
  const dns = await startDns(
    { ...DEFAULT_DNS_OPTIONS, port: 0, rootHints: [], zones: [SPELLS], ...changes },
    host,
  );
  const at = dns.endpoints['main'] as Endpoint;
  return { dns, host, at, client: createDnsClient({ ...host, server: at, timeoutMs: 2_000 }) };
}

function queryBytes(id: number, owner = 'www.spells.test.', type: number = TYPE.A): Buffer {
  const question = { name: nameFromText(owner), type, class: CLASS.IN };
  return encodeMessage(makeQuery(id, question, { recursionDesired: true }), { maxBytes: 512 });
}

function decoded(bytes: Buffer): Message {
  const result = decodeMessage(bytes);
  if (result.kind === 'malformed') assert.fail(result.problem);
  return result.message;
}

/** A UDP socket whose datagrams can be waited for. */
class Datagrams {
  readonly #arrived: { bytes: Buffer; from: Endpoint }[] = [];
  #wake: (() => void) | undefined;
  socket!: UdpSocket;

  static async open(network: Network): Promise<Datagrams> {
    const datagrams = new Datagrams();
    datagrams.socket = await network.udp({
      host: '127.0.0.1',
      port: 0,
      receive: (bytes, from) => {
        datagrams.#arrived.push({ bytes, from });
        datagrams.#wake?.();
      },
    });
    return datagrams;
  }

  async next(): Promise<{ bytes: Buffer; from: Endpoint }> {
    for (;;) {
      const first = this.#arrived.shift();
      if (first !== undefined) return first;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** The messages in what a TCP peer received. */
function framesIn(bytes: Buffer): Message[] {
  const messages: Message[] = [];
  for (let at = 0; at + 2 <= bytes.length; at += 2 + bytes.readUInt16BE(at)) {
    messages.push(decoded(bytes.subarray(at + 2, at + 2 + bytes.readUInt16BE(at))));
  }
  return messages;
}

const framesComplete =
  (count: number) =>
  (bytes: Buffer): boolean => {
    let at = 0;
    for (let seen = 0; seen < count; seen += 1) {
      if (at + 2 > bytes.length) return false;
      at += 2 + bytes.readUInt16BE(at);
    }
    return at <= bytes.length;
  };

// ── answering ─────────────────────────────────────────────────────────────────────────────────────────────

test('zones are answered over UDP and TCP on one port', async () => {
  const { dns, client } = await start();
  await using _ = dns;
  const reply = await client.query('www.spells.test', 'A');
  assert.deepEqual(
    [reply.transport, reply.message.authoritative, reply.message.recursionAvailable],
    ['udp', true, true],
  );
  assert.equal((await client.query('www.spells.test', 'A', { transport: 'tcp' })).message.answers.length, 1);
  assert.equal((await client.query('big.spells.test', 'TXT')).transport, 'tcp', 'too big for UDP');
  assert.deepEqual(await client.lookupAddress('www.spells.test'), ['192.0.2.1']);
  await assert.rejects(client.resolve('nope.spells.test', 'A'), { code: 'NXDOMAIN' });
});

test('each question leaves a span and is counted', async () => {
  const { dns, client, host } = await start();
  await using _ = dns;
  await client.query('WWW.spells.test', 'A');
  const [span] = host.observatory.spans();
  assert.deepEqual(
    [span?.operation, span?.outcome, span?.detail],
    ['A WWW.spells.test', 'NOERROR', 'udp, zone'],
  );
  const samples = host.observatory
    .samples()
    .filter(({ value }) => value > 0)
    .map(({ name }) => name);
  for (const name of [
    'octet_dns_queries_total',
    'octet_dns_responses_total',
    'octet_dns_authoritative_total',
  ]) {
    assert.ok(samples.includes(name), name);
  }
});

test('other names: REFUSED without recursion, or for a client that is not allowed', async () => {
  for (const changes of [{ recursion: false }, { allowRecursion: ['192.0.2.0/24'] }]) {
    const { dns, client } = await start(changes);
    await using _ = dns;
    const { message } = await client.query('example.com', 'A');
    assert.deepEqual([message.rcode, message.recursionAvailable], [RCODE.REFUSED, false]);
    assert.equal(extendedErrorsOf(message.edns).length, 1);
    const alias = await client.query('away.spells.test', 'A');
    assert.deepEqual(
      [alias.message.rcode, alias.message.answers.length],
      [RCODE.NOERROR, 1],
      'as far as our zone goes',
    );
  }
});

test('without RD the cache tells nothing', async () => {
  const { dns, client } = await start();
  await using _ = dns;
  const { message } = await client.query('example.com', 'A', { recursionDesired: false });
  assert.equal(message.rcode, RCODE.REFUSED);
});

test('a zone from a file; a new version from the next question on; a faulty one changes nothing', async () => {
  const host = testHost('dns');
  const write = async (text: string): Promise<void> => {
    const file = await host.files.open('/zone', 'open');
    await file.truncate(0);
    await file.write(0, Buffer.from(text));
    await file.close();
  };
  await write(SPELLS.text);
  const source = { origin: 'spells.test', path: '/zone' };
  await using dns = await startDns(
    { ...DEFAULT_DNS_OPTIONS, port: 0, recursion: false, zones: [source] },
    host,
  );
  const client = createDnsClient({ ...host, server: dns.endpoints['main'] as Endpoint });
  assert.deepEqual(await client.lookupAddress('www.spells.test'), ['192.0.2.1']);
  await write(`${HEAD}www A 192.0.2.9\n`);
  await dns.loadZone(source);
  assert.deepEqual(await client.lookupAddress('www.spells.test'), ['192.0.2.9']);
  await write(`${HEAD}www A 192.0.2\n`);
  await assert.rejects(
    dns.loadZone(source),
    (error) => error instanceof ZoneError && error.problems[0]?.line === 5,
  );
  assert.deepEqual(await client.lookupAddress('www.spells.test'), ['192.0.2.9']);
  assert.equal(dns.removeZone('spells.test'), true);
  await assert.rejects(client.resolve('www.spells.test', 'A'), { code: 'REFUSED' });
});

const FAULTY: readonly [what: string, changes: Changes, code: string][] = [
  ['a zone with a fault', { zones: [{ origin: 'x.test', text: 'rubbish' }] }, 'bad-zone'],
  ['a missing file', { zones: [{ origin: 'x.test', path: '/missing' }] }, 'bad-option'],
  ['an origin that is no name', { zones: [{ origin: 'x..test', text: '' }] }, 'bad-option'],
  ['a forwarder that is no address', { forward: { '.': ['localhost'] } }, 'bad-option'],
  ['a domain without forwarders', { forward: { '.': [] } }, 'bad-option'],
  ['a range that is none', { allowRecursion: ['127.0.0.1/64'] }, 'bad-option'],
];

for (const [what, changes, code] of FAULTY) {
  test(`no start with ${what}`, async () => {
    await assert.rejects(start(changes), (error) => error instanceof DnsError && error.code === code);
  });
}

test('a taken port is named, and nothing stays open', async () => {
  const { dns, at, host } = await start();
  await assert.rejects(start({ port: at.port }), { code: 'address-in-use' });
  await dns.close();
  const socket = await host.network.udp({ host: '127.0.0.1', port: at.port, receive: () => undefined });
  await socket.close();
});

// ── hostile clients ───────────────────────────────────────────────────────────────────────────────────────

test('UDP: garbage is dropped or answered with FORMERR, and the next question is answered', async () => {
  const { dns, at, host, client } = await start();
  await using _ = dns;
  const peer = await Datagrams.open(host.network);
  peer.socket.send(Buffer.alloc(0), at);
  peer.socket.send(Buffer.alloc(11, 0xff), at);
  peer.socket.send(Buffer.alloc(1_400, 0xff), at);
  peer.socket.send(Buffer.concat([queryBytes(1), Buffer.alloc(3)]), at);
  assert.equal(decoded((await peer.next()).bytes).rcode, RCODE.FORMERR);
  peer.socket.send(queryBytes(2), at);
  assert.equal(decoded((await peer.next()).bytes).id, 2);
  await peer.socket.close();
  assert.deepEqual(await client.lookupAddress('www.spells.test'), ['192.0.2.1']);
});

test('UDP: an answer is not answered', async () => {
  const { dns, at, host } = await start();
  await using _ = dns;
  const peer = await Datagrams.open(host.network);
  const answer = queryBytes(1);
  answer[2] = 0x80;
  peer.socket.send(answer, at);
  peer.socket.send(queryBytes(2), at);
  assert.equal(decoded((await peer.next()).bytes).id, 2);
  await peer.socket.close();
});

test('TCP: one octet at a time', async () => {
  const { dns, at, host } = await start();
  await using _ = dns;
  const peer = await Peer.connect(host.network, at);
  await peer.dribble(frame([queryBytes(7), queryBytes(8)]));
  const messages = framesIn(await peer.until(framesComplete(2)));
  assert.deepEqual(
    messages.map(({ id }) => id),
    [7, 8],
  );
  peer.close();
});

test('TCP: many questions at once, more than may be answered at once', async () => {
  const { dns, at, host } = await start({ limits: { maxPipelined: 4 } });
  await using _ = dns;
  const peer = await Peer.connect(host.network, at);
  peer.send(frame(Array.from({ length: 300 }, (_, id) => queryBytes(id))));
  const messages = framesIn(await peer.until(framesComplete(300)));
  assert.deepEqual(
    messages.map(({ id }) => id),
    Array.from({ length: 300 }, (_, id) => id),
  );
  peer.close();
});

test('TCP: an answer that takes time does not hold up the others', async () => {
  const silent = await Datagrams.open(testHost('peer').network);
  const { dns, at, host } = await start({
    forward: { '.': [`127.0.0.1:${silent.socket.endpoint.port}`] },
    limits: { initialTimeoutMs: 40, resolutionTimeoutMs: 60 },
  });
  await using _ = dns;
  const peer = await Peer.connect(host.network, at);
  peer.send(frame([queryBytes(1, 'slow.example.'), queryBytes(2)]));
  const messages = framesIn(await peer.until(framesComplete(2)));
  assert.deepEqual(
    messages.map(({ id, rcode }) => [id, rcode]),
    [
      [2, RCODE.NOERROR],
      [1, RCODE.SERVFAIL],
    ],
  );
  peer.close();
  await silent.socket.close();
});

for (const [what, bytes] of [
  ['nothing', Buffer.alloc(0)],
  ['half a length', Buffer.from([0])],
  ['half a message', frame([queryBytes(1)]).subarray(0, 20)],
  ['the length of a large message', Buffer.from([0xff, 0xff, 1, 2, 3])],
] as const) {
  test(`TCP: ${what}, then silence: closed`, async () => {
    const { dns, at, host } = await start({ limits: { firstByteTimeoutMs: 50, messageTimeoutMs: 50 } });
    await using _ = dns;
    const peer = await Peer.connect(host.network, at);
    peer.send(bytes);
    assert.equal((await peer.untilClosed()).length, 0);
  });
}

test('TCP: octets that trickle in do not keep a message open for ever', async () => {
  const { dns, at, host } = await start({ limits: { messageTimeoutMs: 60, idleTimeoutMs: 60_000 } });
  await using _ = dns;
  const peer = await Peer.connect(host.network, at);
  peer.send(Buffer.from([0xff, 0xff]));
  while (!peer.closed) {
    peer.send(Buffer.from([0]));
    await host.clock.sleep(5);
  }
});

test('TCP: idle after a question: closed', async () => {
  const { dns, at, host } = await start({ limits: { idleTimeoutMs: 50 } });
  await using _ = dns;
  const peer = await Peer.connect(host.network, at);
  peer.send(frame([queryBytes(1)]));
  assert.equal(framesIn(await peer.untilClosed()).length, 1);
});

test('TCP: garbage gets FORMERR and the connection goes on', async () => {
  const { dns, at, host } = await start();
  await using _ = dns;
  const peer = await Peer.connect(host.network, at);
  const garbage = Buffer.concat([queryBytes(3), Buffer.alloc(9)]);
  peer.send(frame([Buffer.alloc(0), Buffer.alloc(5), garbage, queryBytes(4)]));
  const messages = framesIn(await peer.until(framesComplete(2)));
  assert.deepEqual(
    messages.map(({ id, rcode }) => [id, rcode]),
    [
      [3, RCODE.FORMERR],
      [4, RCODE.NOERROR],
    ],
  );
  peer.close();
});

test('TCP: a client that never reads is not read from any more, and others are served', async () => {
  const { dns, at, host, client } = await start({ limits: { idleTimeoutMs: 0 } });
  await using _ = dns;
  const peer = await Peer.connect(host.network, at);
  peer.connection.pause();
  const questions = frame(
    Array.from({ length: 500 }, (_, id) => queryBytes(id, 'big.spells.test.', TYPE.TXT)),
  );
  const enoughBytes = 64 * 1024 * 1024;
  for (
    let sent = 0;
    sent < enoughBytes && peer.connection.bufferedBytes < 1024 * 1024;
    sent += questions.length
  ) {
    peer.connection.write(questions);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(
    peer.connection.bufferedBytes > 0,
    'the server took every question without its answers being read',
  );
  assert.equal(peer.closed, false);
  assert.deepEqual(await client.lookupAddress('www.spells.test'), ['192.0.2.1']);
  peer.close();
});

test('TCP: no more connections than allowed', async () => {
  const { dns, at, host, client } = await start({ limits: { maxConnections: 3 } });
  await using _ = dns;
  const peers: Peer[] = [];
  for (let count = 0; count < 3; count += 1) peers.push(await Peer.connect(host.network, at));
  const refused = await Peer.connect(host.network, at);
  await refused.untilClosed();
  assert.deepEqual(await client.lookupAddress('www.spells.test'), ['192.0.2.1'], 'UDP goes on');
  for (const peer of peers) peer.close();
});

// ── asking others ─────────────────────────────────────────────────────────────────────────────────────────

async function startPair(
  changes: Changes = {},
): Promise<{ upstream: Awaited<ReturnType<typeof start>>; resolver: Awaited<ReturnType<typeof start>> }> {
  const upstream = await start({ recursion: false, zones: [SPELLS, GUILD] });
  const server = `127.0.0.1:${upstream.at.port}`;
  const resolver = await start({
    zones: [],
    forward: { test: [server] },
    limits: { initialTimeoutMs: 50 },
    ...changes,
  });
  return { upstream, resolver };
}

test('forwarded by domain, cached, with TCP where the answer is too big for UDP', async () => {
  const { upstream, resolver } = await startPair();
  await using _ = upstream.dns;
  await using __ = resolver.dns;
  const { client } = resolver;
  const reply = await client.query('away.spells.test', 'A');
  assert.deepEqual(
    [reply.message.answers.length, reply.message.authoritative, reply.message.recursionAvailable],
    [2, false, true],
  );
  const [big] = await client.resolve('big.spells.test', 'TXT');
  assert.equal((big?.fields['strings'] as string[] | undefined)?.length, 20);
  await upstream.dns.close();
  assert.deepEqual(await client.lookupAddress('away.spells.test'), ['192.0.2.2'], 'from the cache');
  resolver.dns.flushCache();
  await assert.rejects(client.resolve('www.guild.test', 'A'), { code: 'SERVFAIL' });
});

test('the same question from many clients is asked once', async () => {
  const { upstream, resolver } = await startPair();
  await using _ = upstream.dns;
  await using __ = resolver.dns;
  const replies = await Promise.all(
    Array.from({ length: 40 }, () => resolver.client.query('www.spells.test', 'A')),
  );
  assert.ok(replies.every(({ message }) => message.answers.length === 1));
  assert.equal(upstream.host.observatory.spans().length, 1);
});

test('too many waiting for one answer: dropped; too many resolutions: SERVFAIL', async () => {
  const silent = await Datagrams.open(testHost('peer').network);
  const { dns, at, host } = await start({
    forward: { '.': [`127.0.0.1:${silent.socket.endpoint.port}`] },
    limits: { maxResolutions: 1, maxWaitersPerResolution: 2 },
  });
  const peer = await Datagrams.open(host.network);
  for (const id of [1, 2, 3]) peer.socket.send(queryBytes(id, 'a.example.'), at);
  peer.socket.send(queryBytes(4, 'b.example.'), at);
  const first = decoded((await peer.next()).bytes);
  assert.deepEqual([first.id, first.rcode], [4, RCODE.SERVFAIL]);
  await dns.close(0);
  const rest = [decoded((await peer.next()).bytes).id, decoded((await peer.next()).bytes).id];
  assert.deepEqual(rest.sort(), [1, 2], 'those that wait hear of the end');
  await peer.socket.close();
  await silent.socket.close();
});

test('forged answers come first and are not believed', async () => {
  const upstream = await Datagrams.open(testHost('peer').network);
  const elsewhere = await Datagrams.open(testHost('peer').network);
  const { dns, client, host } = await start({
    forward: { '.': [`127.0.0.1:${upstream.socket.endpoint.port}`] },
  });
  await using _ = dns;
  const pending = client.resolve('www.bank.test', 'A');
  const { bytes, from } = await upstream.next();
  const question = decoded(bytes);
  const { name } = question.questions[0] ?? assert.fail('no question');
  const record = (last: number): Message['answers'][0] => ({
    name,
    type: TYPE.A,
    class: CLASS.IN,
    ttlSeconds: 60,
    rdata: Buffer.from([192, 0, 2, last]),
  });
  const answer = (changes: Partial<Message>): Buffer =>
    encodeMessage(
      { ...question, response: true, recursionAvailable: true, answers: [record(66)], ...changes },
      { maxBytes: 512 },
    );
  const other = { name: nameFromText('www.bonk.test.'), type: TYPE.A, class: CLASS.IN };
  upstream.socket.send(answer({ id: question.id ^ 1 }), from);
  elsewhere.socket.send(answer({}), from);
  upstream.socket.send(answer({ questions: [other] }), from);
  upstream.socket.send(answer({ answers: [record(1)] }), from);
  assert.deepEqual(
    (await pending).map(({ data }) => data),
    ['192.0.2.1'],
  );
  const mismatches = host.observatory
    .samples()
    .find(({ name: metric }) => metric === 'octet_dns_upstream_mismatches_total');
  assert.equal(mismatches?.value, 3);
  await upstream.socket.close();
  await elsewhere.socket.close();
});

test('every question leaves from another port with another id', async () => {
  const upstream = await Datagrams.open(testHost('peer').network);
  const { dns, client } = await start({ forward: { '.': [`127.0.0.1:${upstream.socket.endpoint.port}`] } });
  await using _ = dns;
  const ports = new Set<number>();
  const ids = new Set<number>();
  for (let count = 0; count < 30; count += 1) {
    const pending = client.query(`n${count}.example`, 'A');
    const { bytes, from } = await upstream.next();
    ports.add(from.port);
    ids.add(bytes.readUInt16BE(0));
    const answer = Buffer.from(bytes);
    answer.writeUInt16BE(0x8183, 2);
    upstream.socket.send(answer, from);
    await pending;
  }
  assert.ok(ports.size > 27 && ids.size > 27, `${ports.size} ports, ${ids.size} ids`);
  await upstream.socket.close();
});

test('a server that answers rubbish, or closes the connection: SERVFAIL', async () => {
  const upstream = await Datagrams.open(testHost('peer').network);
  const { dns, client } = await start({ forward: { '.': [`127.0.0.1:${upstream.socket.endpoint.port}`] } });
  await using _ = dns;
  const rubbish = client.query('a.example', 'A');
  const first = await upstream.next();
  upstream.socket.send(
    Buffer.concat([first.bytes.subarray(0, 2), Buffer.from([0x81]), Buffer.alloc(30, 0xc0)]),
    first.from,
  );
  assert.equal((await rubbish).message.rcode, RCODE.SERVFAIL);
  const truncated = client.query('b.example', 'A');
  const second = await upstream.next();
  const answer = Buffer.from(second.bytes);
  answer.writeUInt16BE(0x8380, 2);
  upstream.socket.send(answer, second.from);
  const { message } = await truncated;
  assert.equal(message.rcode, RCODE.SERVFAIL, 'there is nobody on its TCP port');
  await upstream.socket.close();
});

test('we do not ask ourselves', async () => {
  const probe = await start();
  await probe.dns.close();
  const { dns, client } = await start({
    port: probe.at.port,
    forward: { '.': [`127.0.0.1:${probe.at.port}`] },
  });
  await using _ = dns;
  const { message } = await client.query('example.com', 'A');
  assert.equal(message.rcode, RCODE.SERVFAIL);
});

test('closing ends what is under way and leaves nothing open', async () => {
  const silent = await Datagrams.open(testHost('peer').network);
  const { dns, at, host } = await start({ forward: { '.': [`127.0.0.1:${silent.socket.endpoint.port}`] } });
  const peer = await Peer.connect(host.network, at);
  peer.send(frame([queryBytes(1, 'slow.example.')]));
  await silent.next();
  const closed = dns.close(0);
  const [message] = framesIn(await peer.untilClosed());
  assert.equal(message?.rcode, RCODE.SERVFAIL);
  await closed;
  assert.deepEqual(dns.health(), { state: 'failed', reason: 'closed' });
  await silent.socket.close();
});

test('a fault of ours costs one question its answer, and nobody else', async () => {
  const host = testHost('dns');
  let faults = 1;
  const observer = {
    ...host.observer,
    span(span: Parameters<typeof host.observer.span>[0]): void {
      if (faults-- > 0) throw new Error('planted');
      host.observer.span(span);
    },
  };
  await using dns = await startDns(
    { ...DEFAULT_DNS_OPTIONS, port: 0, zones: [SPELLS] },
    { ...host, observer },
  );
  const peer = await Peer.connect(host.network, dns.endpoints['main'] as Endpoint);
  peer.send(frame([queryBytes(1), queryBytes(2)]));
  const messages = framesIn(await peer.until(framesComplete(1)));
  assert.deepEqual(
    messages.map(({ id }) => id),
    [2],
  );
  peer.close();
});
