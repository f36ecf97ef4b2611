/** What a zone answers. Each case is a question and the whole of the answer, in dig's notation. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rcodeName, typeNumber } from '../wire/codes.ts';
import { nameFromText, nameToText } from '../wire/name.ts';
import { rdataToText } from '../wire/rdata/rdata.ts';
import type { ResourceRecord } from '../wire/record.ts';
import { answerFromZone } from './authority.ts';
import { loadZone } from './load-zone.ts';
import { ZoneSet } from './zone.ts';

const ZONE = `
$TTL 1h
@        SOA ns1 hostmaster 1 2h 15m 30d 5m
         NS ns1
         NS ns.elsewhere.test.
         MX 10 mail
ns1      A 192.0.2.1
mail     A 192.0.2.2
         AAAA 2001:db8::2
www      CNAME web
web      A 192.0.2.3
WEB      A 192.0.2.4
away     CNAME www.elsewhere.test.
toaway   CNAME away
dangling CNAME nothing
loop     CNAME loop2
loop2    CNAME loop
_sip._udp SRV 0 0 5060 mail
*.wild   A 192.0.2.5
         TXT "wild"
a.wild   TXT "not wild"
x.ent.wild TXT "below"
*.alias  CNAME web
*        MX 5 mail
guild    NS ns.guild
         NS ns2.sibling
         NS ns.elsewhere.test.
         DS 1 8 2 00ff
ns.guild A 192.0.2.6
deep.guild TXT "hidden"
ns2.sibling A 192.0.2.7
old      DNAME new
new      TXT "no longer here"
x.new    A 192.0.2.8
gone     DNAME elsewhere.test.
big      DNAME ${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.spells.test.
any      A 192.0.2.9
any      TXT "a longer one"
`;
const ORIGIN = nameFromText('spells.test.');
const zone = loadZone(ORIGIN, ZONE, 20);
const SOA = 'spells.test. 300 SOA ns1.spells.test. hostmaster.spells.test. 1 7200 900 2592000 300';

const line = ({ name, type, ttlSeconds, rdata }: ResourceRecord): string =>
  `${nameToText(name)} ${ttlSeconds} ${Object.entries({ 1: 'A', 2: 'NS', 5: 'CNAME', 6: 'SOA', 15: 'MX', 16: 'TXT', 28: 'AAAA', 33: 'SRV', 39: 'DNAME', 43: 'DS' }).find(([number]) => Number(number) === type)?.[1]} ${rdataToText(type, rdata)}`;

interface Expected {
  readonly rcode?: string;
  /** Default: authoritative. */
  readonly aa?: boolean;
  readonly answers?: string[];
  readonly authorities?: string[];
  readonly additionals?: string[];
  readonly required?: number;
}

const CASES: readonly [question: string, expected: Expected][] = [
  ['web A', { answers: ['web.spells.test. 3600 A 192.0.2.3', 'WEB.spells.test. 3600 A 192.0.2.4'] }],
  [
    '@ MX',
    {
      answers: ['spells.test. 3600 MX 10 mail.spells.test.'],
      additionals: ['mail.spells.test. 3600 A 192.0.2.2', 'mail.spells.test. 3600 AAAA 2001:db8::2'],
    },
  ],
  [
    '@ NS',
    {
      answers: ['spells.test. 3600 NS ns1.spells.test.', 'spells.test. 3600 NS ns.elsewhere.test.'],
      additionals: ['ns1.spells.test. 3600 A 192.0.2.1'],
    },
  ],
  [
    '_sip._udp SRV',
    {
      answers: ['_sip._udp.spells.test. 3600 SRV 0 0 5060 mail.spells.test.'],
      additionals: ['mail.spells.test. 3600 A 192.0.2.2', 'mail.spells.test. 3600 AAAA 2001:db8::2'],
    },
  ],
  // Aliases.
  [
    'www A',
    {
      answers: [
        'www.spells.test. 3600 CNAME web.spells.test.',
        'web.spells.test. 3600 A 192.0.2.3',
        'WEB.spells.test. 3600 A 192.0.2.4',
      ],
    },
  ],
  ['www CNAME', { answers: ['www.spells.test. 3600 CNAME web.spells.test.'] }],
  ['www TXT', { answers: ['www.spells.test. 3600 CNAME web.spells.test.'], authorities: [SOA] }],
  ['www ANY', { answers: ['www.spells.test. 3600 CNAME web.spells.test.'] }],
  [
    'toaway A',
    {
      answers: [
        'toaway.spells.test. 3600 CNAME away.spells.test.',
        'away.spells.test. 3600 CNAME www.elsewhere.test.',
      ],
    },
  ],
  ['dangling A', { answers: ['dangling.spells.test. 3600 CNAME nothing.spells.test.'], authorities: [SOA] }],
  [
    'loop A',
    {
      answers: [
        'loop.spells.test. 3600 CNAME loop2.spells.test.',
        'loop2.spells.test. 3600 CNAME loop.spells.test.',
      ],
    },
  ],
  // Names without data.
  ['web TXT', { authorities: [SOA] }],
  ['_udp A', { authorities: [SOA] }],
  ['ent.wild A', { authorities: [SOA] }],
  ['wild A', { authorities: [SOA] }],
  // Wildcards: RFC 4592 section 2.2.1.
  ['b.wild A', { answers: ['b.wild.spells.test. 3600 A 192.0.2.5'] }],
  ['C.b.wild A', { answers: ['C.b.wild.spells.test. 3600 A 192.0.2.5'] }],
  ['b.wild AAAA', { authorities: [SOA] }],
  ['a.wild A', { authorities: [SOA] }],
  ['y.a.wild A', { rcode: 'NXDOMAIN', authorities: [SOA] }],
  ['y.ent.wild A', { rcode: 'NXDOMAIN', authorities: [SOA] }],
  ['*.wild A', { answers: ['*.wild.spells.test. 3600 A 192.0.2.5'] }],
  ['y.*.wild A', { rcode: 'NXDOMAIN', authorities: [SOA] }],
  [
    'z.alias A',
    {
      answers: [
        'z.alias.spells.test. 3600 CNAME web.spells.test.',
        'web.spells.test. 3600 A 192.0.2.3',
        'WEB.spells.test. 3600 A 192.0.2.4',
      ],
    },
  ],
  [
    'unknown MX',
    {
      answers: ['unknown.spells.test. 3600 MX 5 mail.spells.test.'],
      additionals: ['mail.spells.test. 3600 A 192.0.2.2', 'mail.spells.test. 3600 AAAA 2001:db8::2'],
    },
  ],
  // Delegation.
  ...['guild A', 'guild NS', 'x.guild A', 'deep.guild TXT', 'ns.guild A'].map(
    (question): [string, Expected] => [
      question,
      {
        aa: false,
        authorities: [
          'guild.spells.test. 3600 NS ns.guild.spells.test.',
          'guild.spells.test. 3600 NS ns2.sibling.spells.test.',
          'guild.spells.test. 3600 NS ns.elsewhere.test.',
        ],
        additionals: ['ns.guild.spells.test. 3600 A 192.0.2.6', 'ns2.sibling.spells.test. 3600 A 192.0.2.7'],
        required: 1,
      },
    ],
  ),
  ['guild DS', { answers: ['guild.spells.test. 3600 DS 1 8 2 00FF'] }],
  // DNAME.
  [
    'x.old A',
    {
      answers: [
        'old.spells.test. 3600 DNAME new.spells.test.',
        'x.old.spells.test. 3600 CNAME x.new.spells.test.',
        'x.new.spells.test. 3600 A 192.0.2.8',
      ],
    },
  ],
  [
    'y.old A',
    {
      rcode: 'NXDOMAIN',
      answers: [
        'old.spells.test. 3600 DNAME new.spells.test.',
        'y.old.spells.test. 3600 CNAME y.new.spells.test.',
      ],
      authorities: [SOA],
    },
  ],
  ['old A', { authorities: [SOA] }],
  ['old DNAME', { answers: ['old.spells.test. 3600 DNAME new.spells.test.'] }],
  [
    'x.gone A',
    {
      answers: [
        'gone.spells.test. 3600 DNAME elsewhere.test.',
        'x.gone.spells.test. 3600 CNAME x.elsewhere.test.',
      ],
    },
  ],
  // ANY.
  ['any ANY', { answers: ['any.spells.test. 3600 A 192.0.2.9'] }],
  ['_udp ANY', { authorities: [SOA] }],
];

for (const [question, expected] of CASES) {
  test(question, () => {
    const [owner = '', type = ''] = question.split(' ');
    const answer = answerFromZone(zone, nameFromText(owner, ORIGIN), typeNumber(type) ?? 0, 11);
    assert.deepEqual(
      {
        rcode: rcodeName(answer.rcode),
        aa: answer.authoritative,
        answers: answer.answers.map(line),
        authorities: answer.authorities.map(line),
        additionals: answer.additionals.map(line),
        required: answer.requiredAdditionals ?? 0,
      },
      { rcode: 'NOERROR', aa: true, answers: [], authorities: [], additionals: [], required: 0, ...expected },
    );
  });
}

test('a name that becomes too long by DNAME: YXDOMAIN', () => {
  const owner = nameFromText(`${'x'.repeat(60)}.big`, ORIGIN);
  assert.equal(rcodeName(answerFromZone(zone, owner, 1, 11).rcode), 'YXDOMAIN');
});

test('names are found in any case', () => {
  assert.equal(answerFromZone(zone, nameFromText('wEb.SPELLS.test.'), 1, 11).answers.length, 2);
});

test('the zone with the longest origin answers; for DS its parent', () => {
  const child = loadZone(nameFromText('sub.spells.test.'), '$TTL 1\n@ SOA a. b. 1 2 3 4 5\n@ NS a.', 20);
  const zones = new ZoneSet();
  zones.put(zone);
  zones.put(child);
  assert.equal(zones.find(nameFromText('x.SUB.spells.test.'), 1), child);
  assert.equal(zones.find(nameFromText('sub.spells.test.'), 1), child);
  assert.equal(zones.find(nameFromText('sub.spells.test.'), 43), zone);
  assert.equal(zones.find(nameFromText('spells.test.'), 43), zone);
  assert.equal(zones.find(nameFromText('notspells.test.'), 1), undefined);
  zones.remove(nameFromText('SUB.spells.test.'));
  assert.equal(zones.find(nameFromText('x.sub.spells.test.'), 1), zone);
});
