/**
 * What happens next: a binary heap by deadline whose members know their place, so that a deadline can be
 * changed or withdrawn in O(log n). Members are also an array, from which one can be drawn at random.
 */
import { assert } from '../../core/assert.ts';

export interface Expiring {
  /** Milliseconds; whatever clock the heap's owner uses. Do not change while in the heap but by `update`. */
  deadline: number | undefined;
  /** Where the heap keeps it; -1 when it does not. The heap's alone. */
  heapPosition: number;
}

export class DeadlineHeap<T extends Expiring> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  first(): T | undefined {
    return this.#items[0];
  }

  /** The member at a place, for sampling: 0 <= position < size. */
  at(position: number): T {
    return this.#items[position]!;
  }

  /** Adds the item, or moves it, so that it is due at `deadline`. */
  update(item: T, deadline: number): void {
    item.deadline = deadline;
    if (item.heapPosition < 0) {
      item.heapPosition = this.#items.length;
      this.#items.push(item);
    }
    this.#rise(item.heapPosition);
    this.#sink(item.heapPosition);
  }

  /** Takes the item out; its deadline becomes undefined. Nothing happens when it is not in. */
  remove(item: T): void {
    item.deadline = undefined;
    const position = item.heapPosition;
    if (position < 0) return;
    assert(this.#items[position] === item, 'a heap member is where it says');
    const last = this.#items.pop()!;
    item.heapPosition = -1;
    if (last === item) return;
    this.#put(last, position);
    this.#rise(position);
    this.#sink(last.heapPosition);
  }

  clear(): void {
    for (const item of this.#items) item.heapPosition = -1;
    this.#items.length = 0;
  }

  #put(item: T, position: number): void {
    this.#items[position] = item;
    item.heapPosition = position;
  }

  #rise(from: number): void {
    const item = this.#items[from]!;
    let position = from;
    while (position > 0) {
      const parent = this.#items[(position - 1) >> 1]!;
      if (parent.deadline! <= item.deadline!) break;
      this.#put(parent, position);
      position = (position - 1) >> 1;
    }
    this.#put(item, position);
  }

  #sink(from: number): void {
    const items = this.#items;
    const item = items[from]!;
    let position = from;
    for (;;) {
      let child = position * 2 + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && items[child + 1]!.deadline! < items[child]!.deadline!) child++;
      if (items[child]!.deadline! >= item.deadline!) break;
      this.#put(items[child]!, position);
      position = child;
    }
    this.#put(item, position);
  }
}
