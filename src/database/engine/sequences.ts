/**
 * Sequences count outside of transactions: what nextval gave is never given again, whoever rolls back.
 *
 * The store is told ahead: each write covers the next 32 values, so that most calls write nothing, and a
 * crash leaves a gap of at most 31. Commits become durable in order, so a row that was acknowledged was
 * preceded by the note that covers its number.
 */
import { DatabaseError } from '../errors.ts';
import type { Sequence } from './catalog/catalog.ts';
import type { RowStore } from './database.ts';
import { oidKey, SEQUENCE_TREE } from './storage/trees.ts';

const LOG_AHEAD = 32n;

interface State {
  last: bigint;
  isCalled: boolean;
  /** Values up to this one are covered by what is stored. */
  covered: bigint | undefined;
}

export class SequenceTable {
  readonly #store: RowStore;
  readonly #states = new Map<number, State>();

  constructor(store: RowStore) {
    this.#store = store;
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
    if (passed) this.#save(sequence, state, bounded(sequence, value + sequence.increment * (LOG_AHEAD - 1n)));
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

  forget(oid: number): void {
    this.#states.delete(oid);
    // A failure shows at the next commit, and a row of a dropped sequence harms nobody.
    this.#store.commit([{ kind: 'delete', tree: SEQUENCE_TREE, key: oidKey(oid) }]).catch(() => undefined);
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
    const value = Buffer.alloc(9);
    value.writeBigInt64BE(covered);
    value[8] = state.isCalled ? 1 : 0;
    state.covered = covered;
    // The reply that carries the value waits for `settled`, and so for this.
    this.#store
      .commit([{ kind: 'put', tree: SEQUENCE_TREE, key: oidKey(sequence.oid), value }])
      .catch(() => undefined);
  }
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
