/**
 * Which servers speak for which zone, as their parents said.
 *
 * Apart from the answer cache for two reasons. Glue is good for reaching a server and for nothing else. And
 * what a zone says about its own name servers must never lengthen what its parent said, or a zone taken from
 * its owner would live on in caches (the "ghost domain" attack).
 */
import { canonical, type Name, parentOf, ROOT } from '../../wire/name.ts';

/** Where a server listens. */
export interface ServerAddress {
  readonly address: string;
  readonly port: number;
}

/** A zone cut and what is known of the servers behind it. */
export interface Delegation {
  /** Canonical. */
  readonly zone: Name;
  /** Names of servers without known addresses, to be looked up when the known ones fail. */
  readonly nameServers: readonly Name[];
  readonly servers: readonly ServerAddress[];
  /** Ask as a client asks a resolver: these servers are forwarders. */
  readonly recursionDesired: boolean;
}

interface Entry {
  readonly delegation: Delegation;
  readonly expiresAtMs: number;
}

export class Delegations {
  readonly #maxEntries: number;
  readonly #entries = new Map<Name, Entry>();

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  /** The deepest known zone that the name is at or below. */
  closest(name: Name, nowMs: number): Delegation | undefined {
    for (let at = canonical(name); ; at = parentOf(at)) {
      const entry = this.#entries.get(at);
      if (entry !== undefined && entry.expiresAtMs > nowMs) return this.#touch(entry);
      if (at === ROOT) return undefined;
    }
  }

  /** Learnt from a referral. An earlier one that still holds keeps its end. */
  put(delegation: Delegation, ttlSeconds: number, nowMs: number): void {
    const before = this.#entries.get(delegation.zone);
    const said = nowMs + ttlSeconds * 1000;
    const expiresAtMs =
      before !== undefined && before.expiresAtMs > nowMs ? Math.min(before.expiresAtMs, said) : said;
    this.#touch({ delegation, expiresAtMs });
    if (this.#entries.size > this.#maxEntries)
      this.#entries.delete(this.#entries.keys().next().value as Name);
  }

  clear(): void {
    this.#entries.clear();
  }

  #touch(entry: Entry): Delegation {
    this.#entries.delete(entry.delegation.zone);
    this.#entries.set(entry.delegation.zone, entry);
    return entry.delegation;
  }
}
