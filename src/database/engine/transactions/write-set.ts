/**
 * What a transaction has written and not committed: per tree an ordered map of keys to values, with a mark
 * for deleted ones, laid over the store when the transaction reads.
 *
 *   store      a=1   b=2         d=4
 *   write set        b=†   c=3          †: deleted
 *   view       a=1         c=3   d=4
 *
 * An undo log takes everything back to a savepoint, or to the start of a statement that failed or must wait.
 */
import { compareBytes } from '../../../core/bytes/compare.ts';
import { DatabaseError } from '../../errors.ts';
import type { ReadRange, RowEntry } from '../execute/view.ts';

/** Entries of one block of an ordered map before it is split. */
const BLOCK = 256;

type Stored = Buffer | null;

interface Block {
  readonly keys: Buffer[];
  readonly values: Stored[];
}

class OrderedMap {
  readonly #blocks: Block[] = [{ keys: [], values: [] }];

  get(key: Uint8Array): Stored | undefined {
    const block = this.#blocks[this.#blockOf(key)]!;
    const at = lowerBound(block.keys, key);
    return at < block.keys.length && compareBytes(block.keys[at]!, key) === 0 ? block.values[at] : undefined;
  }

  /** @returns what was there before; undefined when nothing */
  set(key: Buffer, value: Stored | undefined): Stored | undefined {
    const index = this.#blockOf(key);
    const block = this.#blocks[index]!;
    const at = lowerBound(block.keys, key);
    const present = at < block.keys.length && compareBytes(block.keys[at]!, key) === 0;
    const before = present ? block.values[at] : undefined;
    if (value === undefined) {
      if (present) this.#remove(index, at);
    } else if (present) block.values[at] = value;
    else this.#insert(index, at, key, value);
    return before;
  }

  #insert(index: number, at: number, key: Buffer, value: Stored): void {
    const block = this.#blocks[index]!;
    block.keys.splice(at, 0, key);
    block.values.splice(at, 0, value);
    if (block.keys.length <= BLOCK) return;
    // Keys that only grow leave full blocks behind.
    const middle = at === block.keys.length - 1 ? BLOCK : BLOCK / 2;
    this.#blocks.splice(index + 1, 0, {
      keys: block.keys.splice(middle),
      values: block.values.splice(middle),
    });
  }

  #remove(index: number, at: number): void {
    const block = this.#blocks[index]!;
    block.keys.splice(at, 1);
    block.values.splice(at, 1);
    if (block.keys.length === 0 && this.#blocks.length > 1) this.#blocks.splice(index, 1);
  }

  /** The last block whose first key is not after `key`. */
  #blockOf(key: Uint8Array): number {
    let low = 0;
    let high = this.#blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      const first = this.#blocks[middle]!.keys[0];
      if (first !== undefined && compareBytes(first, key) <= 0) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  *range({ from, to, reverse }: ReadRange): Generator<readonly [Buffer, Stored]> {
    if (reverse === true) yield* this.#backward(from, to);
    else yield* this.#forward(from, to);
  }

  *#forward(from: Uint8Array | undefined, to: Uint8Array | undefined): Generator<readonly [Buffer, Stored]> {
    const first = from === undefined ? 0 : this.#blockOf(from);
    for (let b = first; b < this.#blocks.length; b++) {
      const { keys, values } = this.#blocks[b]!;
      for (let i = b === first && from !== undefined ? lowerBound(keys, from) : 0; i < keys.length; i++) {
        if (to !== undefined && compareBytes(keys[i]!, to) >= 0) return;
        yield [keys[i]!, values[i]!];
      }
    }
  }

  *#backward(from: Uint8Array | undefined, to: Uint8Array | undefined): Generator<readonly [Buffer, Stored]> {
    const last = to === undefined ? this.#blocks.length - 1 : this.#blockOf(to);
    for (let b = last; b >= 0; b--) {
      const { keys, values } = this.#blocks[b]!;
      for (let i = (b === last && to !== undefined ? lowerBound(keys, to) : keys.length) - 1; i >= 0; i--) {
        if (from !== undefined && compareBytes(keys[i]!, from) < 0) return;
        yield [keys[i]!, values[i]!];
      }
    }
  }
}

function lowerBound(keys: readonly Buffer[], key: Uint8Array): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareBytes(keys[middle]!, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

interface Undo {
  readonly map: OrderedMap;
  readonly key: Buffer;
  readonly before: Stored | undefined;
  readonly bytes: number;
}

export class WriteSet {
  readonly #trees = new Map<string, OrderedMap>();
  readonly #undo: Undo[] = [];
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get isEmpty(): boolean {
    return this.#undo.length === 0;
  }

  /** Undefined: not written here. Null: deleted here. */
  get(tree: string, key: Uint8Array): Stored | undefined {
    return this.#trees.get(tree)?.get(key);
  }

  touches(tree: string): boolean {
    return this.#trees.has(tree);
  }

  put(tree: string, key: Buffer, value: Buffer): void {
    this.#write(tree, key, value, key.length + value.length);
  }

  delete(tree: string, key: Buffer): void {
    this.#write(tree, key, null, key.length);
  }

  #write(tree: string, key: Buffer, value: Stored, bytes: number): void {
    this.#bytes += bytes + 16;
    if (this.#bytes > this.#maxBytes)
      throw new DatabaseError('54000', 'transaction is too large', {
        detail: `A transaction may write at most ${this.#maxBytes} bytes.`,
        hint: 'Split it into several transactions.',
      });
    let map = this.#trees.get(tree);
    if (map === undefined) {
      map = new OrderedMap();
      this.#trees.set(tree, map);
    }
    this.#undo.push({ map, key, before: map.set(key, value), bytes: bytes + 16 });
  }

  /** Where `rewind` may return to. */
  mark(): number {
    return this.#undo.length;
  }

  rewind(mark: number): void {
    while (this.#undo.length > mark) {
      const { map, key, before, bytes } = this.#undo.pop()!;
      map.set(key, before);
      this.#bytes -= bytes;
    }
  }

  range(tree: string, range: ReadRange): Iterator<readonly [Buffer, Stored]> | undefined {
    return this.#trees.get(tree)?.range(range);
  }

  *entries(): Generator<readonly [tree: string, key: Buffer, value: Stored]> {
    for (const [tree, map] of this.#trees) for (const [key, value] of map.range({})) yield [tree, key, value];
  }
}

/** The store's entries with the write set's laid over them, in order. */
export function* overlay(
  below: Iterable<RowEntry>,
  above: Iterator<readonly [Buffer, Stored]>,
  reverse: boolean,
): Generator<RowEntry> {
  const sign = reverse ? -1 : 1;
  let written = above.next();
  for (const entry of below) {
    let hidden = false;
    while (!hidden && written.done !== true) {
      const [key, value] = written.value;
      const order = sign * compareBytes(key, entry.key);
      if (order > 0) break;
      if (value !== null) yield { key, value };
      hidden = order === 0;
      written = above.next();
    }
    if (!hidden) yield entry;
  }
  while (written.done !== true) {
    const [key, value] = written.value;
    if (value !== null) yield { key, value };
    written = above.next();
  }
}
