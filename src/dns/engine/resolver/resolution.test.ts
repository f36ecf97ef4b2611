/**
 * Resolutions against an internet made of zones in memory: a server is an address with zones, or a function. The
 * resolution asks, the internet answers, and what was asked is written down.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../../core/random/seeded-random.ts';
import { DEFAULT_DNS_LIMITS, type DnsLimits } from '../../limits.ts';
import { CLASS, RCODE, rcodeName, typeName, typeNumber } from '../../wire/codes.ts';
import { type Message, makeQuery } from '../../wire/message.ts';
import { canonical, type Name, nameFromText, nameToText } from '../../wire/name.ts';
import { rdataToText } from '../../wire/rdata/rdata.ts';
import type { ResourceRecord } from '../../wire/record.ts';
import type { Answer } from '../answer.ts';
import { answerFromZone } from '../authority.ts';
import { loadZone } from '../load-zone.ts';
import { type Zone, ZoneSet } from '../zone.ts';
import { parseZoneFile } from '../zone-file/parser.ts';
import { AnswerCache } from './cache.ts';
import { Delegations } from './delegations.ts';
import { type Ask, type Heard, Resolution, type ResolverState } from './resolution.ts';
import { ServerMemory } from './servers.ts';

type Server = ZoneSet | 'silent' | ((ask: Ask, ordinary: Message) => Message);

const name = (text: string): Name => nameFromText(text);
const APEX = '$TTL 1h\n@ SOA ns mail 1 2h 15m 30d 5m\n@ NS ns\nns A 192.0.2.250\n';

function zone(origin: string, text: string): Zone {
  return loadZone(name(origin), APEX + text, 20);
}

function zones(...all: Zone[]): ZoneSet {
  const set = new ZoneSet();
  for (const each of all) set.put(each);
  return set;
}

/** Records in zone file notation, names absolute. */
function records(text: string): ResourceRecord[] {
  const parsed = parseZoneFile(text, { origin: name('.'), defaultTtlSeconds: 3600, maxProblems: 1 });
  assert.deepEqual(parsed.problems, []);
  return parsed.records.map(({ offset: _, ...record }) => record);
}

function blank(ask: Ask, rcode: number = RCODE.NOERROR): Message {
  const question = { name: ask.name, type: ask.type, class: CLASS.IN };
  return { ...makeQuery(0, question, { recursionDesired: ask.recursionDesired }), response: true, rcode };
}

function ordinaryAnswer(set: ZoneSet, ask: Ask): Message {
  const found = set.find(ask.name, ask.type);
  if (found === undefined) return blank(ask, RCODE.REFUSED);
  const { rcode, authoritative, answers, authorities, additionals } = answerFromZone(
    found,
    ask.name,
    ask.type,
    11,
  );
  return { ...blank(ask, rcode), authoritative, answers, authorities, additionals };
}

interface InternetOptions {
  readonly servers: Readonly<Record<string, Server>>;
  readonly rootHints?: readonly string[];
  readonly forward?: Readonly<Record<string, string>>;
  readonly local?: ZoneSet;
  readonly limits?: Partial<DnsLimits>;
  readonly qnameMinimisation?: boolean;
}

class Internet {
  nowMs = 1_000;
  asked: string[] = [];
  readonly servers: Record<string, Server>;
  readonly state: ResolverState;

  constructor(options: InternetOptions) {
    const limits = { ...DEFAULT_DNS_LIMITS, ...options.limits };
    const random = new SeededRandom(1);
    const at = (address: string): { address: string; port: number } => ({ address, port: 53 });
    this.servers = { ...options.servers };
    this.state = {
      limits,
      random,
      cache: new AnswerCache(limits),
      delegations: new Delegations(limits.maxDelegations),
      servers: new ServerMemory(limits, random),
      forward: new Map(
        Object.entries(options.forward ?? {}).map(([domain, server]) => [
          canonical(name(domain)),
          [at(server)],
        ]),
      ),
      rootHints: (options.rootHints ?? []).map(at),
      upstreamPort: 53,
      qnameMinimisation: options.qnameMinimisation ?? false,
      answerLocally(asked, type) {
        const found = options.local?.find(asked, type);
        return found === undefined ? undefined : answerFromZone(found, asked, type, limits.maxCnameChain);
      },
      mayAsk: ({ address }) => address !== '0.0.0.0',
    };
  }

  /** Resolves `A spells.test`, and keeps in `asked` who was asked what. */
  resolve(question: string): Answer {
    const [type = '', owner = ''] = question.split(' ');
    this.asked = [];
    const steps = new Resolution(this.state, this.nowMs).answer(name(owner), typeNumber(type) ?? 0);
    let next = steps.next({ kind: 'timeout', nowMs: 0 });
    while (!next.done) next = steps.next(this.#answer(next.value));
    return next.value;
  }

  show(question: string): string {
    const { rcode, answers } = this.resolve(question);
    return [
      rcodeName(rcode),
      ...answers.map((record) => `${typeName(record.type)} ${rdataToText(record.type, record.rdata)}`),
    ].join(', ');
  }

  #answer(ask: Ask): Heard {
    const server = this.servers[ask.server.address];
    assert.ok(ask.timeoutMs > 0);
    this.asked.push(`${ask.server.address} ${typeName(ask.type)} ${nameToText(ask.name)}`);
    if (server === undefined || server === 'silent') {
      this.nowMs += ask.timeoutMs;
      return { kind: 'timeout', nowMs: this.nowMs };
    }
    this.nowMs += 10;
    const message = server instanceof ZoneSet ? ordinaryAnswer(server, ask) : server(ask, blank(ask));
    return { kind: 'answer', message, roundTripMs: 10, nowMs: this.nowMs };
  }
}

const ROOT_SERVER = '198.51.100.1';
const TEST_SERVER = '198.51.100.2';
const SPELLS_SERVER = '198.51.100.3';
const GUILD_SERVER = '198.51.100.4';

const rootZone = loadZone(
  name('.'),
  `$TTL 1d\n@ SOA a.root. b. 1 2 3 4 60\n@ NS a.root.\na.root. A ${ROOT_SERVER}\ntest. NS ns.test.\nns.test. A ${TEST_SERVER}\n`,
  20,
);
const testZone = zone(
  'test.',
  `spells 600 NS ns.spells\nns.spells A ${SPELLS_SERVER}\nguild NS ns.spells.test.\nglueless NS ns.guild.test.\n`,
);
const spellsZone = zone(
  'spells.test.',
  'www 60 A 192.0.2.1\nalias CNAME www\nfar CNAME hall.guild.test.\na.b.c.d A 192.0.2.2\n',
);
const guildZone = zone('guild.test.', `hall A 192.0.2.7\nns A ${GUILD_SERVER}\n`);
const gluelessZone = zone('glueless.test.', 'x A 192.0.2.8\n');

function ordinaryInternet(changes: Partial<InternetOptions> = {}): Internet {
  return new Internet({
    rootHints: [ROOT_SERVER],
    ...changes,
    servers: {
      [ROOT_SERVER]: zones(rootZone),
      [TEST_SERVER]: zones(testZone),
      [SPELLS_SERVER]: zones(spellsZone, guildZone),
      [GUILD_SERVER]: zones(gluelessZone),
      ...changes.servers,
    },
  });
}

// ── the ordinary way ──────────────────────────────────────────────────────────────────────────────────────

test('from the root down, and the second time from what was learnt', () => {
  const internet = ordinaryInternet();
  assert.equal(internet.show('A www.spells.test'), 'NOERROR, A 192.0.2.1');
  assert.deepEqual(internet.asked, [
    `${ROOT_SERVER} NS .`,
    `${ROOT_SERVER} A www.spells.test.`,
    `${TEST_SERVER} A www.spells.test.`,
    `${SPELLS_SERVER} A www.spells.test.`,
  ]);
  internet.resolve('A www.spells.test');
  assert.deepEqual(internet.asked, []);
  internet.resolve('TXT www.spells.test');
  assert.deepEqual(internet.asked, [`${SPELLS_SERVER} TXT www.spells.test.`]);
});

test('minimised: each server sees one label more than its zone', () => {
  const internet = ordinaryInternet({ qnameMinimisation: true });
  assert.equal(internet.show('A a.b.c.d.spells.test'), 'NOERROR, A 192.0.2.2');
  assert.deepEqual(internet.asked, [
    `${ROOT_SERVER} NS .`,
    `${ROOT_SERVER} A test.`,
    `${TEST_SERVER} A spells.test.`,
    `${SPELLS_SERVER} A d.spells.test.`,
    `${SPELLS_SERVER} A c.d.spells.test.`,
    `${SPELLS_SERVER} A b.c.d.spells.test.`,
    `${SPELLS_SERVER} A a.b.c.d.spells.test.`,
  ]);
});

test('minimised: a name of a hundred labels costs a bounded number of questions', () => {
  const internet = ordinaryInternet({ qnameMinimisation: true });
  internet.resolve(`A ${'x.'.repeat(100)}spells.test`);
  assert.ok(
    internet.asked.length <= 2 + DEFAULT_DNS_LIMITS.maxMinimisedSteps + 3,
    `${internet.asked.length} questions`,
  );
});

test('TTLs count down and end', () => {
  const internet = ordinaryInternet();
  internet.resolve('A www.spells.test');
  internet.nowMs += 20_000;
  assert.equal(internet.resolve('A www.spells.test').answers[0]?.ttlSeconds, 40);
  internet.nowMs += 40_000;
  internet.resolve('A www.spells.test');
  assert.deepEqual(internet.asked, [`${SPELLS_SERVER} A www.spells.test.`]);
});

test('aliases are followed, in one zone and into another', () => {
  const internet = ordinaryInternet();
  assert.equal(internet.show('A alias.spells.test'), 'NOERROR, CNAME www.spells.test., A 192.0.2.1');
  assert.equal(internet.show('A far.spells.test'), 'NOERROR, CNAME hall.guild.test., A 192.0.2.7');
});

test('a server without glue is looked up first', () => {
  const internet = ordinaryInternet();
  assert.equal(internet.show('A x.glueless.test'), 'NOERROR, A 192.0.2.8');
  assert.ok(internet.asked.includes(`${SPELLS_SERVER} A ns.guild.test.`));
});

test('what does not exist is remembered, with all that would be below it', () => {
  const internet = ordinaryInternet();
  const first = internet.resolve('A nope.spells.test');
  assert.deepEqual([first.rcode, first.authorities[0]?.ttlSeconds], [RCODE.NXDOMAIN, 300]);
  internet.nowMs += 100_000;
  const second = internet.resolve('MX x.y.nope.spells.test');
  assert.deepEqual(
    [second.rcode, second.authorities[0]?.ttlSeconds, internet.asked.length],
    [RCODE.NXDOMAIN, 200, 0],
  );
  internet.nowMs += 200_000;
  internet.resolve('A nope.spells.test');
  assert.equal(internet.asked.length, 1);
});

test('no data is remembered for its type alone', () => {
  const internet = ordinaryInternet();
  assert.equal(internet.show('MX www.spells.test'), 'NOERROR');
  internet.resolve('MX www.spells.test');
  assert.equal(internet.asked.length, 0);
  assert.equal(internet.show('A www.spells.test'), 'NOERROR, A 192.0.2.1');
});

test('ANY is answered with HINFO (RFC 8482), a missing name as missing', () => {
  const internet = ordinaryInternet();
  assert.equal(internet.show('ANY www.spells.test'), 'NOERROR, HINFO "RFC8482" ""');
  assert.equal(internet.show('ANY nope.spells.test'), 'NXDOMAIN');
});

// ── forwarding and zones of our own ───────────────────────────────────────────────────────────────────────

test('the forwarder of the longest domain is asked, with RD', () => {
  const internet = new Internet({
    forward: { '.': TEST_SERVER, 'spells.test': SPELLS_SERVER },
    servers: {
      [TEST_SERVER]: (ask, message) => ({
        ...message,
        recursionAvailable: true,
        answers: records(`${nameToText(ask.name)} A 192.0.2.66`),
      }),
      [SPELLS_SERVER]: zones(spellsZone),
    },
  });
  assert.equal(internet.show('A www.spells.test'), 'NOERROR, A 192.0.2.1');
  assert.equal(internet.show('A www.example.com'), 'NOERROR, A 192.0.2.66');
  assert.deepEqual(internet.asked, [`${TEST_SERVER} A www.example.com.`]);
});

test('without a forwarder and root hints: SERVFAIL with the reason', () => {
  const answer = new Internet({ servers: {} }).resolve('A www.example.com');
  assert.equal(answer.rcode, RCODE.SERVFAIL);
  assert.match(answer.extendedErrors?.[0]?.text ?? '', /no forwarder and no root hints/);
});

test('zones of our own come first, also at the end of an alias and above a delegation', () => {
  const local = zones(
    zone(
      'guild.test.',
      `hall A 192.0.2.77\nout CNAME www.spells.test.\nsub NS ns.sub\nns.sub A ${GUILD_SERVER}\nend CNAME nowhere\n`,
    ),
  );
  const internet = ordinaryInternet({
    local,
    servers: { [GUILD_SERVER]: zones(zone('sub.guild.test.', 'x A 192.0.2.78\n')) },
  });
  assert.equal(internet.show('A far.spells.test'), 'NOERROR, CNAME hall.guild.test., A 192.0.2.77');
  assert.equal(internet.show('A out.guild.test'), 'NOERROR, CNAME www.spells.test., A 192.0.2.1');
  assert.equal(internet.show('A x.sub.guild.test'), 'NOERROR, A 192.0.2.78');
  assert.equal(internet.show('A end.guild.test'), 'NXDOMAIN, CNAME nowhere.guild.test.');
});

test('a missing name above a forwarded domain says nothing about it', () => {
  const internet = ordinaryInternet({
    forward: { 'a.corp': SPELLS_SERVER },
    servers: { [SPELLS_SERVER]: zones(zone('a.corp.', 'x A 192.0.2.9\n')) },
  });
  assert.equal(internet.show('A corp'), 'NXDOMAIN');
  assert.equal(internet.show('A x.a.corp'), 'NOERROR, A 192.0.2.9');
});

// ── servers that fail ─────────────────────────────────────────────────────────────────────────────────────

const TWO_SERVERS = loadZone(
  name('.'),
  `$TTL 1d\n@ SOA a. b. 1 2 3 4 60\n@ NS a.root.\na.root. A ${ROOT_SERVER}\nspells.test. NS ns1.spells.test.\nspells.test. NS ns2.spells.test.\nns1.spells.test. A 203.0.113.1\nns2.spells.test. A 203.0.113.2\n`,
  20,
);

const failing =
  (rcode: number): Server =>
  (ask) =>
    blank(ask, rcode);
const USELESS: readonly [what: string, server: Server][] = [
  ['is silent', 'silent'],
  ['refuses', failing(RCODE.REFUSED)],
  ['fails', failing(RCODE.SERVFAIL)],
  ['does not know the opcode', failing(RCODE.NOTIMP)],
  [
    'refers upwards',
    (_, message) => ({
      ...message,
      authorities: records('. NS a.root.'),
      additionals: records('a.root. A 203.0.113.66'),
    }),
  ],
  [
    'refers to itself',
    (_, message) => ({ ...message, authorities: records('spells.test. NS ns1.spells.test.') }),
  ],
  [
    'refers sideways',
    (_, message) => ({ ...message, authorities: records('guild.test. NS ns1.spells.test.') }),
  ],
  ['says nothing', (_, message) => message],
];

for (const [what, server] of USELESS) {
  test(`a server that ${what}: the next one is asked`, () => {
    const internet = new Internet({
      rootHints: [ROOT_SERVER],
      servers: { [ROOT_SERVER]: zones(TWO_SERVERS), '203.0.113.1': server, '203.0.113.2': zones(spellsZone) },
    });
    // Whichever of the two is first: ask until the useless one was.
    for (let at = 0; at < 20; at += 1) {
      internet.state.cache.clear();
      internet.state.servers.clear();
      assert.equal(internet.show('A www.spells.test'), 'NOERROR, A 192.0.2.1');
      if (internet.asked.some((line) => line.startsWith('203.0.113.1 '))) return;
    }
    assert.fail('the useless server was never asked');
  });
}

test('all silent: SERVFAIL naming the server, remembered for a second, then longer', () => {
  const internet = ordinaryInternet({ servers: { [SPELLS_SERVER]: 'silent' } });
  const answer = internet.resolve('A www.spells.test');
  assert.equal(answer.rcode, RCODE.SERVFAIL);
  assert.match(
    answer.extendedErrors?.[0]?.text ?? '',
    new RegExp(`servers of spells\\.test\\.: ${SPELLS_SERVER.replaceAll('.', '\\.')} does not answer`),
  );
  const asksAfter = (seconds: number): boolean => {
    internet.nowMs += seconds * 1000;
    internet.resolve('A www.spells.test');
    return internet.asked.length > 0;
  };
  assert.equal(asksAfter(0.9), false);
  assert.equal(asksAfter(0.2), true);
  assert.equal(asksAfter(1.5), false);
  assert.equal(asksAfter(0.6), true);
});

test('an uplink that comes back is used at once', () => {
  const internet = ordinaryInternet({ servers: { [SPELLS_SERVER]: 'silent' } });
  internet.resolve('A www.spells.test');
  internet.servers[SPELLS_SERVER] = zones(spellsZone);
  internet.nowMs += 1_001;
  assert.equal(internet.show('A www.spells.test'), 'NOERROR, A 192.0.2.1');
});

test('a resolution ends in its time, however many servers are silent', () => {
  const text = Array.from(
    { length: 16 },
    (_, at) => `spells NS n${at}.spells\nn${at}.spells A 203.0.113.${at}\n`,
  ).join('');
  const internet = ordinaryInternet({ servers: { [TEST_SERVER]: zones(zone('test.', text)) } });
  const begun = internet.nowMs;
  assert.equal(internet.show('A www.spells.test'), 'SERVFAIL');
  assert.ok(internet.nowMs - begun <= DEFAULT_DNS_LIMITS.resolutionTimeoutMs);
});

test('a server upset by EDNS is asked without, and stays so', () => {
  const edns: boolean[] = [];
  const internet = ordinaryInternet({
    servers: {
      [SPELLS_SERVER]: (ask) => {
        edns.push(ask.edns);
        return ask.edns ? blank(ask, RCODE.FORMERR) : ordinaryAnswer(zones(spellsZone), ask);
      },
    },
  });
  assert.equal(internet.show('A www.spells.test'), 'NOERROR, A 192.0.2.1');
  assert.equal(internet.show('MX www.spells.test'), 'NOERROR');
  assert.deepEqual(edns, [true, false, false]);
});

test('addresses that lead nowhere are not asked', () => {
  const internet = ordinaryInternet({
    servers: { [TEST_SERVER]: zones(zone('test.', 'spells NS ns.spells\nns.spells A 0.0.0.0\n')) },
  });
  assert.equal(internet.show('A www.spells.test'), 'SERVFAIL');
  assert.ok(!internet.asked.some((line) => line.startsWith('0.0.0.0')));
});

// ── attacks ───────────────────────────────────────────────────────────────────────────────────────────────

const BANK = zone('bank.test.', '@ A 192.0.2.10\nwww A 192.0.2.10\n');

/** `spells.test` belongs to a villain who adds `extra` to honest answers; `bank.test` has an honest server. */
function villainousInternet(extra: (message: Message) => Partial<Message>): Internet {
  const honest = zones(spellsZone);
  return ordinaryInternet({
    servers: {
      [TEST_SERVER]: zones(
        zone(
          'test.',
          `spells NS ns.spells\nns.spells A ${SPELLS_SERVER}\nbank NS ns.bank\nns.bank A ${GUILD_SERVER}\n`,
        ),
      ),
      [SPELLS_SERVER]: (ask) => {
        const message = ordinaryAnswer(honest, ask);
        return { ...message, ...extra(message) };
      },
      [GUILD_SERVER]: zones(BANK),
    },
  });
}

const evil = records('www.bank.test. 86400 A 203.0.113.66');
const POISON: readonly [what: string, extra: (message: Message) => Partial<Message>][] = [
  ['an extra answer', ({ answers }) => ({ answers: [...answers, ...evil] })],
  ['an extra answer in front', ({ answers }) => ({ answers: [...evil, ...answers] })],
  ['an extra authority', ({ authorities }) => ({ authorities: [...authorities, ...evil] })],
  ['an extra additional', ({ additionals }) => ({ additionals: [...additionals, ...evil] })],
  [
    'name servers of another zone',
    () => ({
      authorities: records('bank.test. NS ns.evil.test.'),
      additionals: records('ns.evil.test. A 203.0.113.66'),
    }),
  ],
  [
    'name servers of the parent',
    () => ({
      authorities: records('test. NS ns.evil.test.'),
      additionals: records('ns.evil.test. A 203.0.113.66'),
    }),
  ],
  [
    'glue for a server of others',
    () => ({ authorities: records('spells.test. NS www.bank.test.'), additionals: evil }),
  ],
  [
    'a referral to a zone of others',
    () => ({
      answers: [],
      authoritative: false,
      authorities: records('bank.test. NS www.bank.test.'),
      additionals: evil,
    }),
  ],
  ['an SOA of another zone', () => ({ answers: [], authorities: records('bank.test. SOA a. b. 1 2 3 4 5') })],
  [
    'an alias to others with their data',
    ({ questions }) => ({
      answers: [...records(`${nameToText(questions[0]?.name ?? name('.'))} CNAME www.bank.test.`), ...evil],
    }),
  ],
  [
    'that the bank does not exist',
    ({ questions }) => ({
      rcode: RCODE.NXDOMAIN,
      answers: records(`${nameToText(questions[0]?.name ?? name('.'))} CNAME www.bank.test.`),
      authorities: records('bank.test. SOA a. b. 1 2 3 4 5'),
    }),
  ],
];

for (const [what, extra] of POISON) {
  test(`poison: ${what}`, () => {
    const internet = villainousInternet(extra);
    internet.resolve('A www.spells.test');
    internet.resolve('A nope.spells.test');
    assert.equal(internet.show('A www.bank.test'), 'NOERROR, A 192.0.2.10');
    assert.ok(!internet.asked.some((line) => line.startsWith('203.0.113.66')));
  });
}

test('poison: glue for a server of others is not even used to reach it', () => {
  const internet = villainousInternet(() => ({
    rcode: RCODE.NOERROR,
    answers: [],
    authoritative: false,
    authorities: records('sub.spells.test. NS www.bank.test.'),
    additionals: evil,
  }));
  internet.resolve('A x.sub.spells.test');
  assert.ok(internet.asked.includes(`${GUILD_SERVER} A www.bank.test.`));
  assert.ok(!internet.asked.some((line) => line.startsWith('203.0.113.66')), internet.asked.join(', '));
});

test('poison: a forwarder is not believed about names that others are asked about (MaginotDNS)', () => {
  const forwarder: Server = (ask, message) => ({
    ...message,
    recursionAvailable: true,
    answers: records(`${nameToText(ask.name)} CNAME www.bank.test.\nwww.bank.test. A 203.0.113.66`),
  });
  const internet = new Internet({
    forward: { '.': TEST_SERVER, 'bank.test': GUILD_SERVER },
    servers: { [TEST_SERVER]: forwarder, [GUILD_SERVER]: zones(BANK) },
  });
  assert.equal(internet.show('A trap.example'), 'NOERROR, CNAME www.bank.test., A 192.0.2.10');
  const owner = new Internet({
    forward: { '.': TEST_SERVER },
    local: zones(BANK),
    servers: { [TEST_SERVER]: forwarder },
  });
  assert.equal(owner.show('A trap.example'), 'NOERROR, CNAME www.bank.test., A 192.0.2.10');
});

test('ghost domain: a child cannot lengthen what its parent said', () => {
  const internet = ordinaryInternet({
    servers: {
      [SPELLS_SERVER]: (ask) => ({
        ...ordinaryAnswer(zones(spellsZone), ask),
        authorities: records('spells.test. 86400 NS ns.spells.test.'),
        additionals: records(`ns.spells.test. 86400 A ${SPELLS_SERVER}`),
      }),
    },
  });
  internet.resolve('A www.spells.test');
  for (let seconds = 0; seconds < 600; seconds += 100) {
    internet.nowMs += 99_000;
    internet.resolve('A www.spells.test');
    internet.resolve('NS spells.test');
  }
  // The parent gave 600 s; by now it has taken the zone away.
  internet.servers[TEST_SERVER] = zones(zone('test.', ''));
  internet.nowMs += 61_000;
  assert.equal(internet.show('A www.spells.test'), 'NXDOMAIN');
});

test('NXNSAttack: a delegation to hundreds of missing servers costs a bounded number of questions', () => {
  const servers = Array.from({ length: 300 }, (_, at) => `n${at}.victim.test.`);
  const internet = ordinaryInternet({
    servers: {
      [TEST_SERVER]: zones(
        zone(
          'test.',
          `spells NS ns.spells\nns.spells A ${SPELLS_SERVER}\nvictim NS ns.victim\nns.victim A ${GUILD_SERVER}\n`,
        ),
      ),
      [SPELLS_SERVER]: (_, message) => ({
        ...message,
        authorities: records(servers.map((server) => `evil.spells.test. NS ${server}`).join('\n')),
      }),
      [GUILD_SERVER]: zones(zone('victim.test.', '')),
    },
  });
  assert.equal(internet.show('A x.evil.spells.test'), 'SERVFAIL');
  const atVictim = internet.asked.filter((line) => line.startsWith(GUILD_SERVER));
  assert.ok(
    atVictim.length <= 2 * DEFAULT_DNS_LIMITS.maxGlueLookups,
    `${atVictim.length} questions at the victim`,
  );
});

test('TsuNAME: two zones whose servers are named in each other', () => {
  const internet = ordinaryInternet({
    servers: { [TEST_SERVER]: zones(zone('test.', 'one NS ns.two.test.\ntwo NS ns.one.test.\n')) },
  });
  assert.equal(internet.show('A www.one.test'), 'SERVFAIL');
  assert.deepEqual(internet.asked.slice(2), [
    `${TEST_SERVER} A www.one.test.`,
    `${TEST_SERVER} A ns.two.test.`,
  ]);
});

/** Every name server is named in yet another zone. */
function bottomlessInternet(limits: Partial<DnsLimits>): Internet {
  let number = 0;
  return ordinaryInternet({
    limits,
    servers: {
      [TEST_SERVER]: (ask, message) => {
        number += 1;
        const label = nameToText(ask.name).split('.').at(-3) ?? '';
        return {
          ...message,
          authorities: records(
            `${label}.test. NS ns.z${number}.test.\n${label}.test. NS ns.y${number}.test.`,
          ),
        };
      },
    },
  });
}

test('servers named in ever deeper zones: bounded in depth', () => {
  const shallow = bottomlessInternet({ maxLookupDepth: 2 });
  assert.equal(shallow.show('A www.deep.test'), 'SERVFAIL');
  const deeper = bottomlessInternet({ maxLookupDepth: 4 });
  assert.equal(deeper.show('A www.deep.test'), 'SERVFAIL');
  assert.ok(shallow.asked.length < deeper.asked.length);
  assert.ok(deeper.asked.length < 40, `${deeper.asked.length} questions`);
});

test('servers named in ever deeper zones: bounded in number', () => {
  const internet = bottomlessInternet({ maxLookupDepth: 1_000, maxUpstreamQueries: 25 });
  assert.match(
    internet.resolve('A www.deep.test').extendedErrors?.[0]?.text ?? '',
    /gave up after 25 questions/,
  );
  assert.equal(internet.asked.length, 25);
});

test('referrals that never end', () => {
  const internet = ordinaryInternet({
    servers: {
      [TEST_SERVER]: (ask, message) => {
        const labels = nameToText(ask.name)
          .split('.')
          .filter((part) => part !== '');
        const depth = (internet.asked.filter((line) => line.startsWith(TEST_SERVER)).length % 100) + 1;
        const cut = `${labels.slice(-1 - depth).join('.')}.`;
        return {
          ...message,
          authorities: records(`${cut} NS ns.test.`),
          additionals: records(`ns.test. A ${TEST_SERVER}`),
        };
      },
    },
  });
  assert.equal(internet.show(`A ${'x.'.repeat(60)}test`), 'SERVFAIL');
  assert.ok(
    internet.asked.length <= DEFAULT_DNS_LIMITS.maxReferrals + 3,
    `${internet.asked.length} questions`,
  );
});

test('a chain of aliases that never ends', () => {
  let number = 0;
  const internet = ordinaryInternet({
    servers: {
      [SPELLS_SERVER]: (ask, message) => {
        number += 1;
        return {
          ...message,
          authoritative: true,
          answers: records(`${nameToText(ask.name)} CNAME a${number}.spells.test.`),
        };
      },
    },
  });
  assert.equal(internet.show('A www.spells.test'), 'SERVFAIL');
  assert.ok(internet.asked.length <= DEFAULT_DNS_LIMITS.maxCnameChain + 4);
});

test('an alias to itself, and a ring of three', () => {
  const internet = ordinaryInternet({
    servers: {
      [SPELLS_SERVER]: zones(zone('spells.test.', 'self CNAME self\na CNAME b\nb CNAME c\nc CNAME a\n')),
    },
  });
  assert.equal(internet.resolve('A self.spells.test').rcode, RCODE.SERVFAIL);
  assert.equal(internet.resolve('A a.spells.test').rcode, RCODE.SERVFAIL);
  assert.ok(internet.asked.length <= DEFAULT_DNS_LIMITS.maxCnameChain + 4);
});

test('an answer of another class is no answer', () => {
  const internet = ordinaryInternet({
    servers: {
      [SPELLS_SERVER]: (_, message) => ({
        ...message,
        authoritative: true,
        answers: records('www.spells.test. A 192.0.2.1').map((record) => ({ ...record, class: CLASS.CH })),
      }),
    },
  });
  assert.equal(internet.show('A www.spells.test'), 'NOERROR');
});

test('random names below one zone fill no more of the cache than its bound', () => {
  const internet = ordinaryInternet({ limits: { maxCacheEntries: 50 } });
  for (let at = 0; at < 500; at += 1) internet.resolve(`A r${at}.spells.test`);
  assert.ok(internet.state.cache.entries <= 50);
});
