/**
 * Operators that fill a frame's row. `next` finds one more row, or none, or that the statement's turn is over.
 * Each execution makes its operators anew from factories that were compiled with the plan.
 */
import type { BoundRelation } from '../bind/bound.ts';
import type { Table } from '../catalog/catalog.ts';
import type { Callable } from '../functions/implementation.ts';
import type { SlotRun, SourcePlan } from '../plan/plan.ts';
import { decodeRow } from '../storage/row-codec.ts';
import { rowTree } from '../storage/trees.ts';
import { typeOf } from '../types/types.ts';
import type { Value } from '../types/values.ts';
import { compileExpression, compositeKey, type SubqueryCompiler } from './evaluate.ts';
import { DONE, type Evaluate, type Frame, PAUSE, ROW, type Step } from './frame.ts';
import { groupFactory } from './group.ts';
import { indexEntries } from './index-scan.ts';
import type { TupleFactory } from './tuples.ts';
import type { RowEntry } from './view.ts';

export interface Operator {
  next(): Step;
}

export type SourceFactory = (frame: Frame) => Operator;

export interface SourceCompiler extends SubqueryCompiler {
  tuples(query: Extract<SourcePlan, { kind: 'subquery' }>['query']): TupleFactory;
}

export function compileSource(plan: SourcePlan, s: SourceCompiler): SourceFactory {
  switch (plan.kind) {
    case 'one-row':
      return () => oneRow();
    case 'scan':
      return compileScan(plan, s);
    case 'virtual':
      return compileVirtual(plan, s);
    case 'subquery':
      return compileSubquery(plan, s);
    case 'function':
      return compileFunction(plan, s);
    case 'nested-loop':
      return compileNestedLoop(plan, s);
    case 'hash-join':
      return compileHashJoin(plan, s);
    case 'filter': {
      const input = compileSource(plan.input, s);
      const condition = compileExpression(plan.condition, s);
      return (frame) => filtered(input(frame), condition, frame);
    }
    case 'group':
      return groupFactory(plan, compileSource(plan.input, s), s);
    case 'expand':
      return compileExpand(plan, s);
  }
}

type Of<K extends SourcePlan['kind']> = Extract<SourcePlan, { kind: K }>;

function oneRow(): Operator {
  let given = false;
  return {
    next: () => {
      if (given) return DONE;
      given = true;
      return ROW;
    },
  };
}

function filtered(input: Operator, condition: Evaluate | undefined, frame: Frame): Operator {
  if (condition === undefined) return input;
  return {
    next: () => {
      for (;;) {
        const step = input.next();
        if (step !== ROW || condition(frame) === true) return step;
      }
    },
  };
}

function optional(
  bound: Parameters<typeof compileExpression>[0] | undefined,
  s: SubqueryCompiler,
): Evaluate | undefined {
  return bound === undefined ? undefined : compileExpression(bound, s);
}

/** Rows a scan reads before it looks at the clock. */
const ROWS_PER_LOOK = 128;

/** Puts a stored row, its key, and the values of columns added later into the frame. */
export function rowLoader(relation: BoundRelation): (frame: Frame, entry: RowEntry) => void {
  const table = (relation.source as { table: Table }).table;
  const types = table.columns.map((column) => column.type.oid);
  const { base } = relation;
  const count = types.length;
  return (frame, { key, value }) => {
    const held = decodeRow(value, types, frame.row, base);
    for (let i = held; i < count; i++) frame.row[base + i] = missingValue(table, i, frame);
    frame.row[base + count] = key;
  };
}

function missingValue(table: Table, i: number, frame: Frame): Value {
  const { missing, type } = table.columns[i]!;
  return missing === undefined ? null : typeOf(type.oid).parse(missing, frame.run.conversion);
}

function compileScan(plan: Of<'scan'>, s: SourceCompiler): SourceFactory {
  const { relation, access } = plan;
  const table = (relation.source as { table: Table }).table;
  const condition = optional(plan.filter, s);
  const load = rowLoader(relation);
  const tree = rowTree(table);
  const open =
    access === undefined ? (frame: Frame) => frame.run.view.range(tree, {}) : indexEntries(table, access, s);
  return (frame) => {
    const entries = open(frame);
    let looked = 0;
    const next = (): Step => {
      if (++looked % ROWS_PER_LOOK === 0 && frame.run.shouldPause()) return PAUSE;
      const { done, value } = entries.next();
      if (done === true) return DONE;
      load(frame, value);
      return ROW;
    };
    return filtered({ next }, condition, frame);
  };
}

function fromRows(rows: Iterable<readonly Value[]>, base: number, width: number, frame: Frame): Operator {
  const iterator = rows[Symbol.iterator]();
  let looked = 0;
  return {
    next: () => {
      if (++looked % ROWS_PER_LOOK === 0 && frame.run.shouldPause()) return PAUSE;
      const { done, value } = iterator.next();
      if (done === true) return DONE;
      for (let i = 0; i < width; i++) frame.row[base + i] = value[i] ?? null;
      return ROW;
    },
  };
}

function compileVirtual({ relation, filter }: Of<'virtual'>, s: SourceCompiler): SourceFactory {
  const condition = optional(filter, s);
  const { table } = relation.source as Extract<BoundRelation['source'], { kind: 'virtual' }>;
  const { base, columns } = relation;
  return (frame) => {
    // A catalogue is computed once per statement, however often a join reads it.
    const { once } = frame.run;
    if (!once.has(table)) once.set(table, [...table.rows(frame.run)]);
    return filtered(
      fromRows(once.get(table) as (readonly Value[])[], base, columns.length, frame),
      condition,
      frame,
    );
  };
}

function compileSubquery({ relation, query, filter }: Of<'subquery'>, s: SourceCompiler): SourceFactory {
  const factory = s.tuples(query);
  const condition = optional(filter, s);
  const { base, columns } = relation;
  return (frame) => {
    const tuples = factory(frame);
    const next = (): Step => {
      const step = tuples.next();
      if (step === ROW)
        for (let i = 0; i < columns.length; i++) frame.row[base + i] = tuples.tuple[i] ?? null;
      return step;
    };
    return filtered({ next }, condition, frame);
  };
}

function compileFunction({ relation, filter }: Of<'function'>, s: SourceCompiler): SourceFactory {
  const condition = optional(filter, s);
  const { definition, args, ordinality } = relation.source as Extract<
    BoundRelation['source'],
    { kind: 'function' }
  >;
  const compiled = args.map((arg) => compileExpression(arg, s));
  const width = relation.columns.length - (ordinality ? 1 : 0);
  return (frame) => {
    const values = compiled.map((arg) => arg(frame));
    const rows = callForRows(definition, values, frame);
    const numbered = ordinality ? withNumbers(rows, width) : rows;
    return filtered(fromRows(numbered, relation.base, relation.columns.length, frame), condition, frame);
  };
}

function* withNumbers(rows: Iterable<readonly Value[]>, width: number): Generator<readonly Value[]> {
  let number = 0n;
  for (const row of rows) yield [...row.slice(0, width), ++number];
}

type FunctionSource = Extract<BoundRelation['source'], { kind: 'function' }>;

/** A set-returning function gives an iterable of rows, made as they are asked for where that saves memory. */
function callForRows(
  definition: FunctionSource['definition'],
  values: readonly Value[],
  frame: Frame,
): Iterable<readonly Value[]> {
  const implementation = definition.implementation as Callable;
  const nullResult = definition.strict && values.includes(null);
  if (definition.set === undefined) return [[nullResult ? null : implementation(...values, frame.run)]];
  return nullResult ? [] : (implementation(...values, frame.run) as unknown as Iterable<readonly Value[]>);
}

function compileNestedLoop(plan: Of<'nested-loop'>, s: SourceCompiler): SourceFactory {
  const left = compileSource(plan.left, s);
  const right = compileSource(plan.right, s);
  const on = optional(plan.on, s);
  const outer = plan.type === 'left';
  return (frame) => {
    const driving = left(frame);
    let inner: Operator | undefined;
    let matched = false;
    return {
      next: () => {
        for (;;) {
          if (inner === undefined) {
            const step = driving.next();
            if (step !== ROW) return step;
            inner = right(frame);
            matched = false;
          }
          const step = inner.next();
          if (step === PAUSE) return PAUSE;
          if (step === ROW) {
            if (on !== undefined && on(frame) !== true) continue;
            matched = true;
            return ROW;
          }
          inner = undefined;
          if (outer && !matched) {
            clearSlots(frame.row, plan.rightSlots);
            return ROW;
          }
        }
      },
    };
  };
}

function clearSlots(row: Value[], runs: readonly SlotRun[]): void {
  for (const { base, length } of runs) row.fill(null, base, base + length);
}

function saveSlots(row: readonly Value[], runs: readonly SlotRun[]): Value[] {
  const saved: Value[] = [];
  for (const { base, length } of runs) for (let i = 0; i < length; i++) saved.push(row[base + i] ?? null);
  return saved;
}

function restoreSlots(row: Value[], runs: readonly SlotRun[], saved: readonly Value[]): void {
  let at = 0;
  for (const { base, length } of runs) for (let i = 0; i < length; i++) row[base + i] = saved[at++]!;
}

interface HashedRow {
  readonly values: readonly Value[];
  matched: boolean;
}

function compileHashJoin(plan: Of<'hash-join'>, s: SourceCompiler): SourceFactory {
  const left = compileSource(plan.left, s);
  const right = compileSource(plan.right, s);
  const leftKeys = plan.leftKeys.map((key) => compileExpression(key, s));
  const rightKeys = plan.rightKeys.map((key) => compileExpression(key, s));
  const types = plan.leftKeys.map((key) => key.type.oid);
  const on = optional(plan.on, s);
  return (frame) => new HashJoin(plan, frame, left(frame), right(frame), leftKeys, rightKeys, types, on);
}

/** NULL never equals anything, so a row with a NULL key has no key. */
function joinKey(keys: readonly Evaluate[], types: readonly number[], frame: Frame): string | undefined {
  const values = keys.map((key) => key(frame));
  return values.includes(null) ? undefined : compositeKey(values, types);
}

const NONE: readonly HashedRow[] = [];

class HashJoin implements Operator {
  readonly #plan: Of<'hash-join'>;
  readonly #frame: Frame;
  readonly #left: Operator;
  readonly #right: Operator;
  readonly #leftKeys: readonly Evaluate[];
  readonly #rightKeys: readonly Evaluate[];
  readonly #types: readonly number[];
  readonly #on: Evaluate | undefined;
  readonly #table = new Map<string, HashedRow[]>();
  readonly #all: HashedRow[] = [];
  #built = false;
  #candidates: readonly HashedRow[] = NONE;
  #at = 0;
  /** The left row waits for a match. */
  #pending = false;
  #rest = -1;
  #looked = 0;

  constructor(
    plan: Of<'hash-join'>,
    frame: Frame,
    left: Operator,
    right: Operator,
    leftKeys: readonly Evaluate[],
    rightKeys: readonly Evaluate[],
    types: readonly number[],
    on: Evaluate | undefined,
  ) {
    this.#plan = plan;
    this.#frame = frame;
    this.#left = left;
    this.#right = right;
    this.#leftKeys = leftKeys;
    this.#rightKeys = rightKeys;
    this.#types = types;
    this.#on = on;
  }

  next(): Step {
    if (!this.#built && this.#build() === PAUSE) return PAUSE;
    if (++this.#looked % ROWS_PER_LOOK === 0 && this.#frame.run.shouldPause()) return PAUSE;
    for (;;) {
      if (this.#rest >= 0) return this.#unmatchedRight();
      if (this.#match()) return ROW;
      if (this.#pending) {
        this.#pending = false;
        clearSlots(this.#frame.row, this.#plan.rightSlots);
        return ROW;
      }
      const step = this.#left.next();
      if (step === PAUSE) return PAUSE;
      if (step === ROW) this.#probe();
      else if (this.#plan.type === 'full') this.#rest = 0;
      else return DONE;
    }
  }

  #build(): Step {
    const { row, run } = this.#frame;
    for (;;) {
      const step = this.#right.next();
      if (step === PAUSE) return PAUSE;
      if (step === DONE) break;
      const key = joinKey(this.#rightKeys, this.#types, this.#frame);
      const hashed = { values: saveSlots(row, this.#plan.rightSlots), matched: false };
      run.hold(1);
      if (this.#plan.type === 'full') this.#all.push(hashed);
      if (key === undefined) continue;
      const bucket = this.#table.get(key);
      if (bucket === undefined) this.#table.set(key, [hashed]);
      else bucket.push(hashed);
    }
    this.#built = true;
    return DONE;
  }

  #probe(): void {
    const key = joinKey(this.#leftKeys, this.#types, this.#frame);
    this.#candidates = key === undefined ? NONE : (this.#table.get(key) ?? NONE);
    this.#at = 0;
    this.#pending = this.#plan.type !== 'inner';
  }

  #match(): boolean {
    while (this.#at < this.#candidates.length) {
      const candidate = this.#candidates[this.#at++]!;
      restoreSlots(this.#frame.row, this.#plan.rightSlots, candidate.values);
      if (this.#on !== undefined && this.#on(this.#frame) !== true) continue;
      candidate.matched = true;
      this.#pending = false;
      return true;
    }
    return false;
  }

  #unmatchedRight(): Step {
    while (this.#rest < this.#all.length) {
      const row = this.#all[this.#rest++]!;
      if (row.matched) continue;
      clearSlots(this.#frame.row, this.#plan.leftSlots);
      restoreSlots(this.#frame.row, this.#plan.rightSlots, row.values);
      return ROW;
    }
    return DONE;
  }
}

function heldRows(
  definition: FunctionSource['definition'],
  values: readonly Value[],
  frame: Frame,
): (readonly Value[])[] {
  const rows: (readonly Value[])[] = [];
  for (const row of callForRows(definition, values, frame)) {
    frame.run.hold(1);
    rows.push(row);
  }
  return rows;
}

/** Set-returning functions of a select list: as many rows as the longest has, the others padded with NULL. */
function compileExpand(plan: Of<'expand'>, s: SourceCompiler): SourceFactory {
  const input = compileSource(plan.input, s);
  const sets = plan.sets.map(({ definition, args, slot }) => ({
    definition,
    slot,
    args: args.map((arg) => compileExpression(arg, s)),
  }));
  return (frame) => {
    const driving = input(frame);
    let lists: (readonly (readonly Value[])[])[] = [];
    let at = 0;
    let length = 0;
    return {
      next: () => {
        while (at >= length) {
          const step = driving.next();
          if (step !== ROW) return step;
          lists = sets.map(({ definition, args }) =>
            heldRows(
              definition,
              args.map((arg) => arg(frame)),
              frame,
            ),
          );
          length = Math.max(...lists.map((list) => list.length));
          at = 0;
        }
        sets.forEach(({ slot }, i) => {
          frame.row[slot] = lists[i]![at]?.[0] ?? null;
        });
        at++;
        return ROW;
      },
    };
  };
}
