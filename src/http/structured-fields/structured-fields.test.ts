import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import fc from 'fast-check';
import {
  type BareItem,
  item,
  parseDictionary,
  parseItem,
  parseList,
  serialiseDictionary,
  serialiseItem,
  serialiseList,
} from './index.ts';
import { fuzz } from './structured-fields.fuzz.ts';

const valid: readonly [text: string, bare: BareItem][] = [
  ['42', { type: 'integer', value: 42 }],
  ['-999999999999999', { type: 'integer', value: -999_999_999_999_999 }],
  ['4.5', { type: 'decimal', value: 4.5 }],
  ['2.0', { type: 'decimal', value: 2 }],
  ['"a \\"b\\\\"', { type: 'string', value: 'a "b\\' }],
  ['*a/b:c', { type: 'token', value: '*a/b:c' }],
  [':dGVh:', { type: 'bytes', value: Buffer.from('tea') }],
  ['?0', { type: 'boolean', value: false }],
  ['@-1', { type: 'date', value: -1 }],
  ['%"t%c3%a9 %22%25"', { type: 'display-string', value: 'té "%' }],
];

const malformed: readonly [text: string, offset: number][] = [
  ['', 0],
  ['1 2', 2],
  ['1000000000000000', 16],
  ['1.2345', 6],
  ['1.', 2],
  ['1234567890123.0', 14],
  ['--1', 1],
  ['"a', 2],
  ['"\\n"', 2],
  ['"é"', 1],
  ['"a\r\nSet-Cookie: b"', 2],
  [':a:', 2],
  [':aGk==:', 6],
  ['?2', 1],
  ['@1.5', 4],
  ['%"%C3"', 2],
  ['%"%ff"', 5],
  ['a;B', 2],
];

/** Any bare item that can be written. */
const bareItems: fc.Arbitrary<BareItem> = fc.oneof(
  fc.integer().map((value): BareItem => ({ type: 'integer', value })),
  fc.integer().map((value): BareItem => ({ type: 'decimal', value: value / 1_000 })),
  fc.string().map((value): BareItem => ({ type: 'string', value })),
  fc.stringMatching(/^[A-Za-z*][A-Za-z0-9:/.]*$/).map((value): BareItem => ({ type: 'token', value })),
  fc.uint8Array().map((value): BareItem => ({ type: 'bytes', value: Buffer.from(value) })),
  fc.boolean().map((value): BareItem => ({ type: 'boolean', value })),
  fc.integer().map((value): BareItem => ({ type: 'date', value })),
  fc.string({ unit: 'grapheme' }).map((value): BareItem => ({ type: 'display-string', value })),
);
const keys = fc.stringMatching(/^[a-z*][a-z0-9_.*-]*$/);
const items = fc
  .tuple(bareItems, fc.dictionary(keys, bareItems))
  .map(([bare, parameters]) => item(bare, parameters));

suite('structured fields', () => {
  test('at random, both ways', () => fuzz.run(1, 4_000));

  test('minus zero is zero', () => {
    for (const [text, bare] of [
      ['-0', { type: 'integer', value: 0 }],
      ['-0.0', { type: 'decimal', value: 0 }],
      ['@-0', { type: 'date', value: 0 }],
    ] as const) {
      assert.deepEqual(parseItem(text), { kind: 'parsed', value: item(bare) });
    }
  });

  for (const [text, bare] of valid) {
    test(`${text}, both ways`, () => {
      assert.deepEqual(parseItem(text), { kind: 'parsed', value: item(bare) });
      assert.equal(serialiseItem(item(bare)), text);
    });
  }

  for (const [text, offset] of malformed) {
    test(`${JSON.stringify(text)} is refused at ${offset}`, () => {
      const parsed = parseItem(text);
      assert.equal(parsed.kind, 'malformed');
      assert.equal(parsed.kind === 'malformed' && parsed.offset, offset);
    });
  }

  test('what is written is read back the same', () => {
    fc.assert(
      fc.property(fc.array(items), (list) => {
        assert.deepEqual(parseList(serialiseList(list)), { kind: 'parsed', value: list });
      }),
      { numRuns: 300 },
    );
  });

  test('any text is read or refused, and what is read has one canonical form', () => {
    const texts = fc.string({ unit: fc.constantFrom(...'a1.-";=(),:?@%\\ *') });
    fc.assert(
      fc.property(texts, (text) => {
        const parsed = parseDictionary(text);
        if (parsed.kind === 'malformed') return;
        const canonical = serialiseDictionary(parsed.value);
        assert.deepEqual(parseDictionary(canonical), parsed);
      }),
      { numRuns: 2_000 },
    );
  });

  test('keys that name what every object has are keys', () => {
    const parsed = parseDictionary('constructor=1, tostring, __proto__=2');
    assert.deepEqual(parsed.kind, 'malformed');
    const legal = parseDictionary('constructor=1;constructor=2, valueof');
    assert.ok(legal.kind === 'parsed');
    assert.deepEqual([...legal.value.keys()], ['constructor', 'valueof']);
    assert.equal(legal.value.get('hasownproperty'), undefined);
  });

  test('the last of equal keys counts, in the place of the first', () => {
    const parsed = parseDictionary('a=1, b=2, a=3');
    assert.ok(parsed.kind === 'parsed');
    assert.equal(serialiseDictionary(parsed.value), 'a=3, b=2');
  });

  test('floods of members, items, parameters and brackets end at their bound', () => {
    const floods = [
      Array(1_025).fill('a').join(','),
      `(${'a '.repeat(257)})`,
      `a${Array.from({ length: 257 }, (_, at) => `;k${at}`).join('')}`,
      '('.repeat(100_000),
      'a'.repeat(131_073),
    ];
    for (const flood of floods) assert.equal(parseList(flood).kind, 'malformed');
    assert.equal(parseList(Array(1_024).fill('a').join(',')).kind, 'parsed');
  });

  test('nothing can be written that would end the field', () => {
    const attacks: BareItem[] = [
      { type: 'string', value: 'a\r\nSet-Cookie: b' },
      { type: 'token', value: 'a, b' },
      { type: 'token', value: '' },
      { type: 'integer', value: 1.5 },
      { type: 'decimal', value: Number.NaN },
      { type: 'decimal', value: 999_999_999_999.9999 },
      { type: 'date', value: Number.POSITIVE_INFINITY },
      { type: 'display-string', value: '\ud800' },
    ];
    for (const bare of attacks) assert.throws(() => serialiseItem(item(bare)), { code: 'unsendable' });
    const plain: BareItem = { type: 'integer', value: 1 };
    assert.throws(() => serialiseItem(item(plain, { 'A b': plain })), { code: 'unsendable' });
  });
});
