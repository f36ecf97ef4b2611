/**
 * A queue of items in ascending order of `position`, in one array with free room at its front:
 *
 *     [ free … | first … last ]
 *              start
 *
 * Taking from the front and adding at either end cost O(1); putting an item back into its place costs as
 * many steps as there are items in front of that place, which for requeued messages are few.
 */
export class PositionDeque<Item extends { readonly position: number }> {
  #items: (Item | undefined)[] = [];
  #start = 0;

  get length(): number {
    return this.#items.length - this.#start;
  }

  get first(): Item | undefined {
    return this.#items[this.#start];
  }

  get last(): Item | undefined {
    return this.length === 0 ? undefined : this.#items[this.#items.length - 1];
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  shift(): Item | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#start];
    this.#items[this.#start] = undefined;
    this.#start += 1;
    if (this.#start > 64 && this.#start * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#start);
      this.#start = 0;
    }
    return item;
  }

  pop(): Item | undefined {
    return this.length === 0 ? undefined : this.#items.pop();
  }

  /** Puts `item` into the place that its position names. */
  insert(item: Item): void {
    if (this.#start === 0) this.#makeRoom();
    let index = this.#start - 1;
    this.#start = index;
    for (; index + 1 < this.#items.length; index++) {
      const next = this.#items[index + 1] as Item;
      if (next.position > item.position) break;
      this.#items[index] = next;
    }
    this.#items[index] = item;
  }

  clear(): void {
    this.#items = [];
    this.#start = 0;
  }

  *[Symbol.iterator](): Generator<Item> {
    for (let index = this.#start; index < this.#items.length; index++) yield this.#items[index] as Item;
  }

  #makeRoom(): void {
    const room = Math.max(16, this.#items.length);
    this.#items = [...new Array<undefined>(room), ...this.#items];
    this.#start = room;
  }
}
