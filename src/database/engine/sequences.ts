/**
 * Sequences count outside of transactions: what nextval gave is never given again, whoever rolls back.
 *
 * The store is told ahead: each write covers the next 32 values, so that most calls write nothing, and a
 * crash leaves a gap of at most 31. Commits become durable in order, so a row that was acknowledged was
 * preceded by the note that covers its number.
 */
import { DatabaseError } from '../errors.ts';
import type { Sequence } from './catalog/catalog.ts';
import type { RowStore, StoreChange } from './database.ts';
import { oidKey, SEQUENCE_TREE } from './storage/trees.ts';

const LOG_AHEAD = 32n;

interface State {
  last: bigint;
  isCalled: boolean;
  /** Values up to this one are covered by what is stored. */
  covered: bigint | undefined;
  /** What a restart replaced, while the transaction that restarted it is open: nothing is stored meanwhile. */
  before?: State;
}

export class SequenceTable {
  readonly #store: RowStore;
  readonly #states = new Map<number, State>();

  readonly #undone: (thrown: unknown) => void;

  /** @param undone called when what was noted here could not be made durable */
  constructor(store: RowStore, undone: (thrown: unknown) => void) {
    this.#store = store;
    this.#undone = undone;
  }

  /** @throws DatabaseError 2200H at the end of the range */
  next(sequence: Sequence): bigint {
    const state = this.#stateOf(sequence);
    const value = state.isCalled ? advance(sequence, state.last) : state.last;
    state.last = value;
    state.isCalled = true;
    const passed =
      state.covered === undefined ||
      (sequence.increment > 0n ? value > state.covered : value < state.covered);
    if (passed && state.before === undefined)
      this.#save(sequence, state, bounded(sequence, value + sequence.increment * (LOG_AHEAD - 1n)));
    return value;
  }

  set(sequence: Sequence, value: bigint, isCalled: boolean): void {
    if (value < sequence.minimum || value > sequence.maximum)
      throw new DatabaseError(
        '22003',
        `setval: value ${value} is out of bounds for sequence "${sequence.name}" (${sequence.minimum}..${sequence.maximum})`,
      );
    const state: State = { last: value, isCalled, covered: undefined };
    this.#states.set(sequence.oid, state);
    this.#save(sequence, state, value);
    // What is stored says that `value` was not given yet: giving it must be stored too.
    if (!isCalled) state.covered = undefined;
  }

  state(sequence: Sequence): { readonly last: bigint; readonly isCalled: boolean } {
    const { last, isCalled } = this.#stateOf(sequence);
    return { last, isCalled };
  }

  /** Begins again, for good only with the commit: the table it belongs to is locked until then. */
  restart(sequence: Sequence): void {
    const before = this.#stateOf(sequence);
    this.#states.set(sequence.oid, { last: sequence.start, isCalled: false, covered: undefined, before });
  }

  undoRestarts(sequences: readonly Sequence[]): void {
    for (const { oid } of sequences.toReversed()) {
      const before = this.#states.get(oid)?.before;
      if (before !== undefined) this.#states.set(oid, before);
    }
  }

  /** A commit was undone: for these sequences, or all, what is stored counts again. Whoever was given numbers
   * that are not covered by it cannot commit them. */
  forget(sequences?: readonly Sequence[]): void {
    if (sequences === undefined) this.#states.clear();
    else for (const { oid } of sequences) this.#states.delete(oid);
  }

  /** What a commit stores of the sequences it restarted. */
  commitRestarts(sequences: readonly Sequence[]): StoreChange[] {
    return sequences.map((sequence) => {
      const state = this.#stateOf(sequence);
      delete state.before;
      const ahead = bounded(sequence, state.last + sequence.increment * (LOG_AHEAD - 1n));
      state.covered = state.isCalled ? ahead : undefined;
      return stateRow(sequence, state.isCalled ? ahead : state.last, state.isCalled);
    });
  }

  /** What a commit stores of a sequence it drops. */
  drop(oid: number): StoreChange {
    this.#states.delete(oid);
    return { kind: 'delete', tree: SEQUENCE_TREE, key: oidKey(oid) };
  }

  #stateOf(sequence: Sequence): State {
    let state = this.#states.get(sequence.oid);
    if (state === undefined) {
      state = readState(this.#store.get(SEQUENCE_TREE, oidKey(sequence.oid))) ?? {
        last: sequence.start,
        isCalled: false,
        covered: undefined,
      };
      this.#states.set(sequence.oid, state);
    }
    return state;
  }

  #save(sequence: Sequence, state: State, covered: bigint): void {
    state.covered = covered;
    // The reply that carries the value waits for `settled`, and so for this.
    this.#store.commit([stateRow(sequence, covered, state.isCalled)]).catch(this.#undone);
  }
}

function stateRow({ oid }: Sequence, last: bigint, isCalled: boolean): StoreChange {
  const value = Buffer.alloc(9);
  value.writeBigInt64BE(last);
  value[8] = isCalled ? 1 : 0;
  return { kind: 'put', tree: SEQUENCE_TREE, key: oidKey(oid), value };
}

function readState(bytes: Buffer | undefined): State | undefined {
  if (bytes === undefined) return undefined;
  const last = bytes.readBigInt64BE();
  const isCalled = bytes[8] === 1;
  return { last, isCalled, covered: isCalled ? last : undefined };
}

function bounded({ minimum, maximum }: Sequence, value: bigint): bigint {
  return value > maximum ? maximum : value < minimum ? minimum : value;
}

function advance(sequence: Sequence, last: bigint): bigint {
  const { increment, minimum, maximum, cycle, name } = sequence;
  const value = last + increment;
  if (value >= minimum && value <= maximum) return value;
  if (cycle) return increment > 0n ? minimum : maximum;
  const [edge, limit] = increment > 0n ? ['maximum', maximum] : ['minimum', minimum];
  throw new DatabaseError('2200H', `nextval: reached ${edge} value of sequence "${name}" (${limit})`);
}
