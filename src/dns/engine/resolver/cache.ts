/**
 * What other servers said, for as long as they said it.
 *
 * Only data that answered a question of ours gets in here: never glue, never the additional section. That is
 * the ranking of RFC 2181 section 5.4.1 with one rank left, and so nothing can be overridden by something
 * less credible. Delegations are kept apart, in `delegations.ts`.
 *
 * Bounded by entries and octets; the least recently used goes first. Times are the clock's monotonic
 * milliseconds, passed in.
 */
import type { DnsLimits } from '../../limits.ts';
import { TYPE } from '../../wire/codes.ts';
import type { ExtendedError } from '../../wire/edns.ts';
import { canonical, type Name, parentOf, ROOT } from '../../wire/name.ts';
import { rdataFields } from '../../wire/rdata/rdata.ts';
import type { ResourceRecord } from '../../wire/record.ts';

type CacheLimits = Pick<
  DnsLimits,
  | 'maxCacheEntries'
  | 'maxCacheBytes'
  | 'maxCacheTtlSeconds'
  | 'maxNegativeTtlSeconds'
  | 'minFailureTtlSeconds'
  | 'maxFailureTtlSeconds'
>;

export type CacheHit =
  | { readonly kind: 'data'; readonly records: readonly ResourceRecord[] }
  /** The name is an alias; its CNAME. */
  | { readonly kind: 'alias'; readonly records: readonly ResourceRecord[] }
  | { readonly kind: 'no-data' | 'no-name'; readonly soa: ResourceRecord }
  | { readonly kind: 'failure'; readonly error: ExtendedError };

interface Entry {
  readonly content:
    | { readonly kind: 'data'; readonly records: readonly ResourceRecord[] }
    | { readonly kind: 'no-data' | 'no-name'; readonly soa: ResourceRecord }
    | { readonly kind: 'failure'; readonly error: ExtendedError; readonly ttlSeconds: number };
  readonly expiresAtMs: number;
  readonly bytes: number;
}

/** The type under which "no such name" is kept: it holds for all types. Type 0 is never asked. */
const EVERY_TYPE = 0;
/** Maps, objects and Buffers around the octets of one entry; a rough figure for the bound on memory. */
const ENTRY_OVERHEAD_BYTES = 300;
const RECORD_OVERHEAD_BYTES = 150;

export class AnswerCache {
  readonly #limits: CacheLimits;
  /** In order of use, least recent first. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor(limits: CacheLimits) {
    this.#limits = limits;
  }

  get entries(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * What is known about a name and type. TTLs are what is left of them.
   *
   * @param within a missing name above this domain says nothing about names in it: others are asked there
   */
  lookup(name: Name, type: number, nowMs: number, within: Name = ROOT): CacheHit | undefined {
    const wanted = canonical(name);
    const exact = this.#fresh(wanted, type, nowMs);
    if (exact !== undefined) return hit(exact, nowMs);
    const alias = type === TYPE.CNAME ? undefined : this.#fresh(wanted, TYPE.CNAME, nowMs);
    if (alias?.content.kind === 'data')
      return { kind: 'alias', records: aged(alias.content.records, alias, nowMs) };
    return this.#missingAncestor(wanted, within, nowMs);
  }

  /** An RRset: records of one name and type. TTL 0 is not kept. */
  putData(records: readonly ResourceRecord[], nowMs: number): void {
    const [first] = records;
    if (first === undefined) return;
    const ttlSeconds = Math.min(
      this.#limits.maxCacheTtlSeconds,
      ...records.map((record) => record.ttlSeconds),
    );
    const bytes = records.reduce((sum, record) => sum + record.rdata.length + RECORD_OVERHEAD_BYTES, 0);
    this.#put(canonical(first.name), first.type, { kind: 'data', records }, ttlSeconds, bytes, nowMs);
  }

  /** "No such data", or "no such name" which holds for every type and every name below. RFC 2308, RFC 8020. */
  putNegative(
    kind: 'no-data' | 'no-name',
    name: Name,
    type: number,
    soa: ResourceRecord,
    nowMs: number,
  ): void {
    const minimum = rdataFields(TYPE.SOA, soa.rdata)['minimum'] as number;
    const ttlSeconds = Math.min(soa.ttlSeconds, minimum, this.#limits.maxNegativeTtlSeconds);
    const key = kind === 'no-name' ? EVERY_TYPE : type;
    this.#put(canonical(name), key, { kind, soa }, ttlSeconds, soa.rdata.length, nowMs);
  }

  /** A resolution that failed. Each failure in a row is remembered twice as long. RFC 9520 section 3.2. */
  putFailure(name: Name, type: number, error: ExtendedError, nowMs: number): void {
    const { minFailureTtlSeconds, maxFailureTtlSeconds } = this.#limits;
    const before = this.#entries.get(keyOf(canonical(name), type))?.content;
    const doubled = before?.kind === 'failure' ? before.ttlSeconds * 2 : minFailureTtlSeconds;
    const ttlSeconds = Math.min(doubled, maxFailureTtlSeconds);
    this.#put(
      canonical(name),
      type,
      { kind: 'failure', error, ttlSeconds },
      ttlSeconds,
      error.text.length,
      nowMs,
    );
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  #fresh(name: Name, type: number, nowMs: number): Entry | undefined {
    const key = keyOf(name, type);
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.expiresAtMs <= nowMs) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }

  /** RFC 8020: when a name does not exist, nothing below it does. */
  #missingAncestor(name: Name, within: Name, nowMs: number): CacheHit | undefined {
    for (let at = name; at !== ROOT && at.length >= within.length; at = parentOf(at)) {
      const entry = this.#fresh(at, EVERY_TYPE, nowMs);
      if (entry !== undefined) return hit(entry, nowMs);
    }
    return undefined;
  }

  #put(
    name: Name,
    type: number,
    content: Entry['content'],
    ttlSeconds: number,
    dataBytes: number,
    nowMs: number,
  ): void {
    const key = keyOf(name, type);
    this.#remove(key);
    if (ttlSeconds <= 0) return;
    const bytes = ENTRY_OVERHEAD_BYTES + key.length + dataBytes;
    this.#entries.set(key, { content, bytes, expiresAtMs: nowMs + ttlSeconds * 1000 });
    this.#bytes += bytes;
    while (this.#entries.size > this.#limits.maxCacheEntries || this.#bytes > this.#limits.maxCacheBytes)
      this.#evict();
  }

  #evict(): void {
    const [oldest] = this.#entries.keys();
    this.#remove(oldest as string);
  }

  #remove(key: string): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
  }
}

function keyOf(name: Name, type: number): string {
  return `${String.fromCharCode(type)}${name}`;
}

function hit(entry: Entry, nowMs: number): CacheHit {
  const { content } = entry;
  switch (content.kind) {
    case 'data':
      return { kind: 'data', records: aged(content.records, entry, nowMs) };
    case 'failure':
      return { kind: 'failure', error: content.error };
    default:
      return { kind: content.kind, soa: { ...content.soa, ttlSeconds: secondsLeft(entry, nowMs) } };
  }
}

function aged(records: readonly ResourceRecord[], entry: Entry, nowMs: number): ResourceRecord[] {
  const ttlSeconds = secondsLeft(entry, nowMs);
  return records.map((record) => ({ ...record, ttlSeconds }));
}

function secondsLeft(entry: Entry, nowMs: number): number {
  return Math.ceil((entry.expiresAtMs - nowMs) / 1000);
}
