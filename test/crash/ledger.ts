/**
 * What a client may rely on. For each thing it wrote (a row, a message, an object, a mail) the state that was
 * acknowledged last, and the states asked for since, of which no one knows whether they came to be. After a crash
 * each thing must be in one of these states and no other; what is found then is certain.
 *
 * A state is a fingerprint of the whole content, so that a thing that is there in part is in no known state.
 */
export const ABSENT = Symbol('absent');

export type State = string | typeof ABSENT;

interface Entry {
  sure: State;
  /** Asked for in this order, not acknowledged. */
  readonly asked: State[];
}

/** One broken promise tends to break others. */
const MAX_VIOLATIONS = 20;

export class Ledger {
  /** `row`, `message`: for what is said about a violation. */
  readonly kind: string;
  readonly #entries = new Map<string, Entry>();
  #acknowledged = 0;
  /** Counts freezes and thaws: what was asked for before one is not acknowledged after it. */
  #era = 0;
  #isFrozen = false;

  constructor(kind: string) {
    this.kind = kind;
  }

  /** Acknowledgements since the start. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** How many things are there for certain. */
  get sureCount(): number {
    return this.#entries.values().reduce((count, { sure }) => count + (sure === ABSENT ? 0 : 1), 0);
  }

  /** How many things may be there. */
  get possibleCount(): number {
    const isPossible = ({ sure, asked }: Entry): boolean =>
      sure !== ABSENT || asked.some((state) => state !== ABSENT);
    return this.#entries.values().reduce((count, entry) => count + (isPossible(entry) ? 1 : 0), 0);
  }

  /** Before the request leaves. @returns what to call when it is acknowledged */
  ask(key: string, state: State): () => void {
    const entry = this.#entry(key);
    entry.asked.push(state);
    const era = this.#era;
    return () => {
      if (this.#isFrozen || era !== this.#era) return;
      this.#acknowledged += 1;
      entry.sure = state;
      entry.asked.splice(0, entry.asked.indexOf(state) + 1);
    };
  }

  /** From here on until `thaw` no acknowledgement counts: it came after the moment that will be looked at. */
  freeze(): void {
    this.#isFrozen = true;
    this.#era += 1;
  }

  /**
   * What is asked for from here on may be acknowledged. What was asked for while nothing counted never is: its answer
   * may still lie in a socket of ours when the server is long gone.
   */
  thaw(): void {
    this.#isFrozen = false;
    this.#era += 1;
  }

  /** The acknowledged state, or undefined when it is absent or uncertain. */
  sure(key: string): string | undefined {
    const entry = this.#entries.get(key);
    return entry === undefined || entry.sure === ABSENT || entry.asked.length > 0 ? undefined : entry.sure;
  }

  /** Keys of things that are there in a certain state. */
  sureKeys(): string[] {
    return [...this.#entries.keys()].filter((key) => this.sure(key) !== undefined);
  }

  /** Compares with everything that is there, and takes it as certain from now on. @returns violations */
  settle(found: ReadonlyMap<string, string>): string[] {
    const violations: string[] = [];
    for (const key of new Set([...this.#entries.keys(), ...found.keys()])) {
      const state = found.get(key) ?? ABSENT;
      const violation = this.#judge(key, state);
      if (violation !== undefined && violations.length < MAX_VIOLATIONS) violations.push(violation);
      if (state === ABSENT) this.#entries.delete(key);
      else this.#entries.set(key, { sure: state, asked: [] });
    }
    return violations;
  }

  /** Nothing is there any more, and that is certain. */
  clear(): void {
    this.#entries.clear();
  }

  #entry(key: string): Entry {
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const entry: Entry = { sure: ABSENT, asked: [] };
    this.#entries.set(key, entry);
    return entry;
  }

  #judge(key: string, state: State): string | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return `${this.kind} ${key} is there, and was never written or was deleted`;
    if (state === entry.sure || entry.asked.includes(state)) return undefined;
    if (state === ABSENT) return `LOST: ${this.kind} ${key} was acknowledged and is gone`;
    const known = entry.sure === ABSENT ? 'none' : entry.sure;
    return `${this.kind} ${key} is ${state}, acknowledged was ${known}, asked ${entry.asked.map(String).join(', ')}`;
  }
}
