import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DnsError } from '../errors.ts';
import {
  canonical,
  firstLabel,
  isAtOrBelow,
  isBelow,
  labelCount,
  lastLabels,
  type Name,
  nameFromText,
  nameToText,
  parentOf,
  prepend,
  ROOT,
  replaceSuffix,
} from './name.ts';

const LONG_LABEL = 'a'.repeat(63);

const TEXTS: readonly [text: string, octets: string, shown?: string][] = [
  ['.', '\0'],
  ['test.', '\x04test\0'],
  ['www.Spells.test.', '\x03www\x06Spells\x04test\0'],
  ['a\\.b.test.', '\x03a.b\x04test\0'],
  ['a\\046b.test.', '\x03a.b\x04test\0', 'a\\.b.test.'],
  ['\\000\\255.', '\x02\0\xff\0'],
  ['sp\\ ace\\032.', '\x07sp ace \0', 'sp\\032ace\\032.'],
  ['\\@\\$\\"\\;.', '\x04@$";\0'],
  ['*._tcp.test.', '\x01*\x04_tcp\x04test\0'],
  [`${LONG_LABEL}.`, `\x3f${LONG_LABEL}\0`],
];

for (const [text, octets, shown = text] of TEXTS) {
  test(`name ${text}`, () => {
    assert.equal(nameFromText(text), octets);
    assert.equal(nameToText(octets as Name), shown);
    assert.equal(nameFromText(shown), octets);
  });
}

for (const text of [
  '',
  '..',
  '.a',
  'a..b',
  `${LONG_LABEL}a`,
  '\\',
  'a\\1',
  'a\\12x',
  'a\\256',
  `${`${LONG_LABEL}.`.repeat(4)}`,
  'ä€',
]) {
  test(`not a name: ${text.slice(0, 20)}`, () => {
    assert.throws(
      () => nameFromText(text),
      (error) => error instanceof DnsError && error.code === 'bad-text',
    );
  });
}

test('the longest name has 255 octets', () => {
  const text = `${`${LONG_LABEL}.`.repeat(3)}${'a'.repeat(61)}.`;
  assert.equal(nameFromText(text).length, 255);
  assert.equal(prepend('a', nameFromText(text)), undefined);
});

test('relative names end in the origin', () => {
  const origin = nameFromText('spells.test.');
  assert.equal(nameToText(nameFromText('www', origin)), 'www.spells.test.');
  assert.equal(nameToText(nameFromText('@', origin)), 'spells.test.');
  assert.equal(nameToText(nameFromText('www.', origin)), 'www.');
});

test('canonical folds A-Z and nothing else', () => {
  const name = '\x05AZaz\xc4\x01\x41\0' as Name;
  assert.equal(canonical(name), '\x05azaz\xc4\x01a\0');
});

test('ancestors are whole labels, not endings of octets', () => {
  const ancestor = nameFromText('test.');
  const disguised = '\x08xxx\x04test\0' as Name;
  assert.ok(disguised.endsWith(ancestor));
  assert.equal(isAtOrBelow(disguised, ancestor), false);
  assert.equal(isAtOrBelow(nameFromText('a.test.'), ancestor), true);
  assert.equal(isAtOrBelow(ancestor, ancestor), true);
  assert.equal(isBelow(ancestor, ancestor), false);
  assert.equal(isAtOrBelow(ancestor, ROOT), true);
  assert.equal(isAtOrBelow(ROOT, ancestor), false);
  assert.equal(isAtOrBelow(nameFromText('contest.'), ancestor), false);
});

test('parts of a name', () => {
  const name = nameFromText('a.bc.test.');
  assert.equal(labelCount(name), 3);
  assert.equal(firstLabel(name), 'a');
  assert.equal(nameToText(parentOf(name)), 'bc.test.');
  assert.equal(nameToText(lastLabels(name, 1)), 'test.');
  assert.equal(parentOf(ROOT), ROOT);
  const moved = replaceSuffix(name, nameFromText('test.'), nameFromText('other.example.'));
  assert.equal(moved === undefined ? '' : nameToText(moved), 'a.bc.other.example.');
});

const label = fc
  .uint8Array({ minLength: 1, maxLength: 12 })
  .map((octets) => Buffer.from(octets).toString('latin1'));
const anyName = fc
  .array(label, { maxLength: 10 })
  .map((labels) => `${labels.map((text) => String.fromCharCode(text.length) + text).join('')}\0` as Name);

test('text and back gives the same name', () => {
  fc.assert(fc.property(anyName, (name) => nameFromText(nameToText(name)) === name));
});
