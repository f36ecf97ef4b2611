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
 * The order is that of 4 bytes of each key, the first that not all keys here share (pair-sort.ts). So keys that differ
 * only later stay in the order of the journal, which is as right and a little slower.
 *
 * In this order each change lies somewhere else in a hundred megabytes, and to wait for the memory is much of what it
 * costs. So a few dozen of them are looked at in a row before the first is made: then the processor waits for all of
 * them at once. Copying a row takes 0.09 instead of 0.35 us; of a whole replay it is 0.08 us for each change.
 */
import { sortPairs } from './pair-sort.ts';
import { ChangeScanner, keyBytesAt, keyStartOf, treeName } from './record.ts';

/** Changes that wait together: their places and their order take 20 bytes each. */
const CHANGES_MAX = 2 ** 20;
/** Their keys read in one go: a tenth of a millisecond of work. */
const PAIRS_SLICE = 8_192;
/** Applied in one go, in changes and in bytes. */
const APPLY_SLICE = 400;
const APPLY_SLICE_BYTES = 256 * 1_024;
/** Fetched in one go, of each the first three lines: those that follow the processor fetches by itself. */
const FETCH_SLICE = 64;
/** What comes from the memory at once. */
const LINE_BYTES = 64;
/** Behind the last change, for what is fetched of it. */
const FETCH_ROOM_BYTES = 3 * LINE_BYTES;
const STARTS_MIN = 256;
const NEAR_MAX = 8;

/** What is given each change: the tree's name, and the change, which is valid during the call only. */
export type ApplyChange = (tree: string, change: ChangeScanner) => void;

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
  /** Some of the trees: a commit changes a few, by turns, and to make a name to look for costs more than to compare. */
  readonly #near: TreeChanges[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #usedBytes = 0;
  #count = 0;
  /** Where what was looked at goes: without a use of it the compiler would leave out the looking. */
  readonly #looked = new Uint8Array(1);

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
  #makeRoom(usedBytes: number): void {
    if (usedBytes + FETCH_ROOM_BYTES <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(usedBytes, this.#bytesMax) + FETCH_ROOM_BYTES);
    larger.set(this.#bytes.subarray(0, this.#usedBytes));
    this.#bytes = larger;
  }

  #treeOf({ treeStart, treeEnd }: ChangeScanner): TreeChanges {
    const latest = this.#latest;
    if (latest !== undefined && this.#isNameOf(latest, treeStart, treeEnd)) return latest;
    this.#latest =
      this.#near.find((tree) => this.#isNameOf(tree, treeStart, treeEnd)) ??
      this.#treeByName(treeStart, treeEnd);
    return this.#latest;
  }

  #treeByName(treeStart: number, treeEnd: number): TreeChanges {
    const name = treeName(this.#bytes, treeStart, treeEnd);
    let tree = this.#trees.get(name);
    if (tree === undefined) {
      tree = new TreeChanges(name, treeStart, treeEnd - treeStart);
      this.#trees.set(name, tree);
    }
    this.#near.unshift(tree);
    if (this.#near.length > NEAR_MAX) this.#near.pop();
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
   * for about a millisecond, so that others get their turn.
   */
  *drain(apply: ApplyChange): Generator<number, void> {
    for (const tree of this.#trees.values()) yield* this.#drainTree(tree, apply);
    this.#trees.clear();
    this.#latest = undefined;
    this.#near.length = 0;
    this.#usedBytes = 0;
    this.#count = 0;
  }

  *#drainTree(tree: TreeChanges, apply: ApplyChange): Generator<number, void> {
    let start = 0;
    for (const range of [...tree.ranges, tree.count]) {
      yield* this.#drainPart(tree, start, range, apply);
      if (range < tree.count) {
        this.#scanner.at(this.#bytes, tree.starts[range]!);
        apply(tree.name, this.#scanner);
        yield 1;
      }
      start = range + 1;
    }
  }

  /** Applies the changes from `start` up to `end`, none of them a delete-range, in the order of their keys. */
  *#drainPart(tree: TreeChanges, start: number, end: number, apply: ApplyChange): Generator<number, void> {
    if (start === end) return;
    const pairs = yield* this.#sorted(tree, start, end);
    let latest = this.#scanner;
    let next = this.#next;
    let done = 0;
    let doneBytes = 0;
    latest.at(this.#bytes, pairs[1]!);
    for (let first = 2; first < pairs.length; first += 2 * FETCH_SLICE) {
      const last = Math.min(first + 2 * FETCH_SLICE, pairs.length);
      this.#fetch(pairs, first, last);
      for (let at = first; at < last; at += 2) {
        next.at(this.#bytes, pairs[at + 1]!);
        done += 1;
        // Of neighbours of one key the last is made.
        if (!this.#haveSameKey(latest, next)) {
          apply(tree.name, latest);
          doneBytes += latest.restEnd - latest.start;
        }
        [latest, next] = [next, latest];
        if (done < APPLY_SLICE && doneBytes < APPLY_SLICE_BYTES) continue;
        yield done;
        done = 0;
        doneBytes = 0;
      }
    }
    apply(tree.name, latest);
    yield done + 1;
  }

  /** Looks at the changes of the pairs from `first` to `last`. */
  #fetch(pairs: Uint32Array, first: number, last: number): void {
    const bytes = this.#bytes;
    let seen = 0;
    for (let at = first; at < last; at += 2) {
      const start = pairs[at + 1]!;
      seen ^= bytes[start]! ^ bytes[start + LINE_BYTES]! ^ bytes[start + 2 * LINE_BYTES]!;
    }
    this.#looked[0] = seen;
  }

  #haveSameKey(left: ChangeScanner, right: ChangeScanner): boolean {
    const length = left.keyEnd - left.keyStart;
    return length === right.keyEnd - right.keyStart && this.#isSame(left.keyStart, right.keyStart, length);
  }

  /** The changes from `start` up to `end`: of each 4 bytes of its key, zeros where that is shorter, and its place. */
  *#sorted(tree: TreeChanges, start: number, end: number): Generator<number, Uint32Array> {
    const pairs = new Uint32Array(2 * (end - start));
    for (let first = start; first < end; first += PAIRS_SLICE) {
      this.#fillPairs(tree, first, Math.min(first + PAIRS_SLICE, end), pairs, 2 * (first - start));
      if (first + PAIRS_SLICE < end) yield 0;
    }
    const sorting = sortPairs(pairs);
    for (let step = sorting.next(); ; step = sorting.next()) {
      if (step.done === true) return step.value;
      yield 0;
    }
  }

  #fillPairs(tree: TreeChanges, start: number, end: number, pairs: Uint32Array, at: number): void {
    const bytes = this.#bytes;
    const shared = tree.sharedBytes;
    let place = at;
    for (let index = start; index < end; index += 1) {
      const begin = tree.starts[index]!;
      const key = keyStartOf(begin, tree.nameBytes) + shared;
      const left = keyBytesAt(bytes, begin, tree.nameBytes) - shared;
      // Behind the key follows the rest of the change, or the room behind the last.
      const word = (bytes[key]! << 24) | (bytes[key + 1]! << 16) | (bytes[key + 2]! << 8) | bytes[key + 3]!;
      pairs[place] = left >= 4 ? word : left <= 0 ? 0 : word & (-1 << (32 - 8 * left));
      pairs[place + 1] = begin;
      place += 2;
    }
  }
}
