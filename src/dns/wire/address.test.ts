import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressFromText, addressToText, inRanges, plainAddress, rangeFromText } from './address.ts';

for (const [text, shown = text] of [
  ['192.0.2.1'],
  ['0.0.0.0'],
  ['::'],
  ['::1'],
  ['1::'],
  ['2001:db8::1'],
  ['2001:0DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['1:0:2:0:3:0:4:0'],
  ['::ffff:192.0.2.1'],
  ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
] as [string, string?][]) {
  test(`address ${text}`, () => assert.equal(addressToText(addressFromText(text) ?? Buffer.alloc(4)), shown));
}

for (const text of [
  '',
  '1.2.3',
  '1.2.3.4.5',
  '1.2.3.-4',
  '1..2.3',
  ':',
  ':::',
  '1:2',
  '::1::',
  'g::',
  '1:2:3:4:5:6:7:8::',
  '::1.2.3',
  '1.2.3.4::',
]) {
  test(`not an address: ${text}`, () => assert.equal(addressFromText(text), undefined));
}

test('ranges', () => {
  const allowed = (address: string, ...ranges: string[]): boolean =>
    inRanges(
      plainAddress(address) ?? Buffer.alloc(0),
      ranges.map((range) => rangeFromText(range) as NonNullable<ReturnType<typeof rangeFromText>>),
    );
  assert.equal(allowed('127.0.0.53', '127.0.0.0/8'), true);
  assert.equal(allowed('128.0.0.1', '127.0.0.0/8'), false);
  assert.equal(allowed('192.0.2.130', '192.0.2.128/25'), true);
  assert.equal(allowed('192.0.2.127', '192.0.2.128/25'), false);
  assert.equal(allowed('::ffff:127.0.0.1', '127.0.0.0/8'), true);
  assert.equal(allowed('fe80::1%eth0', 'fe80::/10'), true);
  assert.equal(allowed('::1', '127.0.0.0/8', '::1'), true);
  assert.equal(allowed('10.0.0.1', '0.0.0.0/0'), true);
  assert.equal(allowed('::1', '0.0.0.0/0'), false);
  for (const wrong of ['127.0.0.1/33', '::/129', '1.2.3.4/', 'x/8', '1.2.3.4/8/8'])
    assert.equal(rangeFromText(wrong), undefined);
});

test('text and back', () => {
  const octets = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
  );
  fc.assert(fc.property(octets, (value) => addressFromText(addressToText(value))?.equals(value) === true));
});
