/** Grouping by hash, and the steps of aggregates. */
import type { BoundAggregate } from '../bind/bound.ts';
import type { Accumulator } from '../functions/aggregates.ts';
import type { SourcePlan } from '../plan/plan.ts';
import type { Value } from '../types/values.ts';
import { compileExpression, compositeKey, type SubqueryCompiler } from './evaluate.ts';
import { DONE, type Evaluate, type Frame, PAUSE, ROW, type Step } from './frame.ts';
import { compareSorted, type SortKey } from './sort-order.ts';
import type { Operator, SourceFactory } from './sources.ts';

type GroupPlan = Extract<SourcePlan, { kind: 'group' }>;

interface Group {
  /** One row of the group: what its columns are read from afterwards. */
  readonly row: readonly Value[];
  readonly keys: readonly Value[];
  readonly states: readonly State[];
}

interface State {
  step(frame: Frame): void;
  result(frame: Frame): Value;
}

export function groupFactory(plan: GroupPlan, input: SourceFactory, s: SubqueryCompiler): SourceFactory {
  const keys = plan.keys.map((key) => compileExpression(key, s));
  const types = plan.keys.map((key) => key.type.oid);
  const aggregates = plan.aggregates.map((aggregate) => compileAggregate(aggregate, s));
  const having = plan.having === undefined ? undefined : compileExpression(plan.having, s);
  return (frame) => new Grouping(plan, frame, input(frame), keys, types, aggregates, having);
}

class Grouping implements Operator {
  readonly #plan: GroupPlan;
  readonly #frame: Frame;
  readonly #input: Operator;
  readonly #keys: readonly Evaluate[];
  readonly #types: readonly number[];
  readonly #aggregates: readonly (() => State)[];
  readonly #having: Evaluate | undefined;
  readonly #groups = new Map<string, Group>();
  #output: Iterator<Group> | undefined;

  constructor(
    plan: GroupPlan,
    frame: Frame,
    input: Operator,
    keys: readonly Evaluate[],
    types: readonly number[],
    aggregates: readonly (() => State)[],
    having: Evaluate | undefined,
  ) {
    this.#plan = plan;
    this.#frame = frame;
    this.#input = input;
    this.#keys = keys;
    this.#types = types;
    this.#aggregates = aggregates;
    this.#having = having;
  }

  next(): Step {
    if (this.#output === undefined) {
      if (this.#consume() === PAUSE) return PAUSE;
      this.#output = this.#groups.values();
    }
    for (;;) {
      const { done, value } = this.#output.next();
      if (done === true) return DONE;
      this.#emit(value);
      if (this.#having === undefined || this.#having(this.#frame) === true) return ROW;
    }
  }

  #consume(): Step {
    for (;;) {
      const step = this.#input.next();
      if (step === PAUSE) return PAUSE;
      if (step === DONE) break;
      const group = this.#groupOf(this.#keys.map((key) => key(this.#frame)));
      for (const state of group.states) state.step(this.#frame);
    }
    // Without GROUP BY there is one group even of no rows.
    if (this.#keys.length === 0 && this.#groups.size === 0) this.#add('', [], []);
    return DONE;
  }

  #groupOf(keys: readonly Value[]): Group {
    const key = compositeKey(keys, this.#types);
    return this.#groups.get(key) ?? this.#add(key, keys, this.#frame.row.slice());
  }

  #add(key: string, keys: readonly Value[], row: readonly Value[]): Group {
    this.#frame.run.hold(1);
    const group = { row, keys, states: this.#aggregates.map((start) => start()) };
    this.#groups.set(key, group);
    return group;
  }

  #emit({ row, keys, states }: Group): void {
    const target = this.#frame.row;
    for (let i = 0; i < this.#plan.width; i++) target[i] = row[i] ?? null;
    this.#plan.keySlots.forEach((slot, i) => {
      target[slot] = keys[i]!;
    });
    this.#plan.aggregates.forEach(({ slot }, i) => {
      target[slot] = states[i]!.result(this.#frame);
    });
  }
}

function compileAggregate(aggregate: BoundAggregate, s: SubqueryCompiler): () => State {
  const { definition } = aggregate;
  const args = aggregate.args.map((arg) => compileExpression(arg, s));
  const types = aggregate.args.map((arg) => arg.type.oid);
  const filter = aggregate.filter === undefined ? undefined : compileExpression(aggregate.filter, s);
  const sorts: SortKey[] = aggregate.orderBy.map(({ expression, descending, nullsFirst }) => ({
    type: expression.type.oid,
    descending,
    nullsFirst,
  }));
  const sortValues = aggregate.orderBy.map(({ expression }) => compileExpression(expression, s));
  return () => {
    const accumulator = definition.start({ args: types });
    const seen = aggregate.distinct ? new Set<string>() : undefined;
    const waiting: { readonly values: Value[]; readonly order: Value[] }[] = [];
    return {
      step: (frame) => {
        if (filter !== undefined && filter(frame) !== true) return;
        const values = args.map((arg) => arg(frame));
        if (definition.strict && values.includes(null)) return;
        if (seen !== undefined && !addKey(seen, values, types, frame)) return;
        if (sorts.length === 0) accumulator.step(values, frame.run);
        else {
          frame.run.hold(1);
          waiting.push({ values, order: sortValues.map((value) => value(frame)) });
        }
      },
      result: (frame) => finish(accumulator, waiting, sorts, frame),
    };
  };
}

function addKey(
  seen: Set<string>,
  values: readonly Value[],
  types: readonly number[],
  frame: Frame,
): boolean {
  const key = compositeKey(values, types);
  if (seen.has(key)) return false;
  frame.run.hold(1);
  seen.add(key);
  return true;
}

function finish(
  accumulator: Accumulator,
  waiting: { values: Value[]; order: Value[] }[],
  sorts: readonly SortKey[],
  frame: Frame,
): Value {
  waiting.sort((a, b) => compareSorted(a.order, b.order, sorts));
  for (const { values } of waiting) accumulator.step(values, frame.run);
  return accumulator.result(frame.run);
}
