/**
 * Changes of the journal on their way to the trees, put in the order of their keys.
 *
 *   records ─▶ ┌ bytes, copied as they are ──────────────┐
 *              │ put b=1, put a=1, put b=2, delete a, …  │ ─▶ for each tree: delete a, put b=2, …
 *              └─────────────────────────────────────────┘
 *
 * In the order of the journal every change finds its leaf anew, on a page that has often left the cache or the
 * memory since the last one. In the order of the keys neighbours share their leaf, each page comes up once for
 * all its changes, and of several changes of a key only the last is made.
 *
 * Nothing else may come of it: changes of different keys may trade places, those of one key may not, and
 * nothing passes a delete-range of its tree. The state in the midst of it is none that ever was: no checkpoint
 * may be taken there.
 *
 * The order is that of numbers, one for each change, which are sorted natively:
 *
 *   4 bytes of the key, after those that all keys here share │ 20 bits: which change it is
 *
 * So keys that differ only later stay in the order of the journal, which is as right and a little slower.
 */
import { ChangeScanner, changeAt, treeName } from './record.ts';
import type { Change } from './types.ts';

/** One tree's changes waiting together: what 20 bits can number. */
const CHANGES_MAX = 2 ** 20;
/** Sorted in one go: well under a millisecond of work. */
const RUN = 8_192;
/** Merged, or given a number, in one go. */
const MERGE_SLICE = 65_536;
/** Applied in one go, in changes and in bytes. */
const APPLY_SLICE = 400;
const APPLY_SLICE_BYTES = 256 * 1_024;
const STARTS_MIN = 256;

/** The changes of one tree. */
class TreeChanges {
  readonly name: string;
  /** The name's place in the bytes. */
  readonly nameStart: number;
  readonly nameBytes: number;
  /** Where each change begins, in the order of the journal. */
  starts: Uint32Array = new Uint32Array(STARTS_MIN);
  count = 0;
  /** The delete-ranges among them. */
  readonly ranges: number[] = [];
  /** Where the key lies that the others are compared with, and how many bytes all of them begin with. */
  sharedStart = 0;
  sharedBytes = Number.POSITIVE_INFINITY;

  constructor(name: string, nameStart: number, nameBytes: number) {
    this.name = name;
    this.nameStart = nameStart;
    this.nameBytes = nameBytes;
  }

  add(start: number): void {
    if (this.count === this.starts.length) {
      const larger = new Uint32Array(this.count * 2);
      larger.set(this.starts);
      this.starts = larger;
    }
    this.starts[this.count] = start;
    this.count += 1;
  }
}

export class PendingChanges {
  readonly #bytesMax: number;
  readonly #scanner = new ChangeScanner();
  readonly #next = new ChangeScanner();
  readonly #trees = new Map<string, TreeChanges>();
  #latest: TreeChanges | undefined;
  /** A plain array: parts of one are made in half the time that parts of a Buffer take. */
  #bytes: Uint8Array = new Uint8Array(0);
  #usedBytes = 0;
  #count = 0;

  /** @param bytesMax records that wait together; a single larger one is taken alone */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Changes that wait. */
  get count(): number {
    return this.#count;
  }

  /** True when records of so many bytes may be added before what waits is applied. */
  takes(bytes: number): boolean {
    return this.#usedBytes === 0 || (this.#usedBytes + bytes <= this.#bytesMax && this.#count < CHANGES_MAX);
  }

  /**
   * Adds all changes of a record.
   * @throws StoreError `newer-format`; `corrupt` when the record was not written by `encodeCommit`
   */
  add(record: Uint8Array): void {
    const start = this.#usedBytes;
    this.#makeRoom(start + record.length);
    this.#bytes.set(record, start);
    this.#usedBytes = start + record.length;
    const scanner = this.#scanner;
    for (scanner.open(this.#bytes, start, this.#usedBytes); scanner.next(); ) {
      const tree = this.#treeOf(scanner);
      if (scanner.kind === 'delete-range') tree.ranges.push(tree.count);
      else tree.sharedBytes = this.#sharedWith(tree);
      tree.add(scanner.start);
      this.#count += 1;
    }
  }

  /** All at once: memory that is not written to costs nothing. */
  #makeRoom(neededBytes: number): void {
    if (neededBytes <= this.#bytes.length) return;
    const larger = new Uint8Array(Buffer.allocUnsafeSlow(Math.max(neededBytes, this.#bytesMax)).buffer);
    larger.set(this.#bytes.subarray(0, this.#usedBytes));
    this.#bytes = larger;
  }

  #treeOf({ treeStart, treeEnd }: ChangeScanner): TreeChanges {
    const latest = this.#latest;
    if (latest !== undefined && this.#isNameOf(latest, treeStart, treeEnd)) return latest;
    const name = treeName(this.#bytes, treeStart, treeEnd);
    let tree = this.#trees.get(name);
    if (tree === undefined) {
      tree = new TreeChanges(name, treeStart, treeEnd - treeStart);
      this.#trees.set(name, tree);
    }
    this.#latest = tree;
    return tree;
  }

  /** How many bytes the keys of the tree and of the change at hand begin with. */
  #sharedWith(tree: TreeChanges): number {
    const { keyStart, keyEnd } = this.#scanner;
    const bytes = this.#bytes;
    if (tree.sharedBytes === Number.POSITIVE_INFINITY) tree.sharedStart = keyStart;
    const most = Math.min(tree.sharedBytes, keyEnd - keyStart);
    let shared = 0;
    while (shared < most && bytes[tree.sharedStart + shared] === bytes[keyStart + shared]) shared += 1;
    return shared;
  }

  #isNameOf(tree: TreeChanges, start: number, end: number): boolean {
    return end - start === tree.nameBytes && this.#isSame(tree.nameStart, start, tree.nameBytes);
  }

  #isSame(left: number, right: number, length: number): boolean {
    const bytes = this.#bytes;
    for (let index = 0; index < length; index += 1) {
      if (bytes[left + index] !== bytes[right + index]) return false;
    }
    return true;
  }

  /**
   * Gives all that waits to `apply`, and is empty then. Yields how many changes are done whenever it has worked
   * for about a millisecond, so that others get their turn. What a change refers to is valid during the call only.
   */
  *drain(apply: (change: Change) => void): Generator<number, void> {
    for (const tree of this.#trees.values()) yield* this.#drainTree(tree, apply);
    this.#trees.clear();
    this.#latest = undefined;
    this.#usedBytes = 0;
    this.#count = 0;
  }

  *#drainTree(tree: TreeChanges, apply: (change: Change) => void): Generator<number, void> {
    let start = 0;
    for (const range of [...tree.ranges, tree.count]) {
      yield* this.#drainPart(tree, start, range, apply);
      if (range < tree.count) {
        this.#apply(tree, range, apply);
        yield 1;
      }
      start = range + 1;
    }
  }

  /** Applies the changes from `start` up to `end`, none of them a delete-range, in the order of their keys. */
  *#drainPart(
    tree: TreeChanges,
    start: number,
    end: number,
    apply: (change: Change) => void,
  ): Generator<number, void> {
    if (end - start < 2) {
      if (end > start) this.#apply(tree, start, apply);
      yield end - start;
      return;
    }
    const order = yield* sorted(yield* this.#numbers(tree, start, end));
    const bytes = this.#bytes;
    const place = (index: number): number => tree.starts[start + (order[index]! % CHANGES_MAX)]!;
    let scanner = this.#scanner;
    let next = this.#next;
    let done = 0;
    let doneBytes = 0;
    scanner.at(bytes, place(0));
    for (let index = 1; index <= order.length; index += 1) {
      if (index < order.length) next.at(bytes, place(index));
      done += 1;
      // Of neighbours of one key the last is made.
      if (index === order.length || !this.#haveSameKey(scanner, next)) {
        apply(changeAt(scanner, bytes, tree.name));
        doneBytes += scanner.restEnd - scanner.start;
      }
      [scanner, next] = [next, scanner];
      if (done < APPLY_SLICE && doneBytes < APPLY_SLICE_BYTES) continue;
      yield done;
      done = 0;
      doneBytes = 0;
    }
    yield done;
  }

  #apply(tree: TreeChanges, index: number, apply: (change: Change) => void): void {
    this.#scanner.at(this.#bytes, tree.starts[index]!);
    apply(changeAt(this.#scanner, this.#bytes, tree.name));
  }

  #haveSameKey(left: ChangeScanner, right: ChangeScanner): boolean {
    const length = left.keyEnd - left.keyStart;
    return length === right.keyEnd - right.keyStart && this.#isSame(left.keyStart, right.keyStart, length);
  }

  /** The number of each change, as the file head has it. */
  *#numbers(tree: TreeChanges, start: number, end: number): Generator<number, Float64Array> {
    const numbers = new Float64Array(end - start);
    const shared = tree.sharedBytes;
    const bytes = this.#bytes;
    const scanner = this.#scanner;
    for (let index = 0; index < numbers.length; index += 1) {
      scanner.at(this.#bytes, tree.starts[start + index]!);
      const length = scanner.keyEnd - scanner.keyStart;
      let prefix = 0;
      for (let at = shared; at < shared + 4; at += 1) {
        prefix = prefix * 256 + (at < length ? bytes[scanner.keyStart + at]! : 0);
      }
      numbers[index] = prefix * CHANGES_MAX + index;
      if (index % RUN === RUN - 1) yield 0;
    }
    return numbers;
  }
}

/** Sorts `numbers`, yielding now and then: runs first, which are then merged in pairs until one is left. */
function* sorted(numbers: Float64Array): Generator<number, Float64Array> {
  for (let start = 0; start < numbers.length; start += RUN) {
    numbers.subarray(start, start + RUN).sort();
    yield 0;
  }
  let from: Float64Array = numbers;
  let to: Float64Array = new Float64Array(numbers.length > RUN ? numbers.length : 0);
  for (let width = RUN; width < numbers.length; width *= 2) {
    for (let start = 0; start < from.length; start += 2 * width) {
      yield* merge(from, start, Math.min(start + width, from.length), start + 2 * width, to);
    }
    [from, to] = [to, from];
  }
  return from;
}

/** Merges the runs from `start` to `middle` and from there to `end` of `from` into the same places of `to`. */
function* merge(
  from: Float64Array,
  start: number,
  middle: number,
  limit: number,
  to: Float64Array,
): Generator<number, void> {
  const end = Math.min(limit, from.length);
  let left = start;
  let right = middle;
  for (let at = start; at < end; at += 1) {
    const takesLeft = right >= end || (left < middle && from[left]! < from[right]!);
    to[at] = takesLeft ? from[left++]! : from[right++]!;
    if (at % MERGE_SLICE === MERGE_SLICE - 1) yield 0;
  }
}
