/**
 * Topic patterns in a tree of words, so that a routing key is matched against all patterns at once.
 *
 *     "logs.*.error"   "logs.#"        root ─ logs ─┬─ * ─ error ●
 *                                                   └─ # ●
 *
 * `*` stands for exactly one word, `#` for any number, none included. Words are separated by dots; an empty
 * word is a word, but the empty key has none. Walking keeps a set of tree places after each word instead of
 * trying every way in turn: k words and n places cost at most k·n steps, even for `#.#.#.#`.
 */
interface Place<Value> {
  /** By next word; `*` and `#` among them. */
  readonly next: Map<string, Place<Value>>;
  readonly values: Set<Value>;
  /** The place behind a `#`, which remains reached while words pass. */
  readonly stays: boolean;
}

export class TopicTrie<Value> {
  readonly #root: Place<Value> = newPlace(false);

  add(pattern: string, value: Value): void {
    let place = this.#root;
    for (const word of wordsOf(pattern)) {
      let next = place.next.get(word);
      if (next === undefined) place.next.set(word, (next = newPlace(word === '#')));
      place = next;
    }
    place.values.add(value);
  }

  remove(pattern: string, value: Value): void {
    this.#removeBelow(this.#root, wordsOf(pattern), 0, value);
  }

  /** Calls `found` for every value whose pattern matches; once per pattern. */
  match(key: string, found: (value: Value) => void): void {
    let places = new Set<Place<Value>>();
    enter(this.#root, places);
    for (const word of wordsOf(key)) {
      const after = new Set<Place<Value>>();
      for (const place of places) step(place, word, after);
      places = after;
      if (places.size === 0) return;
    }
    for (const place of places) for (const value of place.values) found(value);
  }

  #removeBelow(place: Place<Value>, words: readonly string[], index: number, value: Value): void {
    const word = words[index];
    if (word === undefined) {
      place.values.delete(value);
      return;
    }
    const next = place.next.get(word);
    if (next === undefined) return;
    this.#removeBelow(next, words, index + 1, value);
    if (next.values.size === 0 && next.next.size === 0) place.next.delete(word);
  }
}

/** Adds a place, and those behind it that are reached without a word. */
function enter<Value>(place: Place<Value>, places: Set<Place<Value>>): void {
  if (places.has(place)) return;
  places.add(place);
  const hash = place.next.get('#');
  if (hash !== undefined) enter(hash, places);
}

function step<Value>(place: Place<Value>, word: string, after: Set<Place<Value>>): void {
  if (place.stays) enter(place, after);
  const star = place.next.get('*');
  if (star !== undefined) enter(star, after);
  if (word === '*' || word === '#') return;
  const exact = place.next.get(word);
  if (exact !== undefined) enter(exact, after);
}

function newPlace<Value>(stays: boolean): Place<Value> {
  return { next: new Map(), values: new Set(), stays };
}

function wordsOf(text: string): readonly string[] {
  return text === '' ? [] : text.split('.');
}
