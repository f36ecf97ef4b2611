/**
 * The rounds of the store's benchmarks, as they run inside the process of a contender: the same loops for all.
 * Runs under the oldest Node that a peer needs, so it uses nothing that is newer.
 */
import type { Contender, Entry, OpenContender, Order, Outcome } from './contender.ts';
import { AnyEntry, checkContent, contentOf, ENTRIES, keyOf, newKey, writeKey } from './entries.ts';

const ROUND_MS = 450;
/** Reads between two looks at the time. */
const READS_AT_ONCE = 1_000;
const SCANNED_AT_ONCE = 100_000;
const BATCH = 1_000;
/** Batches that may be on their way to the disk at once. */
const BATCHES_UNDER_WAY = 16;

/** Carries out orders of the parent process, one after the other, until it is told to end. */
export function serveOrders(open: OpenContender): void {
  const rounds = new Rounds(open);
  process.on('message', (order: Order) => {
    measured(() => rounds.obey(order)).then(
      (outcome) => process.send?.(outcome),
      (error: unknown) => process.send?.({ error: String(error) } satisfies Outcome),
    );
  });
}

async function measured(work: () => Promise<number>): Promise<Outcome> {
  const before = process.cpuUsage();
  const startedAt = performance.now();
  const operations = await work();
  const seconds = (performance.now() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(before);
  return { operations, seconds, cpuMicros: user + system };
}

class Rounds {
  readonly #open: OpenContender;
  #contender: Contender | undefined;
  #folder = '';
  #cacheBytes = 0;
  #seed = 0;
  /** Entries of all rounds: each goes on where the last one ended. */
  #scanned = 0;

  constructor(open: OpenContender) {
    this.#open = open;
  }

  /** @returns the number of operations */
  async obey(order: Order): Promise<number> {
    if (order.what === 'open') return this.#reopen(order.folder, order.cacheBytes);
    if (order.what === 'close') return this.#close();
    const contender = this.#contender;
    if (contender === undefined) throw new Error('no contender is open');
    const any = new AnyEntry(++this.#seed);
    if (order.what === 'load') return loadAll(contender);
    if (order.what === 'update') return update(contender, any, order.entries);
    if (order.what === 'commit') return commits(contender, order.writers, any);
    if (order.what === 'read') return reads(contender, any);
    const scanned = scans(contender, this.#scanned);
    this.#scanned += scanned;
    return scanned;
  }

  async #reopen(folder: string, cacheBytes: number): Promise<number> {
    if (this.#folder === folder && this.#cacheBytes === cacheBytes) return 0;
    await this.#close();
    this.#contender = await this.#open(folder, cacheBytes);
    this.#folder = folder;
    this.#cacheBytes = cacheBytes;
    return 0;
  }

  async #close(): Promise<number> {
    const contender = this.#contender;
    this.#contender = undefined;
    this.#folder = '';
    await contender?.close();
    return 0;
  }
}

/** Writes all entries in the order of their keys. */
export function loadAll(contender: Contender): Promise<number> {
  return load(contender, inOrder(), ENTRIES);
}

/** Writes `count` entries anew, any of them. */
export function update(contender: Contender, any: AnyEntry, count: number): Promise<number> {
  return load(contender, updates(any), count);
}

function inOrder(): () => Entry {
  let entry = 0;
  return () => {
    const next: Entry = [keyOf(entry), contentOf(entry, 0)];
    entry++;
    return next;
  };
}

function updates(any: AnyEntry): () => Entry {
  let version = 0;
  return () => {
    const entry = any.next();
    return [keyOf(entry), contentOf(entry, ++version)];
  };
}

/** Writes `count` entries in batches; all are durable in the end. */
async function load(contender: Contender, next: () => Entry, count: number): Promise<number> {
  const underWay: Promise<void>[] = [];
  for (let loaded = 0; loaded < count; loaded += BATCH) {
    if (underWay.length === BATCHES_UNDER_WAY) await underWay.shift();
    const batch = Array.from({ length: BATCH }, next);
    underWay.push(contender.load(batch, loaded + BATCH >= count));
  }
  await Promise.all(underWay);
  return count;
}

/** `writers` of them at once, each waiting until its commit is durable before its next. */
export async function commits(
  contender: Contender,
  writers: number,
  any: AnyEntry,
  milliseconds = ROUND_MS,
): Promise<number> {
  const until = performance.now() + milliseconds;
  let operations = 0;
  const writer = async (): Promise<void> => {
    while (performance.now() < until) {
      const entry = any.next();
      await contender.commit(keyOf(entry), contentOf(entry, operations));
      operations++;
    }
  };
  await Promise.all(Array.from({ length: writers }, writer));
  return operations;
}

function reads(contender: Contender, any: AnyEntry): number {
  const until = performance.now() + ROUND_MS;
  const key = newKey();
  let operations = 0;
  while (performance.now() < until) {
    for (let n = 0; n < READS_AT_ONCE; n++) {
      const entry = any.next();
      checkContent(entry, contender.get(writeKey(key, entry)));
    }
    operations += READS_AT_ONCE;
  }
  return operations;
}

/** Goes on at `position`, and from the end to the beginning. @returns how many entries it read */
function scans(contender: Contender, position: number): number {
  const until = performance.now() + ROUND_MS;
  const key = newKey();
  let operations = 0;
  while (performance.now() < until) {
    const from = (position + operations) % ENTRIES;
    const count = contender.scan(writeKey(key, from), SCANNED_AT_ONCE);
    if (count !== SCANNED_AT_ONCE) throw new Error(`a scan from ${from} found ${count} entries`);
    operations += count;
  }
  return operations;
}
