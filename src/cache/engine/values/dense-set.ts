/**
 * A set of strings, and a map from strings, whose members also stand in an array without gaps.
 *
 *   index   'b' -> 1, 'a' -> 0, 'c' -> 2            Map: is it there, and where
 *   keys    [ 'a', 'b', 'c' ]                        array: one at random, the n-th, all in order
 *
 * Removal closes the gap: in a small set everything behind moves down by one, which keeps the order of
 * insertion; in a large one the last member moves into the gap.
 *
 * Either way members only ever move *down*. That is what SCAN stands on: a scan goes from the end to the
 * front, so a member not yet visited can only move to another place not yet visited, and whatever was there
 * all the time is returned, with no state kept between two calls and however much was added or removed.
 */

/** Up to this size removal keeps the order. */
const ORDERED_SIZE = 128;

export class DenseSet {
  readonly index = new Map<string, number>();
  readonly keys: string[] = [];

  get size(): number {
    return this.keys.length;
  }

  has(key: string): boolean {
    return this.index.has(key);
  }

  /** @returns false when it was there already */
  add(key: string): boolean {
    if (this.index.has(key)) return false;
    this.index.set(key, this.keys.length);
    this.keys.push(key);
    return true;
  }

  /** @returns false when it was not there */
  remove(key: string): boolean {
    const place = this.index.get(key);
    if (place === undefined) return false;
    this.index.delete(key);
    if (this.keys.length <= ORDERED_SIZE) this.closeGapInOrder(place);
    else this.closeGapWithLast(place);
    return true;
  }

  protected closeGapInOrder(place: number): void {
    this.keys.splice(place, 1);
    for (let i = place; i < this.keys.length; i++) this.index.set(this.keys[i]!, i);
  }

  protected closeGapWithLast(place: number): void {
    const last = this.keys.pop()!;
    if (place === this.keys.length) return;
    this.keys[place] = last;
    this.index.set(last, place);
  }
}

export class DenseMap<V> extends DenseSet {
  /** The value of `keys[i]` is `values[i]`. */
  readonly values: V[] = [];

  get(key: string): V | undefined {
    const place = this.index.get(key);
    return place === undefined ? undefined : this.values[place];
  }

  /** @returns true when the key is new */
  set(key: string, value: V): boolean {
    const place = this.index.get(key);
    if (place !== undefined) {
      this.values[place] = value;
      return false;
    }
    this.index.set(key, this.keys.length);
    this.keys.push(key);
    this.values.push(value);
    return true;
  }

  protected override closeGapInOrder(place: number): void {
    this.values.splice(place, 1);
    super.closeGapInOrder(place);
  }

  protected override closeGapWithLast(place: number): void {
    const last = this.values.pop()!;
    if (place < this.values.length) this.values[place] = last;
    super.closeGapWithLast(place);
  }
}

/** The cursor that follows, and what was visited. */
export interface ScanStep {
  readonly cursor: number;
  readonly visited: readonly number[];
}

/**
 * One step of a scan over `size` places, from the end to the front. Cursor 0 begins and a cursor of 0 ends;
 * otherwise it is one more than the next place to visit.
 */
export function scanPlaces(size: number, cursor: number, count: number): ScanStep {
  const visited: number[] = [];
  let place = (cursor === 0 ? size : Math.min(cursor, size)) - 1;
  for (; place >= 0 && visited.length < count; place--) visited.push(place);
  return { cursor: place + 1, visited };
}
