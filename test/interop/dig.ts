import assert from 'node:assert/strict';
import { type Client, type InteropWorld, run, succeed } from './client.ts';

interface Answer {
  /** NOERROR, NXDOMAIN, … */
  readonly status: string;
  readonly flags: ReadonlySet<string>;
  /** Lines of each section, with one blank between fields. */
  readonly answer: readonly string[];
  readonly authority: readonly string[];
  readonly additional: readonly string[];
  readonly text: string;
}

/** Reads what dig prints for one question. */
function parse(text: string): Answer {
  const sections = new Map<string, string[]>();
  let current: string[] = [];
  for (const line of text.split('\n')) {
    const heading = /^;; (ANSWER|AUTHORITY|ADDITIONAL) SECTION:/.exec(line)?.[1];
    if (heading !== undefined) sections.set(heading, (current = []));
    else if (line !== '' && !line.startsWith(';')) current.push(line.replaceAll(/\s+/g, ' '));
  }
  return {
    status: /status: (\w+)/.exec(text)?.[1] ?? '',
    flags: new Set((/^;; flags: ([a-z ]+);/m.exec(text)?.[1] ?? '').split(' ')),
    answer: sections.get('ANSWER') ?? [],
    authority: sections.get('AUTHORITY') ?? [],
    additional: sections.get('ADDITIONAL') ?? [],
    text,
  };
}

async function ask(server: string | undefined, ...words: string[]): Promise<Answer> {
  const { hostname, port } = new URL(`dns://${server}`);
  return parse(await succeed('dig', [`@${hostname}`, '-p', port, '+tries=2', '+time=5', ...words]));
}

/** Time to live of the first record, seconds. */
function ttlOf({ answer, text }: Answer): number {
  assert.ok(answer[0] !== undefined, text);
  return Number(answer[0].split(' ')[1]);
}

const own = (world: InteropWorld, ...words: string[]): Promise<Answer> =>
  ask(world.env['DNS_SERVER'], ...words);

export const dig: Client = {
  name: 'dig',
  packages: ['bind9-dnsutils'],
  probe: ['dig', '-v'],
  services: ['dns'],
  checks: {
    'A record, authoritative': async (world) => {
      const reply = await own(world, 'web.interop.test', 'A');
      assert.equal(reply.status, 'NOERROR');
      assert.ok(reply.flags.has('aa'), reply.text);
      assert.deepEqual(reply.answer, ['web.interop.test. 300 IN A 192.0.2.80']);
    },
    'MX records with the addresses of the exchanges': async (world) => {
      const reply = await own(world, 'interop.test', 'MX');
      assert.deepEqual(reply.answer.toSorted(), [
        'interop.test. 300 IN MX 10 mx1.interop.test.',
        'interop.test. 300 IN MX 20 mx2.interop.test.',
      ]);
      assert.ok(reply.additional.includes('mx1.interop.test. 300 IN A 192.0.2.25'), reply.text);
    },
    'CNAME followed within the zone': async (world) => {
      const reply = await own(world, 'www.interop.test', 'AAAA');
      assert.deepEqual(reply.answer, [
        'www.interop.test. 300 IN CNAME web.interop.test.',
        'web.interop.test. 300 IN AAAA 2001:db8::80',
      ]);
    },
    'TXT, SRV and a wildcard': async (world) => {
      const text = await own(world, 'interop.test', 'TXT');
      assert.deepEqual(text.answer, ['interop.test. 300 IN TXT "v=spf1 -all" "a second string"']);
      const service = await own(world, '_sip._tcp.interop.test', 'SRV');
      assert.deepEqual(service.answer, ['_sip._tcp.interop.test. 300 IN SRV 5 10 5060 web.interop.test.']);
      const wildcard = await own(world, 'any.thing.wild.interop.test', 'A');
      assert.deepEqual(wildcard.answer, ['any.thing.wild.interop.test. 300 IN A 192.0.2.99']);
    },
    'names in any case, answered in the case of the question': async (world) => {
      const reply = await own(world, 'WeB.InTeRoP.tEsT', 'A');
      assert.match(reply.text, /^;WeB\.InTeRoP\.tEsT\./m);
      assert.equal(reply.answer.length, 1, reply.text);
    },
    'NXDOMAIN with the SOA that says for how long': async (world) => {
      const reply = await own(world, 'nothing.interop.test', 'A');
      assert.equal(reply.status, 'NXDOMAIN');
      assert.deepEqual(reply.answer, []);
      assert.equal(reply.authority.length, 1, reply.text);
      assert.match(reply.authority[0]!, /^interop\.test\. \d+ IN SOA ns1\.interop\.test\. /);
    },
    'no data: NOERROR with the SOA': async (world) => {
      const reply = await own(world, 'mx1.interop.test', 'AAAA');
      assert.equal(reply.status, 'NOERROR');
      assert.deepEqual(reply.answer, []);
      assert.match(reply.authority[0] ?? '', / IN SOA /);
    },
    'a delegation, with glue': async (world) => {
      const reply = await own(world, '+norecurse', 'host.sub.interop.test', 'A');
      assert.ok(!reply.flags.has('aa'), reply.text);
      assert.deepEqual(reply.authority, ['sub.interop.test. 300 IN NS ns.sub.interop.test.']);
      assert.ok(reply.additional.includes('ns.sub.interop.test. 300 IN A 192.0.2.53'), reply.text);
    },
    'the same over TCP, two questions on one connection': async (world) => {
      const { hostname, port } = new URL(`dns://${world.env['DNS_SERVER']}`);
      const words = ['web.interop.test', 'A', 'mx2.interop.test', 'AAAA', '+short'];
      const text = await succeed('dig', ['+tcp', '+keepopen', `@${hostname}`, '-p', port, ...words]);
      assert.deepEqual(text.trim().split('\n'), ['192.0.2.80', '2001:db8::25']);
    },
    'truncation without EDNS, and the retry over TCP': async (world) => {
      const cut = await own(world, '+noedns', '+ignore', 'many.interop.test', 'A');
      assert.ok(cut.flags.has('tc'), cut.text);
      assert.ok(Number(/MSG SIZE +rcvd: (\d+)/.exec(cut.text)?.[1]) <= 512, cut.text);
      const whole = await own(world, '+noedns', 'many.interop.test', 'A');
      assert.ok(!whole.flags.has('tc'), whole.text);
      assert.match(whole.text, /Truncated, retrying in TCP mode/);
      assert.equal(whole.answer.length, 60);
    },
    'EDNS: a larger answer over UDP, unknown versions refused': async (world) => {
      const reply = await own(world, '+bufsize=4096', '+ignore', '+notcp', 'many.interop.test', 'A');
      assert.match(reply.text, /; EDNS: version: 0/);
      assert.equal(reply.flags.has('tc') || reply.answer.length === 60, true, reply.text);
      const other = await own(world, '+edns=1', '+noednsnegotiation', 'web.interop.test', 'A');
      assert.equal(other.status, 'BADVERS');
    },
    'zone transfer refused': async (world) => {
      const { hostname, port } = new URL(`dns://${world.env['DNS_SERVER']}`);
      const { stdout } = await run('dig', [`@${hostname}`, '-p', port, 'interop.test', 'AXFR', '+time=5']);
      assert.match(stdout, /Transfer failed|status: (REFUSED|NOTIMP)/);
      assert.doesNotMatch(stdout, /192\.0\.2\.80/);
    },
    'recursion: another server is asked, and the second answer comes from the cache': async (world) => {
      const first = await own(world, 'far.upstream.test', 'A');
      assert.ok(first.flags.has('ra') && !first.flags.has('aa'), first.text);
      assert.match(first.answer[0] ?? '', /^far\.upstream\.test\. \d+ IN A 198\.51\.100\.7$/);
      // An answer that is kept grows older.
      for (let ttl = ttlOf(first); ttl === 300; ) ttl = ttlOf(await own(world, 'far.upstream.test', 'A'));
    },
    'recursion refused by a server that only serves its zones': async (world) => {
      const upstream = world.env['UPSTREAM_DNS_SERVER'];
      const served = await ask(upstream, 'far.upstream.test', 'A');
      assert.deepEqual(served.answer, ['far.upstream.test. 300 IN A 198.51.100.7']);
      const refused = await ask(upstream, 'web.interop.test', 'A');
      assert.equal(refused.status, 'REFUSED');
      assert.ok(!refused.flags.has('ra'), refused.text);
    },
    'answers a hundred questions of one batch': async (world) => {
      const { hostname, port } = new URL(`dns://${world.env['DNS_SERVER']}`);
      const questions = Array.from({ length: 100 }, (_, n) => `h${n}.wild.interop.test A\n`).join('');
      const options = { input: questions, env: {} };
      const text = await succeed('dig', [`@${hostname}`, '-p', port, '+short', '-f', '-'], options);
      assert.deepEqual(text, '192.0.2.99\n'.repeat(100));
    },
  },
};
