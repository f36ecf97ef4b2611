/** From rows to tuples: the select list, DISTINCT, ORDER BY, FOR UPDATE, LIMIT, and set operations. */
import { DatabaseError } from '../../errors.ts';
import type { QueryPlan, TuplePlan } from '../plan/plan.ts';
import type { Value } from '../types/values.ts';
import { compileExpression, compositeKey } from './evaluate.ts';
import { DONE, type Evaluate, type Frame, PAUSE, ROW, type Step } from './frame.ts';
import { compareOne, type SortKey } from './sort-order.ts';
import { compileSource, type SourceCompiler } from './sources.ts';

export interface Tuples {
  /** The values of the last ROW; hidden items follow the visible ones. */
  readonly tuple: readonly Value[];
  next(): Step;
}

export type TupleFactory = (outer: Frame) => Tuples;

/** Locks one row for FOR UPDATE. @returns false to skip it */
export type LockTuple = (tuple: readonly Value[], frame: Frame) => boolean;

export function compileTuples(plan: QueryPlan, s: SourceCompiler, lock?: LockTuple): TupleFactory {
  const base = compileBase(plan.tuples, s);
  const { distinct, types } = plan;
  const sorts = plan.sort.map(({ item, descending, nullsFirst }) => ({
    item,
    key: { type: types[item]!, descending, nullsFirst },
  }));
  const limit = plan.limit === undefined ? undefined : compileExpression(plan.limit, s);
  const offset = plan.offset === undefined ? undefined : compileExpression(plan.offset, s);
  // DISTINCT ON keeps the first of the sorted rows, so it comes after the sort.
  const isOn = distinct !== undefined && sorts.length > 0;
  return (outer) => {
    let tuples = base(outer);
    if (distinct !== undefined && !isOn) tuples = new Distinct(tuples, distinct, types, outer);
    if (sorts.length > 0) tuples = new Sort(tuples, sorts, outer);
    if (isOn) tuples = new Distinct(tuples, distinct, types, outer);
    if (lock !== undefined) tuples = new Locked(tuples, lock, outer);
    if (limit === undefined && offset === undefined) return tuples;
    return new Limit(tuples, count(limit, 'LIMIT', outer), count(offset, 'OFFSET', outer) ?? 0);
  };
}

function count(evaluate: Evaluate | undefined, what: 'LIMIT' | 'OFFSET', outer: Frame): number | undefined {
  // Bound one level in, like the select list, but without a row of its own.
  const value = evaluate?.({ row: [], outer, run: outer.run });
  if (value === undefined || value === null) return undefined;
  if ((value as bigint) < 0n)
    throw new DatabaseError(what === 'LIMIT' ? '2201W' : '2201X', `${what} must not be negative`);
  return Number(value);
}

function compileBase(plan: TuplePlan, s: SourceCompiler): TupleFactory {
  if (plan.kind === 'select') return compileSelect(plan, s);
  return plan.kind === 'values' ? compileValues(plan, s) : compileSetOperation(plan, s);
}

function compileSelect(plan: Extract<TuplePlan, { kind: 'select' }>, s: SourceCompiler): TupleFactory {
  const source = compileSource(plan.source, s);
  const items = plan.items.map((item) => compileExpression(item, s));
  return (outer) => {
    const frame: Frame = { row: new Array<Value>(plan.width).fill(null), outer, run: outer.run };
    const rows = source(frame);
    const tuples = {
      tuple: [] as Value[],
      next: (): Step => {
        const step = rows.next();
        if (step === ROW) tuples.tuple = items.map((item) => item(frame));
        return step;
      },
    };
    return tuples;
  };
}

function compileValues(plan: Extract<TuplePlan, { kind: 'values' }>, s: SourceCompiler): TupleFactory {
  const rows = plan.rows.map((row) => row.map((value) => compileExpression(value, s)));
  return (outer) => {
    const frame: Frame = { row: [], outer, run: outer.run };
    let at = 0;
    const tuples = {
      tuple: [] as Value[],
      next: (): Step => {
        const row = rows[at++];
        if (row === undefined) return DONE;
        tuples.tuple = row.map((value) => value(frame));
        return ROW;
      },
    };
    return tuples;
  };
}

class Distinct implements Tuples {
  readonly #input: Tuples;
  readonly #items: readonly number[];
  readonly #types: readonly number[];
  readonly #frame: Frame;
  readonly #seen = new Set<string>();

  constructor(input: Tuples, items: readonly number[], types: readonly number[], frame: Frame) {
    this.#input = input;
    this.#items = items;
    this.#types = items.map((item) => types[item]!);
    this.#frame = frame;
  }

  get tuple(): readonly Value[] {
    return this.#input.tuple;
  }

  next(): Step {
    for (;;) {
      const step = this.#input.next();
      if (step !== ROW) return step;
      const key = compositeKey(
        this.#items.map((item) => this.tuple[item]!),
        this.#types,
      );
      if (this.#seen.has(key)) continue;
      this.#frame.run.hold(1);
      this.#seen.add(key);
      return ROW;
    }
  }
}

class Sort implements Tuples {
  readonly #input: Tuples;
  readonly #sorts: readonly { readonly item: number; readonly key: SortKey }[];
  readonly #frame: Frame;
  readonly #rows: (readonly Value[])[] = [];
  #sorted = false;
  #at = 0;
  tuple: readonly Value[] = [];

  constructor(
    input: Tuples,
    sorts: readonly { readonly item: number; readonly key: SortKey }[],
    frame: Frame,
  ) {
    this.#input = input;
    this.#sorts = sorts;
    this.#frame = frame;
  }

  next(): Step {
    if (!this.#sorted && this.#collect() === PAUSE) return PAUSE;
    const row = this.#rows[this.#at++];
    if (row === undefined) return DONE;
    this.tuple = row;
    return ROW;
  }

  #collect(): Step {
    for (;;) {
      const step = this.#input.next();
      if (step === PAUSE) return PAUSE;
      if (step === DONE) break;
      this.#frame.run.hold(1);
      this.#rows.push(this.#input.tuple);
    }
    this.#rows.sort((a, b) => this.#compare(a, b));
    this.#sorted = true;
    return DONE;
  }

  #compare(a: readonly Value[], b: readonly Value[]): number {
    for (const { item, key } of this.#sorts) {
      const order = compareOne(a[item]!, b[item]!, key);
      if (order !== 0) return order;
    }
    return 0;
  }
}

class Locked implements Tuples {
  readonly #input: Tuples;
  readonly #lock: LockTuple;
  readonly #frame: Frame;

  constructor(input: Tuples, lock: LockTuple, frame: Frame) {
    this.#input = input;
    this.#lock = lock;
    this.#frame = frame;
  }

  get tuple(): readonly Value[] {
    return this.#input.tuple;
  }

  next(): Step {
    for (;;) {
      const step = this.#input.next();
      if (step !== ROW || this.#lock(this.tuple, this.#frame)) return step;
    }
  }
}

class Limit implements Tuples {
  readonly #input: Tuples;
  readonly #limit: number | undefined;
  #skip: number;
  #given = 0;

  constructor(input: Tuples, limit: number | undefined, offset: number) {
    this.#input = input;
    this.#limit = limit;
    this.#skip = offset;
  }

  get tuple(): readonly Value[] {
    return this.#input.tuple;
  }

  next(): Step {
    if (this.#limit !== undefined && this.#given >= this.#limit) return DONE;
    for (;;) {
      const step = this.#input.next();
      if (step !== ROW) return step;
      if (this.#skip > 0) {
        this.#skip--;
        continue;
      }
      this.#given++;
      return ROW;
    }
  }
}

function compileSetOperation(
  plan: Extract<TuplePlan, { kind: 'set-operation' }>,
  s: SourceCompiler,
): TupleFactory {
  const left = s.tuples(plan.left);
  const right = s.tuples(plan.right);
  const width = plan.left.columns;
  const types = plan.left.types.slice(0, width);
  return (outer) => {
    // The branches were bound one level in, beside a FROM that is not there.
    const frame: Frame = { row: [], outer, run: outer.run };
    if (plan.operation === 'union') {
      const both = new Concatenation(left(frame), right(frame), width);
      return plan.all
        ? both
        : new Distinct(
            both,
            types.map((_, i) => i),
            types,
            frame,
          );
    }
    return new Membership(left(frame), right(frame), plan.operation === 'intersect', plan.all, types, frame);
  };
}

class Concatenation implements Tuples {
  readonly #inputs: readonly Tuples[];
  readonly #width: number;
  #at = 0;
  tuple: readonly Value[] = [];

  constructor(left: Tuples, right: Tuples, width: number) {
    this.#inputs = [left, right];
    this.#width = width;
  }

  next(): Step {
    for (;;) {
      const input = this.#inputs[this.#at];
      if (input === undefined) return DONE;
      const step = input.next();
      if (step === ROW) this.tuple = input.tuple.slice(0, this.#width);
      if (step !== DONE) return step;
      this.#at++;
    }
  }
}

/** INTERSECT and EXCEPT: the right side is counted by key, then each left row is held against the count. */
class Membership implements Tuples {
  readonly #left: Tuples;
  readonly #right: Tuples;
  readonly #intersect: boolean;
  readonly #all: boolean;
  readonly #types: readonly number[];
  readonly #frame: Frame;
  readonly #counts = new Map<string, number>();
  readonly #given = new Set<string>();
  #counted = false;
  tuple: readonly Value[] = [];

  constructor(
    left: Tuples,
    right: Tuples,
    intersect: boolean,
    all: boolean,
    types: readonly number[],
    frame: Frame,
  ) {
    this.#left = left;
    this.#right = right;
    this.#intersect = intersect;
    this.#all = all;
    this.#types = types;
    this.#frame = frame;
  }

  next(): Step {
    if (!this.#counted && this.#count() === PAUSE) return PAUSE;
    for (;;) {
      const step = this.#left.next();
      if (step !== ROW) return step;
      this.tuple = this.#left.tuple.slice(0, this.#types.length);
      if (this.#passes(compositeKey(this.tuple, this.#types))) return ROW;
    }
  }

  #count(): Step {
    for (;;) {
      const step = this.#right.next();
      if (step === PAUSE) return PAUSE;
      if (step === DONE) break;
      const key = compositeKey(this.#right.tuple.slice(0, this.#types.length), this.#types);
      this.#frame.run.hold(1);
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    }
    this.#counted = true;
    return DONE;
  }

  #passes(key: string): boolean {
    const count = this.#counts.get(key) ?? 0;
    if (this.#all) {
      this.#counts.set(key, Math.max(count - 1, 0));
      return count > 0 === this.#intersect;
    }
    if (count > 0 !== this.#intersect || this.#given.has(key)) return false;
    this.#frame.run.hold(1);
    this.#given.add(key);
    return true;
  }
}
