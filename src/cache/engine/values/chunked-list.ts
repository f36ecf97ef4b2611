/**
 * A list of strings as a row of chunks of up to 128. Both ends take and give in O(1); a place in the middle
 * is found by passing over whole chunks, from the nearer end.
 *
 *   [ a b c ]  [ d e f g ... ]  [ x y ]
 *   ^ shift/unshift                   ^ push/pop
 */

const CHUNK = 128;

interface Place {
  readonly chunk: number;
  readonly within: number;
}

export class ChunkedList {
  #chunks: string[][] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(item: string): void {
    const last = this.#chunks.at(-1);
    if (last === undefined || last.length >= CHUNK) this.#chunks.push([item]);
    else last.push(item);
    this.#size++;
  }

  unshift(item: string): void {
    const first = this.#chunks[0];
    if (first === undefined || first.length >= CHUNK) this.#chunks.unshift([item]);
    else first.unshift(item);
    this.#size++;
  }

  pop(): string | undefined {
    const last = this.#chunks.at(-1);
    if (last === undefined) return undefined;
    const item = last.pop()!;
    if (last.length === 0) this.#chunks.pop();
    this.#size--;
    return item;
  }

  shift(): string | undefined {
    const first = this.#chunks[0];
    if (first === undefined) return undefined;
    const item = first.shift()!;
    if (first.length === 0) this.#chunks.shift();
    this.#size--;
    return item;
  }

  /** 0 <= index < size */
  at(index: number): string {
    const { chunk, within } = this.#place(index);
    return this.#chunks[chunk]![within]!;
  }

  /** @returns what was there before */
  set(index: number, item: string): string {
    const { chunk, within } = this.#place(index);
    const before = this.#chunks[chunk]![within]!;
    this.#chunks[chunk]![within] = item;
    return before;
  }

  /** Puts the item in front of what is at `index`; 0 <= index <= size. */
  insert(index: number, item: string): void {
    if (index === this.#size) {
      this.push(item);
      return;
    }
    const { chunk, within } = this.#place(index);
    const row = this.#chunks[chunk]!;
    row.splice(within, 0, item);
    this.#size++;
    if (row.length > CHUNK) this.#chunks.splice(chunk + 1, 0, row.splice(CHUNK / 2));
  }

  removeAt(index: number): string {
    const { chunk, within } = this.#place(index);
    const row = this.#chunks[chunk]!;
    const item = row.splice(within, 1)[0]!;
    if (row.length === 0) this.#chunks.splice(chunk, 1);
    this.#size--;
    return item;
  }

  /** Items from `from` on, upward; the list must not change meanwhile. */
  *from(from: number): Generator<string> {
    if (from >= this.#size) return;
    let { chunk, within } = this.#place(from);
    for (; chunk < this.#chunks.length; chunk++, within = 0) {
      const row = this.#chunks[chunk]!;
      for (; within < row.length; within++) yield row[within]!;
    }
  }

  /** Items from `from` on, downward. */
  *backFrom(from: number): Generator<string> {
    if (from < 0 || this.#size === 0) return;
    const start = this.#place(from);
    for (let chunk = start.chunk; chunk >= 0; chunk--) {
      const row = this.#chunks[chunk]!;
      for (let i = chunk === start.chunk ? start.within : row.length - 1; i >= 0; i--) yield row[i]!;
    }
  }

  /** Items `from` up to and without `end`, with whole chunks copied at once. */
  slice(from: number, end: number): string[] {
    if (from >= end) return [];
    const items: string[] = [];
    let { chunk, within } = this.#place(from);
    while (items.length < end - from) {
      const row = this.#chunks[chunk++]!;
      const stop = Math.min(row.length, within + end - from - items.length);
      for (; within < stop; within++) items.push(row[within]!);
      within = 0;
    }
    return items;
  }

  #place(index: number): Place {
    if (index > this.#size / 2) return this.#placeFromEnd(index);
    let rest = index;
    let chunk = 0;
    while (rest >= this.#chunks[chunk]!.length) rest -= this.#chunks[chunk++]!.length;
    return { chunk, within: rest };
  }

  #placeFromEnd(index: number): Place {
    let behind = this.#size;
    let chunk = this.#chunks.length;
    while (behind > index) behind -= this.#chunks[--chunk]!.length;
    return { chunk, within: index - behind };
  }
}
