import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeKey, encodeKey, Float64, float64, type KeyPart, prefixRange } from './tuple.ts';

const hex = (parts: KeyPart[]) => encodeKey(parts).toString('hex');

test('each kind of part has the bytes that the file head draws', () => {
  const cases: [KeyPart, string][] = [
    [null, '10'],
    [false, '18'],
    [true, '19'],
    [0, '28'],
    [0n, '28'],
    [17, '2911'],
    [255, '29ff'],
    [256, '2a0100'],
    [-1, '27fe'],
    [-256, '26feff'],
    [2n ** 64n - 1n, '30ffffffffffffffff'],
    [2n ** 64n, '3109010000000000000000'],
    [-(2n ** 64n), '1ff6feffffffffffffffff'],
    [Number.MAX_SAFE_INTEGER, '2f1fffffffffffff'],
    [float64(1.5), '40bff8000000000000'],
    [float64(-1.5), '404007ffffffffffff'],
    ['', '6000'],
    ['a\0b', '606100ff6200'],
    [Buffer.from([0, 255, 0]), '7000ffff00ff00'],
  ];
  for (const [part, bytes] of cases) assert.equal(hex([part]), bytes, String(part));
  assert.equal(hex(['orders', 17, 'paid']), '606f72646572730029116070616964' + '00');
});

test('a number that is no safe integer is refused, for its order would be lost', () => {
  for (const value of [1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    assert.throws(() => encodeKey([value]), /safe integer/);
  }
});

test('bytes that encodeKey did not make are refused', () => {
  for (const bad of ['00', 'ff', '6061', '2a01', '40bf', '31', '3109']) {
    assert.throws(() => decodeKey(Buffer.from(bad, 'hex')), /key part|integer|float/, bad);
  }
});

const part: fc.Arbitrary<KeyPart> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.maxSafeInteger(),
  fc.integer({ min: -300, max: 300 }),
  fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }),
  fc.double().map(float64),
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.constantFrom('', '\0', '\0\0', 'a', 'a\0', 'a\0b', 'ab'),
  fc.uint8Array({ maxLength: 6 }),
);

const parts = fc.array(part, { maxLength: 4 });

/** The order that the encoding promises, said a second way. */
function compareParts(left: readonly KeyPart[], right: readonly KeyPart[]): number {
  for (let index = 0; index < Math.min(left.length, right.length); index += 1) {
    const order = comparePart(left[index]!, right[index]!);
    if (order !== 0) return order;
  }
  return Math.sign(left.length - right.length);
}

function rank(value: KeyPart): number {
  if (value === null) return 0;
  if (typeof value === 'boolean') return 1;
  if (typeof value === 'number' || typeof value === 'bigint') return 2;
  if (value instanceof Float64) return 3;
  return typeof value === 'string' ? 4 : 5;
}

function comparePart(left: KeyPart, right: KeyPart): number {
  if (rank(left) !== rank(right)) return Math.sign(rank(left) - rank(right));
  if (left === null || right === null) return 0;
  if (left instanceof Float64 && right instanceof Float64) return compareFloats(left.value, right.value);
  if (typeof left === 'string')
    return Math.sign(Buffer.compare(Buffer.from(left), Buffer.from(String(right))));
  if (left instanceof Uint8Array && right instanceof Uint8Array)
    return Math.sign(Buffer.compare(left, right));
  return left < right ? -1 : left > right ? 1 : 0;
}

function compareFloats(left: number, right: number): number {
  if (Number.isNaN(left) || Number.isNaN(right))
    return Number(Number.isNaN(left)) - Number(Number.isNaN(right));
  return Math.sign(left - right) || 0;
}

test('the order of the keys is the order of the parts', () => {
  fc.assert(
    fc.property(parts, parts, (left, right) => {
      assert.equal(Math.sign(Buffer.compare(encodeKey(left), encodeKey(right))), compareParts(left, right));
    }),
    { numRuns: 3_000 },
  );
});

test('decoding gives back parts that encode to the same key', () => {
  fc.assert(
    fc.property(parts, (given) => {
      const decoded = decodeKey(encodeKey(given));
      assert.equal(compareParts(decoded, given), 0);
      assert.deepEqual(encodeKey(decoded), encodeKey(given));
    }),
    { numRuns: 1_000 },
  );
});

test('a prefix range holds exactly the keys that begin with its parts', () => {
  fc.assert(
    fc.property(parts, parts, (prefix, key) => {
      const { from, to } = prefixRange(prefix);
      const inside = (encoded: Buffer) => from.compare(encoded) <= 0 && encoded.compare(to) < 0;
      assert.ok(inside(encodeKey([...prefix, ...key])));
      const begins = compareParts(key.slice(0, prefix.length), prefix) === 0;
      assert.equal(inside(encodeKey(key)), begins);
    }),
    { numRuns: 2_000 },
  );
});
