import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { isPublicAddress, isWithin, parseAddress, parseRange } from './ip-address.ts';

const V6: readonly (readonly [string, string])[] = [
  ['::', '00000000000000000000000000000000'],
  ['::1', '00000000000000000000000000000001'],
  ['2001:db8::1', '20010db8000000000000000000000001'],
  ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
  ['::ffff:192.0.2.1', '00000000000000000000ffffc0000201'],
  ['1:2:3:4:5:6:192.0.2.1', '000100020003000400050006c0000201'],
  ['1::', '00010000000000000000000000000000'],
  ['1:2:3:4:5:6:7::', '00010002000300040005000600070000'],
];

const NO_ADDRESS = [
  '',
  '1.2.3',
  '1.2.3.4.5',
  '1.2.3.256',
  '01.2.3.4',
  '1.2.3.4 ',
  '0x7f.0.0.1',
  '2130706433',
  '127.1',
  '0177.0.0.1',
  ':',
  ':::',
  '1::2::3',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '1:2:3:4:5:6:7:8::',
  '12345::',
  'g::',
  '::1%lo',
  '::1.2.3',
  '1.2.3.4::',
  '[::1]',
  'localhost',
];

const PUBLIC = [
  '1.1.1.1',
  '8.8.8.8',
  '172.15.0.1',
  '172.32.0.1',
  '100.63.0.1',
  '192.0.1.1',
  '2606:4700::1111',
  '::ffff:1.1.1.1',
  '64:ff9b::1.1.1.1',
];

const NOT_PUBLIC = [
  '0.0.0.0',
  '10.1.2.3',
  '100.64.0.1',
  '127.0.0.1',
  '127.255.255.255',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.1',
  '192.0.2.1',
  '192.168.0.1',
  '198.18.0.1',
  '198.19.255.255',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::127.0.0.1',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '64:ff9b::10.0.0.1',
  '64:ff9b:1::1',
  'fe80::1',
  'fec0::1',
  'fc00::1',
  'fd12:3456::1',
  'ff02::1',
  '2001::1',
  '2001:db8::1',
  '2002:7f00:1::',
  '3fff::1',
  '100::1',
  'fe80::1%eth0',
];

suite('IP addresses', () => {
  test('are read as bytes', () => {
    assert.deepEqual(parseAddress('192.0.2.1'), Uint8Array.of(192, 0, 2, 1));
    for (const [text, hex] of V6)
      assert.equal(Buffer.from(parseAddress(text) ?? []).toString('hex'), hex, text);
  });

  test('are not what only looks like one', () => {
    for (const text of NO_ADDRESS) assert.equal(parseAddress(text), undefined, text);
  });

  test('are within a range by their first bits', () => {
    const within = (address: string, range: string) => isWithin(parseAddress(address)!, parseRange(range)!);
    assert.ok(within('10.1.2.3', '10.0.0.0/8'));
    assert.ok(!within('11.1.2.3', '10.0.0.0/8'));
    assert.ok(within('172.31.0.1', '172.16.0.0/12'));
    assert.ok(!within('172.32.0.1', '172.16.0.0/12'));
    assert.ok(within('1.2.3.4', '0.0.0.0/0'));
    assert.ok(within('1.2.3.4', '1.2.3.4'));
    assert.ok(!within('1.2.3.4', '::/0'));
    for (const range of ['1.2.3.4/33', '1.2.3.4/', '1.2.3.4/-1', '::/129', 'a/8', '1.2.3.4/8/8'])
      assert.equal(parseRange(range), undefined, range);
  });

  test('are public, or lead to a machine or network of our own', () => {
    for (const address of PUBLIC) assert.ok(isPublicAddress(address), address);
    for (const address of [...NOT_PUBLIC, ...NO_ADDRESS]) assert.ok(!isPublicAddress(address), address);
  });
});
