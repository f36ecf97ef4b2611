/**
 * The DNS service with clients that are not ours: the stub resolver inside Node (c-ares) always, dig where it is
 * installed.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { Endpoint } from '../../src/core/net/network.ts';
import { testHost } from '../../src/core/testing/host.ts';
import { DEFAULT_DNS_OPTIONS, type Dns, startDns } from '../../src/dns/index.ts';

const run = promisify(execFile);
const SPELLS = `
$TTL 5m
@        SOA ns1 hostmaster.spells.test. ( 2026112301 2h 15m 30d 5m )
         NS ns1
         MX 10 mail
         TXT "v=spf1 -all" "second; string"
         CAA 0 issue "ca.test"
ns1      A 127.0.0.1
mail     A 192.0.2.25
         AAAA 2001:db8::25
www      CNAME web
web      A 192.0.2.80
         A 192.0.2.81
*.dev    A 192.0.2.90
_imap._tcp SRV 5 10 143 mail
_sip     NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:a@b!" .
away     CNAME hall.guild.test.
big      TXT ${Array.from({ length: 30 }, (_, at) => `"${String(at).padEnd(150, '.')}"`).join(' ')}
`;
const GUILD = '$TTL 60\n@ SOA ns h 1 2 3 4 5\n NS ns\nns A 127.0.0.1\nhall A 192.0.2.70\n';
const REVERSE =
  '$TTL 60\n@ SOA ns.spells.test. h 1 2 3 4 5\n NS ns.elsewhere.test.\n80 PTR web.spells.test.\n';

/** A resolver for clients, which forwards to an authoritative server. */
async function startBoth(): Promise<{ resolver: Dns; authority: Dns } & AsyncDisposable> {
  const authority = await startDns(
    {
      ...DEFAULT_DNS_OPTIONS,
      port: 0,
      recursion: false,
      zones: [
        { origin: 'spells.test', text: SPELLS },
        { origin: 'guild.test', text: GUILD },
        { origin: '2.0.192.in-addr.arpa', text: REVERSE },
      ],
    },
    testHost('dns'),
  );
  const forward = { '.': [address(authority)] };
  const resolver = await startDns(
    { ...DEFAULT_DNS_OPTIONS, port: 0, rootHints: [], forward },
    testHost('dns'),
  );
  return {
    resolver,
    authority,
    async [Symbol.asyncDispose]() {
      await Promise.all([resolver.close(), authority.close()]);
    },
  };
}

function address(dns: Dns): string {
  const { address: host, port } = dns.endpoints['main'] as Endpoint;
  return `${host}:${port}`;
}

for (const which of ['authority', 'resolver'] as const) {
  test(`Node's stub resolver asks the ${which}`, async () => {
    await using both = await startBoth();
    const stub = new Resolver({ timeout: 2_000, tries: 2 });
    stub.setServers([address(both[which])]);
    assert.deepEqual((await stub.resolve4('www.spells.test')).sort(), ['192.0.2.80', '192.0.2.81']);
    assert.deepEqual(await stub.resolve6('mail.spells.test'), ['2001:db8::25']);
    assert.deepEqual(await stub.resolve4('any.thing.dev.spells.test'), ['192.0.2.90']);
    const [mail] = await stub.resolveMx('spells.test');
    assert.deepEqual([mail?.priority, mail?.exchange], [10, 'mail.spells.test']);
    assert.deepEqual(await stub.resolveTxt('spells.test'), [['v=spf1 -all', 'second; string']]);
    assert.deepEqual(await stub.resolveNs('spells.test'), ['ns1.spells.test']);
    assert.deepEqual(await stub.resolveCname('www.spells.test'), ['web.spells.test']);
    const [service] = await stub.resolveSrv('_imap._tcp.spells.test');
    assert.deepEqual([service?.name, service?.port], ['mail.spells.test', 143]);
    const [pointer] = await stub.resolveNaptr('_sip.spells.test');
    assert.equal(pointer?.regexp, '!^.*$!sip:a@b!');
    assert.equal((await stub.resolveSoa('spells.test')).serial, 2026112301);
    assert.equal((await stub.resolveCaa('spells.test'))[0]?.issue, 'ca.test');
    assert.deepEqual(await stub.reverse('192.0.2.80'), ['web.spells.test']);
    assert.equal((await stub.resolveTxt('big.spells.test'))[0]?.length, 30, 'over TCP');
    await assert.rejects(stub.resolve4('nope.spells.test'), { code: 'ENOTFOUND' });
    await assert.rejects(stub.resolve4('spells.test'), { code: 'ENODATA' });
  });
}

test('an alias into another zone: followed by the resolver, left to the client by the authority', async () => {
  await using both = await startBoth();
  const stub = new Resolver({ timeout: 2_000, tries: 2 });
  stub.setServers([address(both.resolver)]);
  assert.deepEqual(await stub.resolve4('away.spells.test'), ['192.0.2.70']);
});

/** Only Linux answers on every address of 127.0.0.0/8 without being told to. */
const loopbacks = process.platform === 'linux';

test('from the root down, over real sockets', {
  skip: loopbacks ? false : 'needs 127.0.0.2 to 127.0.0.4',
}, async () => {
  const head = '$TTL 60\n@ SOA a. b. 1 2 3 4 5\n';
  const start = (host: string, port: number, origin: string, text: string): Promise<Dns> =>
    startDns(
      { ...DEFAULT_DNS_OPTIONS, host, port, recursion: false, zones: [{ origin, text: head + text }] },
      testHost('dns'),
    );
  await using root = await start(
    '127.0.0.2',
    0,
    '.',
    '@ NS a.root.\na.root. A 127.0.0.2\ntest. NS ns.test.\nns.test. A 127.0.0.3\n',
  );
  const { port } = root.endpoints['main'] as Endpoint;
  await using top = await start(
    '127.0.0.3',
    port,
    'test',
    '@ NS ns\nns A 127.0.0.3\nspells NS ns.spells\nns.spells A 127.0.0.4\n',
  );
  await using leaf = await start(
    '127.0.0.4',
    port,
    'spells.test',
    '@ NS ns\nns A 127.0.0.4\nwww A 192.0.2.1\n',
  );
  const hints = { rootHints: [`127.0.0.2:${port}`], upstreamPort: port };
  await using resolver = await startDns({ ...DEFAULT_DNS_OPTIONS, port: 0, ...hints }, testHost('dns'));
  const stub = new Resolver({ timeout: 2_000, tries: 1 });
  stub.setServers([address(resolver)]);
  assert.deepEqual(await stub.resolve4('www.spells.test'), ['192.0.2.1']);
  await Promise.all([top.close(), root.close()]);
  await assert.rejects(stub.resolve4('nope.spells.test'), { code: 'ENOTFOUND' });
  await leaf.close();
  assert.deepEqual(await stub.resolve4('www.spells.test'), ['192.0.2.1'], 'from the cache');
});

const dig = await run('dig', ['-v']).then(
  () => true,
  () => false,
);

async function digs(dns: Dns, ...words: string[]): Promise<string> {
  const { port } = dns.endpoints['main'] as Endpoint;
  const { stdout } = await run('dig', ['@127.0.0.1', '-p', String(port), '+tries=1', '+time=2', ...words]);
  return stdout;
}

/** RFC 8906 section 8: legal questions that careless servers drop. Each must be answered, and as expected. */
const PROBES: readonly [words: string[], expected: RegExp[], unexpected?: RegExp][] = [
  [
    ['+noedns', '+noad', '+norec', 'spells.test', 'SOA'],
    [/status: NOERROR/, /flags: qr aa;/, /SOA\tns1/],
  ],
  [
    ['+noedns', '+noad', '+norec', 'spells.test', 'TYPE1000'],
    [/status: NOERROR/, /flags: qr aa;/, /ANSWER: 0/],
  ],
  [['+noedns', '+noad', '+norec', '+opcode=15', '+header-only'], [/status: NOTIMP/]],
  [
    ['+noedns', '+ad', '+norec', 'spells.test', 'SOA'],
    [/status: NOERROR/, /flags: qr aa;/],
  ],
  [
    ['+noedns', '+noad', '+norec', '+cd', 'spells.test', 'SOA'],
    [/status: NOERROR/, /flags: qr aa cd;/],
  ],
  [
    ['+noedns', '+noad', '+norec', '+zflag', 'spells.test', 'SOA'],
    [/status: NOERROR/, /flags: qr aa;/],
    /MBZ/,
  ],
  [
    ['+noedns', '+noad', '+norec', '+tcp', 'spells.test', 'SOA'],
    [/status: NOERROR/, /\(TCP\)/],
  ],
  [
    ['+edns=0', '+nocookie', '+norec', 'spells.test', 'SOA'],
    [/status: NOERROR/, /EDNS: version: 0/],
  ],
  [
    ['+edns=1', '+noednsneg', '+nocookie', '+norec', 'spells.test', 'SOA'],
    [/status: BADVERS/, /EDNS: version: 0/],
    /SOA\tns1/,
  ],
  [
    ['+edns=0', '+ednsopt=100', '+nocookie', '+norec', 'spells.test', 'SOA'],
    [/status: NOERROR/, /EDNS: version: 0/],
    /OPT=100/,
  ],
  [['+edns=0', '+ednsflags=0x40', '+nocookie', '+norec', 'spells.test', 'SOA'], [/status: NOERROR/], /MBZ/],
  [
    ['+edns=0', '+dnssec', '+nocookie', '+norec', 'spells.test', 'SOA'],
    [/status: NOERROR/, /flags: do/],
  ],
  [
    ['+edns=1', '+noednsneg', '+ednsopt=100', '+nocookie', '+norec', 'spells.test', 'SOA'],
    [/status: BADVERS/],
  ],
  [
    ['+edns=0', '+bufsize=512', '+dnssec', '+ignore', '+nocookie', '+norec', 'big.spells.test', 'TXT'],
    [/status: NOERROR/, /flags: qr aa tc;/],
  ],
  [
    ['+edns=0', '+cookie', '+norec', 'spells.test', 'SOA'],
    [/status: NOERROR/, /EDNS: version: 0/],
  ],
];

for (const [words, expected, unexpected] of PROBES) {
  test(`dig ${words.join(' ')}`, { skip: dig ? false : 'dig is not installed' }, async () => {
    await using both = await startBoth();
    const text = await digs(both.authority, ...words);
    for (const pattern of expected) assert.match(text, pattern);
    if (unexpected !== undefined) assert.doesNotMatch(text, unexpected);
  });
}

test('dig: truncated over UDP, whole over TCP; malformed nowhere', {
  skip: dig ? false : 'dig is not installed',
}, async () => {
  await using both = await startBoth();
  for (const dns of [both.authority, both.resolver]) {
    for (const words of [
      ['+short'],
      ['+short', '+tcp'],
      ['+short', '+bufsize=4096'],
      ['+short', '+noedns'],
    ]) {
      const text = await digs(dns, ...words, 'big.spells.test', 'TXT');
      assert.equal(text.match(/"/g)?.length, 60, words.join(' '));
    }
    const all = await digs(dns, 'spells.test', 'MX', 'www.spells.test', 'A', '-x', '192.0.2.80');
    assert.doesNotMatch(all, /malformed|WARNING: (?!recursion)/i);
    assert.match(all, /PTR\tweb\.spells\.test\./);
  }
});

test('dig: the resolver says why it failed', { skip: dig ? false : 'dig is not installed' }, async () => {
  await using both = await startBoth();
  const text = await digs(both.resolver, 'example.com', 'A');
  assert.match(text, /status: SERVFAIL/);
  assert.match(text, /EDE: 22 \(No Reachable Authority\): \(servers of \.: 127\.0\.0\.1 answers REFUSED\)/);
});
