/**
 * Which owner has something to do next: a binary heap of times. An owner may be in it more than once; those
 * that come too late find nothing to do, which is cheaper than taking them out.
 */
interface Deadline<Owner> {
  readonly atMs: number;
  readonly owner: Owner;
}

export class Deadlines<Owner> {
  readonly #heap: Deadline<Owner>[] = [];

  /** The earliest time; undefined when there is none. */
  get nextMs(): number | undefined {
    return this.#heap[0]?.atMs;
  }

  add(atMs: number, owner: Owner): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push({ atMs, owner });
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.#at(parent) <= atMs) break;
      this.#swap(index, parent);
      index = parent;
    }
  }

  /** Takes out the owner of the earliest deadline that is due by `nowMs`. */
  takeDue(nowMs: number): Owner | undefined {
    const [first] = this.#heap;
    if (first === undefined || first.atMs > nowMs) return undefined;
    const last = this.#heap.pop() as Deadline<Owner>;
    if (this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#sink();
    }
    return first.owner;
  }

  #sink(): void {
    let index = 0;
    for (;;) {
      let least = index;
      for (const child of [2 * index + 1, 2 * index + 2]) {
        if (child < this.#heap.length && this.#at(child) < this.#at(least)) least = child;
      }
      if (least === index) return;
      this.#swap(index, least);
      index = least;
    }
  }

  #at(index: number): number {
    return (this.#heap[index] as Deadline<Owner>).atMs;
  }

  #swap(left: number, right: number): void {
    const kept = this.#heap[left] as Deadline<Owner>;
    this.#heap[left] = this.#heap[right] as Deadline<Owner>;
    this.#heap[right] = kept;
  }
}
