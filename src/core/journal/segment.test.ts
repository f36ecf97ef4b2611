import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { decodeSegmentHeader, encodeSegmentHeader, firstOfName, segmentName } from './segment.ts';

const HEADER = {
  incarnation: '00010203-0405-4607-8809-0a0b0c0d0e0f',
  before: {
    position: 0x1_0000_0001,
    epoch: 9,
    chain: Buffer.from('f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff', 'hex'),
  },
};

suite('segment', () => {
  test('the header is the documented one', () => {
    const expected = [
      '4f63744a726e6c0a', // "OctJrnl\n"
      '00000001', // format
      '24d9b1b7', // CRC-32
      '000102030405460788090a0b0c0d0e0f', // incarnation
      '0000000100000002', // first position
      'f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff', // chain before
      '0000000000000009', // epoch before
    ].join('');
    assert.equal(encodeSegmentHeader(HEADER).toString('hex'), expected);
  });

  test('the header comes back, and no changed bit goes unnoticed', () => {
    const bytes = encodeSegmentHeader(HEADER);
    assert.deepEqual(decodeSegmentHeader(bytes, '/s'), HEADER);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.throws(
        () => decodeSegmentHeader(changed, '/s'),
        { code: /^(corrupt|newer-format)$/ },
        `bit ${bit}`,
      );
    }
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => decodeSegmentHeader(bytes.subarray(0, length), '/s'), { code: 'corrupt' });
    }
  });

  test('names sort as positions do, and only names of segments are taken for such', () => {
    assert.equal(segmentName(731), '0000000000000731.segment');
    assert.equal(firstOfName('0000000000000731.segment'), 731);
    assert.equal(segmentName(Number.MAX_SAFE_INTEGER), '9007199254740991.segment');
    for (const name of [
      '731.segment',
      '0000000000000731.segment.tmp',
      'lock.1',
      'x0000000000000731.segment',
      '',
    ]) {
      assert.equal(firstOfName(name), undefined);
    }
  });
});
