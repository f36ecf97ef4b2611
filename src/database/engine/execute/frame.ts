/** One query's row while it runs, and the row of the query around it. */
import type { Value } from '../types/values.ts';
import type { Run } from './run.ts';
import type { RowView } from './view.ts';

export interface Execution extends Run {
  readonly view: RowView;
  /** Results of subqueries that do not depend on an outer row, by plan. */
  readonly once: Map<object, unknown>;
}

export interface Frame {
  readonly row: Value[];
  readonly outer: Frame | undefined;
  readonly run: Execution;
}

export type Evaluate = (frame: Frame) => Value;

/** What one call of `next` of an operator found. */
export const DONE = 0;
export const ROW = 1;
/** The statement has used its turn: call again later. Only operators that were told they may pause say so. */
export const PAUSE = 2;
export type Step = typeof DONE | typeof ROW | typeof PAUSE;
