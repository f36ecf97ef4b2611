/** What every contender stores: keys of 16 bytes, `entry/` and ten digits, and values of 100 bytes. */
import { SeededRandom } from '../../src/core/random/seeded-random.ts';

export const ENTRIES = 1_000_000;
export const VALUE_BYTES = 100;
/** What of the files the user asked for: keys and values. */
export const LIVE_BYTES = ENTRIES * (16 + VALUE_BYTES);

const PREFIX = 'entry/';
const DIGITS = 10;
const KEY_BYTES = PREFIX.length + DIGITS;
const FIRST_KEY = Buffer.from(PREFIX.padEnd(KEY_BYTES, '0'), 'latin1');
const ZERO = 48;

/** The entry chooses one of these; its first byte tells the entry, so that a wrong answer is noticed. */
const CONTENTS = 1_024;
/** Behind that byte a content has its version, 4 bytes. */
const VERSION_AT = 1;
const contents = makeContents();

function makeContents(): readonly Buffer[] {
  const random = new SeededRandom(1);
  return Array.from({ length: CONTENTS }, (_, n) => {
    const content = random.bytes(VALUE_BYTES);
    content[0] = n & 0xff;
    return content;
  });
}

/** A key of its own: a commit may hold on to it. */
export function keyOf(entry: number): Buffer {
  return writeKey(newKey(), entry);
}

export function newKey(): Buffer {
  // From the pool: the loop's own cost is in everybody's CPU time.
  const key = Buffer.allocUnsafe(KEY_BYTES);
  key.set(FIRST_KEY);
  return key;
}

/** Makes `key` the one of `entry`: for reads, which are over when they return. */
export function writeKey(key: Buffer, entry: number): Buffer {
  let rest = entry;
  for (let at = KEY_BYTES - 1; at >= PREFIX.length; at--) {
    const tenth = Math.floor(rest / 10);
    key[at] = ZERO + rest - tenth * 10;
    rest = tenth;
  }
  return key;
}

/**
 * Each version differs from each other: SQLite neither writes nor syncs a value that is there already.
 * @param version below 2^32
 */
export function contentOf(entry: number, version: number): Buffer {
  const content = Buffer.allocUnsafe(VALUE_BYTES);
  content.set(contents[entry % CONTENTS]!);
  content.writeUInt32LE(version, VERSION_AT);
  return content;
}

/** @throws Error when `value` is missing, or not one of `entry` */
export function checkContent(entry: number, value: Uint8Array | undefined): void {
  if (value?.length === VALUE_BYTES && value[0] === (entry & 0xff)) return;
  throw new Error(`entry ${entry} is ${value === undefined ? 'missing' : 'another'}`);
}

/** The same entries in the same order for every contender: uniform, from a generator that costs nothing. */
export class AnyEntry {
  readonly #random: SeededRandom;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  next(): number {
    return this.#random.next() % ENTRIES;
  }
}
