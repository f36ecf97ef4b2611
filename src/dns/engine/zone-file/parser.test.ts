import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nameFromText } from '../../wire/name.ts';
import { recordToText } from '../../wire/record.ts';
import { type ParsedZoneFile, parseZoneFile } from './parser.ts';

const ORIGIN = nameFromText('spells.test.');
const parse = (text: string): ParsedZoneFile => parseZoneFile(text, { origin: ORIGIN, maxProblems: 20 });

const RECORDS: readonly [what: string, text: string, expected: string[]][] = [
  [
    'TTL and class in either order',
    'a 1 IN A 192.0.2.1\nb IN 2 A 192.0.2.1\nc 3 A 192.0.2.1',
    ['a.spells.test. 1 IN A 192.0.2.1', 'b.spells.test. 2 IN A 192.0.2.1', 'c.spells.test. 3 IN A 192.0.2.1'],
  ],
  [
    'no TTL: that of the record before',
    'a 5 A 192.0.2.1\nb A 192.0.2.2',
    ['a.spells.test. 5 IN A 192.0.2.1', 'b.spells.test. 5 IN A 192.0.2.2'],
  ],
  [
    'no TTL: $TTL counts more',
    '$TTL 9\na 5 A 192.0.2.1\nb A 192.0.2.2',
    ['a.spells.test. 5 IN A 192.0.2.1', 'b.spells.test. 9 IN A 192.0.2.2'],
  ],
  [
    'no TTL at all: the minimum of the SOA',
    '@ SOA a. b. 1 2 3 4 55',
    ['spells.test. 55 IN SOA a. b. 1 2 3 4 55'],
  ],
  ['units of time', '$TTL 1w2d3h4m5s\n@ NS a.', ['spells.test. 788645 IN NS a.']],
  [
    'a line that begins with a blank',
    'a 1 A 192.0.2.1\n\tA 192.0.2.2\n  AAAA ::1',
    ['a.spells.test. 1 IN A 192.0.2.1', 'a.spells.test. 1 IN A 192.0.2.2', 'a.spells.test. 1 IN AAAA ::1'],
  ],
  [
    '$ORIGIN',
    '$TTL 1\n$ORIGIN sub\na A 192.0.2.1\n$ORIGIN other.test.\n@ A 192.0.2.2',
    ['a.sub.spells.test. 1 IN A 192.0.2.1', 'other.test. 1 IN A 192.0.2.2'],
  ],
  [
    'parentheses',
    '$TTL 1\na ( A\n 192.0.2.1 ; here\n )\n@ SOA a. b. (1 2\n3 4 5)',
    ['a.spells.test. 1 IN A 192.0.2.1', 'spells.test. 1 IN SOA a. b. 1 2 3 4 5'],
  ],
  [
    'comments and empty lines',
    '; one\n\n  ; two\n$TTL 1 ; three\na A 192.0.2.1;four',
    ['a.spells.test. 1 IN A 192.0.2.1'],
  ],
  ['texts', '$TTL 1\na TXT "x; y" z\\;w "\\"" "\\\\"', ['a.spells.test. 1 IN TXT "x; y" "z;w" "\\"" "\\\\"']],
  ['a text in UTF-8 keeps its octets', '$TTL 1\na TXT "ä"', ['a.spells.test. 1 IN TXT "\\195\\164"']],
  [
    'a type as a name of a host',
    '$TTL 1\nmx A 192.0.2.1\ntxt MX 1 mx',
    ['mx.spells.test. 1 IN A 192.0.2.1', 'txt.spells.test. 1 IN MX 1 mx.spells.test.'],
  ],
  [
    'types without a name',
    '$TTL 1\na TYPE731 \\# 2 ABCD\na TYPE1 192.0.2.1\na A \\# 4 C0000201',
    [
      'a.spells.test. 1 IN TYPE731 \\# 2 ABCD',
      'a.spells.test. 1 IN A 192.0.2.1',
      'a.spells.test. 1 IN A 192.0.2.1',
    ],
  ],
  ['lines that end as on Windows', '$TTL 1\r\na A 192.0.2.1\r\n', ['a.spells.test. 1 IN A 192.0.2.1']],
  ['case is kept', '$TTL 1\nWww in a 192.0.2.1', ['Www.spells.test. 1 IN A 192.0.2.1']],
  ['nothing', '', []],
];

for (const [what, text, expected] of RECORDS) {
  test(`records: ${what}`, () => {
    const { records, problems } = parse(text);
    assert.deepEqual(problems, []);
    assert.deepEqual(
      records.map((record) => recordToText(record).replaceAll('\t', ' ')),
      expected,
    );
  });
}

const FAULTS: readonly [what: string, text: string, line: number, column: number, message: RegExp][] = [
  ['unknown type', 'a 1 A 192.0.2.1\nb 1 FOO x', 2, 5, /unknown record type FOO/],
  ['no type', '$TTL 1\nb 1 IN', 2, 5, /no type/],
  ['wrong address', '$TTL 1\nb  A  192.0.2.999', 2, 7, /not an IPv4 address: 192.0.2.999/],
  ['too many words', '$TTL 1\nb A 192.0.2.1 192.0.2.2', 2, 15, /unexpected after the data of A: 192.0.2.2/],
  ['too few words', '$TTL 1\nb MX 10', 2, 6, /exchange is missing/],
  ['no owner', '\tA 192.0.2.1', 1, 2, /no owner/],
  ['no TTL', 'a A 192.0.2.1', 1, 1, /no TTL/],
  ['another class', 'a 1 CH TXT x', 1, 5, /class CH is not supported/],
  ['a column in characters', '$TTL 1\na TXT "äöü" (', 2, 13, /never closed/],
  ['an odd character in a name', '$TTL 1\na,b A 192.0.2.1', 2, 1, /must be written as/],
  ['a label too long', `$TTL 1\n${'a'.repeat(64)} A 192.0.2.1`, 2, 1, /longer than 63/],
  ['$INCLUDE', '$INCLUDE other.zone', 1, 1, /\$INCLUDE is not supported/],
  ['$GENERATE', '$GENERATE 1-9 a$ A 192.0.2.$', 1, 1, /\$GENERATE is not supported/],
  ['an unknown directive', '$FOO 1', 1, 1, /unknown directive \$FOO/],
  ['$TTL without a value', '$TTL', 1, 1, /needs a value/],
  ['$TTL with too much', '$TTL 1 2', 1, 8, /unexpected after/],
  ['$TTL too large', '$TTL 4294967296', 1, 6, /more than 4294967295/],
  ['a quote not closed', '$TTL 1\na TXT "open', 2, 7, /never closed/],
  ['a quote not closed in its line', '$TTL 1\na TXT "open\nb A 192.0.2.1', 2, 7, /not closed in its line/],
  ['parentheses in parentheses', '$TTL 1\na A ((192.0.2.1))', 2, 6, /inside parentheses/],
  ['a parenthesis closed only', '$TTL 1\na A 192.0.2.1 )', 2, 15, /without an opening one/],
];

for (const [what, text, line, column, message] of FAULTS) {
  test(`fault: ${what}`, () => {
    const [problem] = parse(text).problems;
    assert.deepEqual([problem?.line, problem?.column], [line, column]);
    assert.match(problem?.message ?? '', message);
  });
}

test('all faults are found, and good records between them', () => {
  const { records, problems, stopped } = parse(
    '$TTL 1\na A x\nb A 192.0.2.1\nc TXT "open\nd MX x y\ne A 192.0.2.2',
  );
  assert.deepEqual(
    problems.map(({ line }) => line),
    [2, 4, 5],
  );
  assert.equal(records.length, 2);
  assert.equal(stopped, false);
});

test('a wrong owner does not leave its records to the owner before', () => {
  const { records, problems } = parse('$TTL 1\na A 192.0.2.1\nb..c A 192.0.2.2\n  A 192.0.2.3');
  assert.equal(records.length, 1);
  assert.deepEqual(
    problems.map(({ line }) => line),
    [3, 4],
  );
});

test('a wrong directive ends the reading', () => {
  const { records, stopped } = parse('$TTL 1\n$ORIGIN a..b\nx A 192.0.2.1');
  assert.equal(records.length, 0);
  assert.equal(stopped, true);
});

test('no more faults are collected than asked for', () => {
  const { problems, stopped } = parse('x\n'.repeat(100));
  assert.equal(problems.length, 20);
  assert.equal(stopped, true);
});

test('any text is records or faults, never an exception', () => {
  const piece = fc.constantFrom(
    'a',
    '@',
    ' ',
    '\t',
    '\n',
    '(',
    ')',
    '"',
    '\\',
    ';',
    '$TTL',
    '$ORIGIN',
    'IN',
    'A',
    'TXT',
    'SOA',
    '1h',
    '192.0.2.1',
    '.',
    '\\#',
    'ä',
    '\0',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => void parse(pieces.join(''))),
    { numRuns: 2_000 },
  );
});
