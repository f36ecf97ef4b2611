/**
 * Making room: which key goes when memory is above `maxmemory`.
 *
 * LRU and LFU are approximated by sampling: look at a few keys drawn at random, put them into a small pool
 * sorted by how long they have rested, and evict the best of the pool. The pool outlives the round, so a very
 * idle key seen earlier is not forgotten. `volatile-ttl` needs no sampling here: the heap of deadlines has
 * the key that dies next at its top.
 */
import type { Random } from '../../core/random/random.ts';
import { EVICTION_BATCH, EVICTION_POOL } from '../limits.ts';
import { evictionScore } from './access.ts';
import type { Database, Entry, Keyspace } from './keyspace.ts';

export const EVICTION_POLICIES = [
  'noeviction',
  'allkeys-lru',
  'allkeys-lfu',
  'allkeys-random',
  'volatile-lru',
  'volatile-lfu',
  'volatile-random',
  'volatile-ttl',
] as const;

export type EvictionPolicy = (typeof EVICTION_POLICIES)[number];

interface Candidate {
  readonly database: Database;
  readonly entry: Entry;
  readonly score: number;
}

export class Evictor {
  readonly #keyspace: Keyspace;
  readonly #random: Random;
  /** Best candidate last. */
  #pool: Candidate[] = [];
  #nextDatabase = 0;

  constructor(keyspace: Keyspace, random: Random) {
    this.#keyspace = keyspace;
    this.#random = random;
  }

  /**
   * Evicts until no more than `limitBytes` are used, at most a batch of keys.
   * @returns false when nothing more can be evicted and it is still too much
   */
  makeRoom(policy: EvictionPolicy, samples: number, isOver: () => boolean): boolean {
    for (let evicted = 0; isOver(); evicted++) {
      if (evicted >= EVICTION_BATCH) return true;
      const victim = this.#choose(policy, samples);
      if (victim === undefined) return false;
      victim.database.evict(victim.entry);
    }
    return true;
  }

  #choose(policy: EvictionPolicy, samples: number): { database: Database; entry: Entry } | undefined {
    switch (policy) {
      case 'noeviction':
        return undefined;
      case 'allkeys-random':
        return this.#randomOne(false);
      case 'volatile-random':
        return this.#randomOne(true);
      case 'volatile-ttl':
        return this.#soonest();
      case 'allkeys-lru':
      case 'allkeys-lfu':
        return this.#bestOf(samples, false);
      case 'volatile-lru':
      case 'volatile-lfu':
        return this.#bestOf(samples, true);
    }
  }

  /** Databases take turns. */
  #randomOne(volatile: boolean): { database: Database; entry: Entry } | undefined {
    const databases = this.#keyspace.databases;
    for (let i = 0; i < databases.length; i++) {
      const database = databases[this.#nextDatabase++ % databases.length]!;
      const entry = this.#draw(database, volatile);
      if (entry !== undefined) return { database, entry };
    }
    return undefined;
  }

  #soonest(): { database: Database; entry: Entry } | undefined {
    let best: { database: Database; entry: Entry } | undefined;
    for (const database of this.#keyspace.databases) {
      const entry = database.volatile.first();
      if (entry !== undefined && (best === undefined || entry.deadline! < best.entry.deadline!)) {
        best = { database, entry };
      }
    }
    return best;
  }

  #bestOf(samples: number, volatile: boolean): Candidate | undefined {
    for (const database of this.#keyspace.databases) this.#sample(database, samples, volatile);
    for (;;) {
      const best = this.#pool.pop();
      if (best === undefined) return undefined;
      if (best.database.peek(best.entry.key) === best.entry) return best;
    }
  }

  #sample(database: Database, samples: number, volatile: boolean): void {
    for (let i = 0; i < samples; i++) {
      const entry = this.#draw(database, volatile);
      if (entry === undefined) return;
      if (this.#pool.some((candidate) => candidate.entry === entry)) continue;
      this.#enter({ database, entry, score: evictionScore(this.#keyspace.clock, entry.accessed) });
    }
  }

  #enter(candidate: Candidate): void {
    if (this.#pool.length >= EVICTION_POOL && candidate.score <= this.#pool[0]!.score) return;
    let place = this.#pool.length;
    while (place > 0 && this.#pool[place - 1]!.score > candidate.score) place--;
    this.#pool.splice(place, 0, candidate);
    if (this.#pool.length > EVICTION_POOL) this.#pool.shift();
  }

  #draw(database: Database, volatile: boolean): Entry | undefined {
    const size = volatile ? database.volatile.size : database.size;
    if (size === 0) return undefined;
    const place = this.#random.below(size);
    return volatile ? database.volatile.at(place) : database.entries[place];
  }
}
