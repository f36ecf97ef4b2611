/** Rows through an index: the range of keys that the plan's values make, then the rows they name. */
import { columnByNumber, type Table } from '../catalog/catalog.ts';
import type { IndexAccess, RangeBound } from '../plan/plan.ts';
import { afterPrefix, KeyWriter } from '../storage/key-codec.ts';
import { indexTree, keyParts, rowTree } from '../storage/trees.ts';
import { typeOf } from '../types/types.ts';
import type { Value } from '../types/values.ts';
import { compileExpression, type SubqueryCompiler } from './evaluate.ts';
import type { Evaluate, Frame } from './frame.ts';
import type { ReadRange, RowEntry } from './view.ts';

interface CompiledBound {
  readonly value: Evaluate;
  readonly inclusive: boolean;
}

export function indexEntries(
  table: Table,
  access: IndexAccess,
  s: SubqueryCompiler,
): (frame: Frame) => Iterator<RowEntry> {
  const { index, reverse } = access;
  const parts = keyParts(index, table);
  const equal = access.equal.map((value) => compileExpression(value, s));
  const any = access.any === undefined ? undefined : compileExpression(access.any, s);
  const bound = (b: RangeBound | undefined): CompiledBound | undefined =>
    b === undefined ? undefined : { value: compileExpression(b.value, s), inclusive: b.inclusive };
  const low = bound(access.low);
  const high = bound(access.high);
  const rows = rowTree(table);
  const tree = index.clustered ? rows : indexTree(index);
  const isPoint = any === undefined && equal.length === index.columns.length && index.unique;

  const prefixOf = (values: readonly Value[]): Buffer | undefined => {
    const w = new KeyWriter();
    for (let i = 0; i < values.length; i++) {
      if (values[i] === null) return undefined;
      w.part(values[i]!, parts[i]!);
    }
    return w.take();
  };

  /** Undefined when a bound is NULL: no row compares with NULL. */
  const rangeOf = (prefix: Buffer, frame: Frame): ReadRange | undefined => {
    const part = parts[equal.length];
    const edge = (b: CompiledBound | undefined, after: boolean): Uint8Array | undefined | null => {
      if (b === undefined) return undefined;
      const value = b.value(frame);
      if (value === null) return null;
      const key = new KeyWriter().raw(prefix).part(value, part!).take();
      return b.inclusive === after ? afterPrefix(key) : key;
    };
    const from = edge(low, false);
    const to = edge(high, true);
    if (from === null || to === null) return undefined;
    // NULLs stand at one end of the index and are outside any comparison.
    const compared = low !== undefined || high !== undefined;
    const first = from ?? (compared ? Buffer.concat([prefix, Buffer.of(1)]) : prefix);
    const last = to ?? (compared ? Buffer.concat([prefix, Buffer.of(2)]) : afterPrefix(prefix));
    return { from: first, reverse, ...(last !== undefined && { to: last }) };
  };

  const fetch = function* (entries: Iterable<RowEntry>, frame: Frame): Generator<RowEntry> {
    for (const entry of entries) {
      const value = frame.run.view.get(rows, entry.value);
      if (value !== undefined) yield { key: entry.value, value };
    }
  };

  const open = (prefix: Buffer, frame: Frame): Iterable<RowEntry> => {
    const { view } = frame.run;
    if (isPoint) return point(view.get(tree, prefix), prefix);
    const range = rangeOf(prefix, frame);
    return range === undefined ? [] : view.range(tree, range);
  };

  return (frame) => {
    const fixed = equal.map((value) => value(frame));
    const prefixes =
      any === undefined
        ? [fixed]
        : eachOf(
            any(frame) as readonly Value[] | null,
            fixed,
            columnByNumber(table, index.columns[equal.length]!.number).type.oid,
          );
    const all = function* (): Generator<RowEntry> {
      for (const values of prefixes) {
        const prefix = prefixOf(values);
        if (prefix === undefined) continue;
        const entries = open(prefix, frame);
        if (index.clustered) yield* entries;
        else yield* fetch(entries, frame);
      }
    };
    return all();
  };
}

function point(value: Buffer | undefined, key: Buffer): RowEntry[] {
  return value === undefined ? [] : [{ key, value }];
}

/** Each different value of the array after the fixed ones. */
function eachOf(items: readonly Value[] | null, fixed: readonly Value[], oid: number): Value[][] {
  const { key } = typeOf(oid);
  const seen = new Set<unknown>();
  return (items ?? []).flatMap((item) => {
    if (item === null || seen.has(key(item))) return [];
    seen.add(key(item));
    return [[...fixed, item]];
  });
}
