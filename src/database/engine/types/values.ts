/**
 * How SQL values live in memory while a statement runs.
 *
 *   bool → boolean            int2, int4, oid, reg*, float4, float8, date, time → number
 *   int8, timestamp(tz) → bigint   text, varchar, char(n), name, "char", uuid, json, jsonb → string
 *   bytea → Buffer            numeric → Numeric     interval → Interval     arrays → Value[]     NULL → null
 */
import type { Interval } from './datetime.ts';
import type { Numeric } from './numeric.ts';

export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Buffer
  | Numeric
  | Interval
  | readonly Value[];

/** A type with its modifier: the n of varchar(n), packed as PostgreSQL packs it; -1 without one. */
export interface TypeRef {
  readonly oid: number;
  readonly modifier: number;
}

/**
 * Order of texts by their UTF-8 bytes, the "C" collation. JavaScript compares UTF-16 units, which differs
 * only where a surrogate meets a unit above the surrogates.
 */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
