import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseNumeric } from '../types/numeric.ts';
import { OID } from '../types/oids.ts';
import { typeOf } from '../types/types.ts';
import type { Value } from '../types/values.ts';
import { afterPrefix, KeyWriter } from './key-codec.ts';
import { decodeRow, encodeRow } from './row-codec.ts';

const arbitraries: [name: string, oid: number, values: fc.Arbitrary<NonNullable<Value>>][] = [
  ['int4', OID.int4, fc.integer()],
  ['int8', OID.int8, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
  ['float8', OID.float8, fc.double()],
  ['bool', OID.bool, fc.boolean()],
  ['text', OID.text, fc.string({ unit: 'binary', maxLength: 20 }).map((s) => s.toWellFormed())],
  ['bytea', OID.bytea, fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes))],
  [
    'numeric',
    OID.numeric,
    fc
      .tuple(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.integer({ min: -10, max: 10 }))
      .map(([n, e]) => parseNumeric(`${n}e${e}`)!),
  ],
  ['uuid', OID.uuid, fc.uuid()],
  [
    'date',
    OID.date,
    fc.oneof(fc.integer({ min: -100_000, max: 100_000 }), fc.constantFrom(Infinity, -Infinity)),
  ],
];

describe('keys', () => {
  for (const [name, oid, values] of arbitraries)
    it(`order ${name} as its values, both ways, NULLs at their end`, () => {
      const compare = typeOf(oid).compare!;
      const key = (value: Value, descending: boolean): Buffer =>
        new KeyWriter().part(value, { type: oid, descending, nullsFirst: descending }).take();
      fc.assert(
        fc.property(values, values, (a, b) => {
          const order = Math.sign(compare(a, b));
          assert.equal(Math.sign(Buffer.compare(key(a, false), key(b, false))), order);
          assert.equal(Math.sign(Buffer.compare(key(a, true), key(b, true))) + 0, -order + 0);
          assert.ok(Buffer.compare(key(a, false), key(null, false)) < 0);
          assert.ok(Buffer.compare(key(null, true), key(a, true)) < 0);
        }),
      );
    });

  it('of several parts order by the first that differs, whatever its length', () => {
    const part = { type: OID.text, descending: false, nullsFirst: false };
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), fc.string(), (a, b, c, d) => {
        const [x, y] = [
          [a, b],
          [c, d],
        ].map(([first, second]) => new KeyWriter().part(first!, part).part(second!, part).take());
        const compare = typeOf(OID.text).compare!;
        assert.equal(Math.sign(Buffer.compare(x!, y!)), Math.sign(compare(a, c) || compare(b, d)));
      }),
    );
  });

  it('after a prefix come after everything that begins with it', () => {
    assert.deepEqual(afterPrefix(Buffer.from([1, 0xff])), Buffer.from([2]));
    assert.equal(afterPrefix(Buffer.from([0xff])), undefined);
  });

  it('that are too long are refused', () => {
    const part = { type: OID.text, descending: false, nullsFirst: false };
    assert.throws(() => new KeyWriter().part('x'.repeat(2_000), part).take(), { code: '54000' });
  });
});

describe('rows', () => {
  it('come back as they were', () => {
    const columns = arbitraries.map(([, oid, values]) =>
      fc.option(values).map((value) => ({ oid, value: Object.is(value, -0) ? 0 : value })),
    );
    fc.assert(
      fc.property(fc.tuple(...columns), (row) => {
        const types = row.map(({ oid }) => oid);
        const values = row.map(({ value }) => value);
        const decoded: Value[] = [];
        assert.equal(decodeRow(encodeRow(values, types), types, decoded, 0), types.length);
        const keyed = (list: readonly Value[]): unknown[] =>
          list.map((value, i) => (value === null ? null : typeOf(types[i]!).key(value)));
        assert.deepEqual(keyed(decoded), keyed(values));
      }),
    );
  });

  it('of fewer columns than the table say so', () => {
    const decoded: Value[] = [];
    assert.equal(decodeRow(encodeRow([1], [OID.int4]), [OID.int4, OID.text], decoded, 2), 1);
    assert.equal(decoded[2], 1);
  });

  it('of another format are refused', () => {
    assert.throws(() => decodeRow(Buffer.from([9, 0]), [], [], 0), { code: 'XX001' });
  });
});
