/** The client against a scripted server, and what it prints. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoint } from '../../core/net/network.ts';
import { createSimulatedNetwork } from '../../core/net/simulated-network.ts';
import { SeededRandom } from '../../core/random/seeded-random.ts';
import { SimulatedClock } from '../../core/time/simulated-clock.ts';
import { DnsError } from '../errors.ts';
import { CLASS, RCODE, TYPE } from '../wire/codes.ts';
import { extendedErrorOption } from '../wire/edns.ts';
import { decodeMessage, encodeMessage, type Message } from '../wire/message.ts';
import { nameFromText } from '../wire/name.ts';
import { createDnsClient, type DnsClient, type DnsReply } from './client.ts';
import { formatDig, formatShort, reverseName } from './dig.ts';

type Script = (query: Message, number: number) => Partial<Message> | undefined;

/** A client on a simulated clock and network; `script` says what the server answers, nothing for silence. */
async function scripted(
  script: Script,
): Promise<{ client: DnsClient; clock: SimulatedClock; asked: () => number }> {
  const clock = new SimulatedClock();
  const network = createSimulatedNetwork({ clock });
  let asked = 0;
  const socket = await network.udp({
    host: '127.0.0.1',
    port: 5353,
    receive(bytes, from: Endpoint) {
      const result = decodeMessage(bytes);
      if (result.kind === 'malformed') assert.fail(result.problem);
      asked += 1;
      const reply = script(result.message, asked);
      if (reply === undefined) return;
      socket.send(encodeMessage({ ...result.message, response: true, ...reply }, { maxBytes: 1232 }), from);
    },
  });
  const server = { address: '127.0.0.1', port: 5353 };
  return {
    client: createDnsClient({ network, clock, random: new SeededRandom(3), server }),
    clock,
    asked: () => asked,
  };
}

const record = (owner: string, type: number, rdata: Buffer): Message['answers'][0] => ({
  name: nameFromText(owner),
  type,
  class: CLASS.IN,
  ttlSeconds: 60,
  rdata,
});
const address = record('www.test.', TYPE.A, Buffer.from([192, 0, 2, 1]));

test('records of the type asked, aliases left out', async () => {
  const alias = record('alias.test.', TYPE.CNAME, Buffer.from(nameFromText('www.test.'), 'latin1'));
  const { client } = await scripted(() => ({ answers: [alias, address] }));
  assert.deepEqual(await client.resolve('alias.test', 'a'), [
    { name: 'www.test.', type: 'A', ttlSeconds: 60, data: '192.0.2.1', fields: { address: '192.0.2.1' } },
  ]);
});

test('an address is its own answer', async () => {
  const { client, asked } = await scripted(() => ({}));
  assert.deepEqual(await client.lookupAddress('192.0.2.7'), ['192.0.2.7']);
  assert.deepEqual(await client.lookupAddress('2001:db8::1'), ['2001:db8::1']);
  assert.equal(asked(), 0);
});

test('a host with an IPv6 address only; a host with none', async () => {
  const ipv6 = record('www.test.', TYPE.AAAA, Buffer.alloc(16, 1));
  const { client } = await scripted(({ questions: [question] }) =>
    question?.type === TYPE.AAAA ? { answers: [ipv6] } : {},
  );
  assert.deepEqual(await client.lookupAddress('www.test'), ['101:101:101:101:101:101:101:101']);
  const nothing = await scripted(() => ({}));
  await assert.rejects(nothing.client.lookupAddress('www.test'), { code: 'NXDOMAIN' });
});

for (const [rcode, code, retryable] of [
  [RCODE.NXDOMAIN, 'NXDOMAIN', false],
  [RCODE.SERVFAIL, 'SERVFAIL', true],
  [RCODE.REFUSED, 'REFUSED', false],
  [RCODE.YXDOMAIN, 'RCODE', false],
] as const) {
  test(`rcode ${rcode} is the error ${code}, with the server's reason`, async () => {
    const edns = {
      udpBytes: 1232,
      version: 0,
      dnssecOk: false,
      options: [extendedErrorOption({ infoCode: 18, text: 'because' })],
    };
    const { client } = await scripted(() => ({ rcode, edns }));
    await assert.rejects(client.resolve('www.test', 'A'), (error) => {
      assert.ok(error instanceof DnsError);
      assert.deepEqual([error.code, error.retryable, error.fault], [code, retryable, 'remote']);
      assert.match(error.message, /^A www\.test\.: .*\(because\)$/);
      return true;
    });
  });
}

test('a lost datagram is sent again; a silent server is a timeout', async () => {
  const { client, clock, asked } = await scripted((_, number) =>
    number < 3 ? undefined : { answers: [address] },
  );
  const pending = client.resolve('www.test', 'A');
  const advance = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(2_000);
  };
  await advance();
  await advance();
  assert.equal((await pending).length, 1);
  assert.equal(asked(), 3);
  const silent = await scripted(() => undefined);
  const failing = assert.rejects(silent.client.resolve('www.test', 'A'), {
    code: 'timeout',
    retryable: true,
  });
  for (let attempt = 0; attempt < 3; attempt += 1) {
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    await silent.clock.advance(2_000);
  }
  await failing;
  assert.equal(silent.asked(), 3);
});

test('what is not a name or a type is refused before anything is sent', async () => {
  const { client, asked } = await scripted(() => ({}));
  await assert.rejects(client.resolve('a..b', 'A'), { code: 'bad-text' });
  await assert.rejects(client.resolve('a.b', 'NOPE'), { code: 'bad-text' });
  assert.equal(asked(), 0);
});

test('a server is named by its address, in whatever form', async () => {
  const { network, clock, random } = {
    network: createSimulatedNetwork({ clock: new SimulatedClock() }),
    clock: new SimulatedClock(),
    random: new SeededRandom(1),
  };
  assert.throws(
    () => createDnsClient({ network, clock, random, server: { address: 'localhost', port: 53 } }),
    { code: 'bad-option' },
  );
  createDnsClient({ network, clock, random, server: { address: '0:0::1', port: 53 } });
});

test('printed as dig prints', () => {
  const question = { name: nameFromText('www.test.'), type: TYPE.A, class: CLASS.IN };
  const message: Message = {
    id: 4711,
    response: true,
    opcode: 0,
    authoritative: true,
    truncated: false,
    recursionDesired: true,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: false,
    rcode: 0,
    questions: [question],
    answers: [address],
    authorities: [],
    additionals: [],
    edns: {
      udpBytes: 1232,
      version: 0,
      dnssecOk: false,
      options: [extendedErrorOption({ infoCode: 22, text: 'nobody' })],
    },
  };
  const reply: DnsReply = {
    message,
    server: { address: '127.0.0.1', port: 5353 },
    transport: 'udp',
    bytes: 70,
    receivedAtMs: Date.UTC(2026, 10, 23),
    durationMs: 1.6,
  };
  assert.equal(
    formatDig(reply),
    [
      ';; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 4711',
      ';; flags: qr aa rd; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1',
      ';; WARNING: recursion requested but not available',
      '',
      ';; OPT PSEUDOSECTION:',
      '; EDNS: version: 0, flags:; udp: 1232',
      '; EDE: 22 (No Reachable Authority): (nobody)',
      ';; QUESTION SECTION:',
      ';www.test.\t\tIN\tA',
      '',
      ';; ANSWER SECTION:',
      'www.test.\t60\tIN\tA\t192.0.2.1',
      '',
      ';; Query time: 2 msec',
      ';; SERVER: 127.0.0.1#5353 (UDP)',
      ';; WHEN: 2026-11-23T00:00:00.000Z',
      ';; MSG SIZE  rcvd: 70',
      '',
    ].join('\n'),
  );
  assert.equal(formatShort(reply), '192.0.2.1\n');
});

test('the name of an address', () => {
  assert.equal(reverseName('192.0.2.1'), '1.2.0.192.in-addr.arpa.');
  assert.equal(reverseName('2001:db8::1'), `1.${'0.'.repeat(23)}8.b.d.0.1.0.0.2.ip6.arpa.`);
  assert.equal(reverseName('www.test'), undefined);
});
