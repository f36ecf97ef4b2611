/**
 * Who owes how much, in bounded memory: for each key the moment at which it is out of debt.
 *
 *   map    key → entry                        a heap of entries, the soonest out of debt on top
 *   heap   [ 3 s ]
 *          [ 5 s ][ 4 s ]
 *          [ 9 s ] …
 *
 * An entry that is out of debt says nothing and is dropped. When all entries owe and a new key comes, it takes the
 * place of the one on top *and its debt*: the counting of Metwally, Agrawal and El Abbadi ("Space-Saving", 2005). So
 * nobody is ever believed to owe less than he does. Neither a flood of fresh keys washes out the debt of an old one
 * (as with the least recently used), nor do a few keys by turns come back clean (as with the least indebted alone).
 * The price: while the table is full, newcomers begin with the least debt in it.
 */

interface Entry {
  key: string;
  clearAtMs: number;
  /** Its place in the heap. */
  place: number;
}

/** Expired entries dropped at each call: more than one, so that the table shrinks, and few, so that no call is long. */
const DROPPED_AT_ONCE = 2;

export class Debts {
  readonly #entries = new Map<string, Entry>();
  readonly #heap: Entry[] = [];
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** How far from now the key is out of debt, milliseconds. */
  debtMs(key: string, nowMs: number): number {
    this.#dropCleared(nowMs);
    const clearAtMs = this.#entries.get(key)?.clearAtMs ?? this.#leastWhenFull();
    return Math.max(0, clearAtMs - nowMs);
  }

  /** Records a debt, which is never less than what `debtMs` told. */
  owe(key: string, clearAtMs: number): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) this.#defer(entry, clearAtMs);
    else if (this.#heap.length < this.#capacity) this.#add(copied(key), clearAtMs);
    else this.#replaceLeast(copied(key), clearAtMs);
  }

  #leastWhenFull(): number {
    return this.#heap.length < this.#capacity ? Number.NEGATIVE_INFINITY : this.#heap[0]!.clearAtMs;
  }

  #dropCleared(nowMs: number): void {
    for (let dropped = 0; dropped < DROPPED_AT_ONCE; dropped++) {
      const least = this.#heap[0];
      if (least === undefined || least.clearAtMs > nowMs) return;
      this.#entries.delete(least.key);
      const last = this.#heap.pop()!;
      if (last !== least) this.#sink(last, 0);
    }
  }

  #add(key: string, clearAtMs: number): void {
    const entry = { key, clearAtMs, place: this.#heap.length };
    this.#entries.set(key, entry);
    this.#heap.push(entry);
    this.#rise(entry);
  }

  #replaceLeast(key: string, clearAtMs: number): void {
    const least = this.#heap[0]!;
    this.#entries.delete(least.key);
    least.key = key;
    this.#entries.set(key, least);
    this.#defer(least, clearAtMs);
  }

  #defer(entry: Entry, clearAtMs: number): void {
    entry.clearAtMs = clearAtMs;
    this.#sink(entry, entry.place);
  }

  #put(entry: Entry, place: number): void {
    entry.place = place;
    this.#heap[place] = entry;
  }

  #rise(entry: Entry): void {
    let place = entry.place;
    while (place > 0) {
      const parent = this.#heap[(place - 1) >> 1]!;
      if (parent.clearAtMs <= entry.clearAtMs) break;
      this.#put(parent, place);
      place = (place - 1) >> 1;
    }
    this.#put(entry, place);
  }

  #sink(entry: Entry, from: number): void {
    let place = from;
    for (;;) {
      const child = this.#lesserChild(place);
      if (child === undefined || child.clearAtMs >= entry.clearAtMs) break;
      const next = child.place;
      this.#put(child, place);
      place = next;
    }
    this.#put(entry, place);
  }

  #lesserChild(place: number): Entry | undefined {
    const left = this.#heap[2 * place + 1];
    const right = this.#heap[2 * place + 2];
    if (left === undefined || right === undefined) return left;
    return right.clearAtMs < left.clearAtMs ? right : left;
  }
}

/** A string of its own: one cut out of a head would keep the whole head in memory. */
function copied(key: string): string {
  return Buffer.from(key, 'utf16le').toString('utf16le');
}
