/** The shapes of built-in functions, operators, casts and aggregates. */
import type { Run } from '../execute/run.ts';
import type { Value } from '../types/values.ts';

/**
 * A function of values in positional order and the Run last. Declared with the parameter types each
 * implementation really has; the binder guarantees them before it is called.
 */
export type Implementation = (...args: never[]) => Value;
export type Callable = (...args: (Value | Run)[]) => Value;

export interface FunctionDefinition {
  readonly oid: number;
  readonly name: string;
  readonly args: readonly number[];
  /** The last argument type repeats. */
  readonly variadic: boolean;
  readonly result: number;
  /** False: called with NULLs too. */
  readonly strict: boolean;
  /** immutable functions of constants are computed once, when the statement is bound. */
  readonly volatility: 'immutable' | 'stable' | 'volatile';
  readonly implementation: Implementation;
  /** Returns an array of rows: a set-returning function of FROM and of select lists. */
  readonly set?: { readonly columns: readonly { readonly name: string; readonly type: number }[] };
}

export interface OperatorDefinition {
  readonly name: string;
  /** 0 for a prefix operator. */
  readonly left: number;
  readonly right: number;
  readonly result: number;
  readonly implementation: Implementation;
  readonly volatility: 'immutable' | 'stable' | 'volatile';
}
