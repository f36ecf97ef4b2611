/**
 * Answers kept as they were sent, for questions that come again octet for octet.
 *
 * What a zone says does not change until the zone does, not even its TTLs, so a repeated question (apart from
 * its ID) has the same answer, octet for octet (apart from its ID). Finding it costs one map look-up, instead of
 * decoding, searching and encoding. Only answers from zones are kept here: those from the resolver's cache age.
 *
 * Bounded by octets; when full, the older half goes.
 */
export interface ReadyAnswer {
  readonly bytes: Buffer;
  /** For the span: `A spells.test`. */
  readonly operation: string;
  readonly rcode: string;
  readonly truncated: boolean;
}

/** A map entry, its key's header and the objects around the answer; a rough figure. */
const ENTRY_OVERHEAD_BYTES = 200;

export class ReadyAnswers {
  readonly #maxBytes: number;
  #recent = new Map<string, ReadyAnswer>();
  #older = new Map<string, ReadyAnswer>();
  #recentBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The answer to `query`, with its ID put in. `variant` is whatever else an answer depends on. */
  find(query: Buffer, variant: string): ReadyAnswer | undefined {
    const key = keyOf(query, variant);
    const found = this.#recent.get(key) ?? this.#reclaim(key);
    if (found === undefined) return undefined;
    const bytes = Buffer.from(found.bytes);
    bytes[0] = query[0] as number;
    bytes[1] = query[1] as number;
    return { ...found, bytes };
  }

  keep(query: Buffer, variant: string, answer: ReadyAnswer): void {
    this.#add(keyOf(query, variant), answer);
  }

  clear(): void {
    this.#recent.clear();
    this.#older.clear();
    this.#recentBytes = 0;
  }

  /** An answer of the older half that is asked for again is recent again. */
  #reclaim(key: string): ReadyAnswer | undefined {
    const found = this.#older.get(key);
    if (found !== undefined) this.#add(key, found);
    return found;
  }

  #add(key: string, answer: ReadyAnswer): void {
    this.#recent.set(key, answer);
    this.#recentBytes += key.length + answer.bytes.length + ENTRY_OVERHEAD_BYTES;
    if (this.#recentBytes < this.#maxBytes / 2) return;
    this.#older = this.#recent;
    this.#recent = new Map();
    this.#recentBytes = 0;
  }
}

/** All of the question but its ID, which is the first two octets. */
function keyOf(query: Buffer, variant: string): string {
  return variant + query.toString('latin1', 2);
}
