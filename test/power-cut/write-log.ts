/**
 * What a disk was told, in order, and what of it a power cut may leave.
 *
 *   ┌─────────┬─────────┬───────┬─────────┬─────────┬┄┄┄┄┄┄┄┄┄
 *   │ write   │ write   │ flush │ write   │ write   │ later …
 *   └─────────┴─────────┴───────┴─────────┴─────────┴┄┄┄┄┄┄┄┄┄
 *   there after the cut, for certain    any 512-byte    gone
 *   (a flush was answered)              sectors of these
 *                                              ▲ the cut
 *
 * An entry: kind 4 │ bytes 4 │ offset 8 │ the bytes. Kinds: 1 write, 2 flush. Little-endian.
 */
import type { SeededRandom } from '../../src/core/random/seeded-random.ts';

export const SECTOR_BYTES = 512;

const WRITE = 1;
const FLUSH = 2;
const HEAD_BYTES = 16;

export type Entry =
  | { readonly kind: 'write'; readonly offset: number; readonly data: Buffer }
  | { readonly kind: 'flush' };

export function encodeWrite(offset: number, data: Buffer): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(WRITE, 0);
  head.writeUInt32LE(data.length, 4);
  head.writeBigUInt64LE(BigInt(offset), 8);
  return Buffer.concat([head, data]);
}

export function encodeFlush(): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(FLUSH, 0);
  return head;
}

/** The whole entries of `log`; one that is cut short is not there yet. */
export function decodeLog(log: Buffer): Entry[] {
  const entries: Entry[] = [];
  for (let at = 0; at + HEAD_BYTES <= log.length; ) {
    const kind = log.readUInt32LE(at);
    const end = at + HEAD_BYTES + log.readUInt32LE(at + 4);
    if (end > log.length) break;
    const data = log.subarray(at + HEAD_BYTES, end);
    if (kind === FLUSH) entries.push({ kind: 'flush' });
    else entries.push({ kind: 'write', offset: Number(log.readBigUInt64LE(at + 8)), data });
    at = end;
  }
  return entries;
}

/**
 * How many of `entries` come before a cut that comes after the first `least`: a random place, right after a write if
 * there is one, for after a flush a disk has nothing to lose.
 */
export function placeOfCut(entries: readonly Entry[], least: number, random: SeededRandom): number {
  const places: number[] = [];
  for (let count = Math.max(1, least); count <= entries.length; count += 1) {
    if (entries[count - 1]!.kind === 'write') places.push(count);
  }
  return places.length === 0 ? least : random.pick(places);
}

export interface Remains {
  /** To be written over the image from before, in this order. */
  readonly writes: readonly { readonly offset: number; readonly data: Buffer }[];
  /** Sectors that the disk had taken and not flushed, and how many of them are lost. */
  readonly unflushed: number;
  readonly lost: number;
}

/** What is left when the power fails after `entries`: a sector that was not flushed keeps one of its states. */
export function remainsOf(entries: readonly Entry[], random: SeededRandom): Remains {
  const flushed = entries.findLastIndex((entry) => entry.kind === 'flush') + 1;
  const certain = entries.slice(0, flushed).filter((entry) => entry.kind === 'write');
  const sectors = sectorsOf(entries.slice(flushed));
  const keep = random.pick([0, 0.5, 0.9, 1]);
  const kept = [...sectors].filter(() => random.chance(keep));
  const writes = kept.map(([offset, versions]) => ({ offset, data: random.pick(versions) }));
  return { writes: [...certain, ...writes], unflushed: sectors.size, lost: sectors.size - kept.length };
}

/** Every state that each sector was given, by its offset. */
function sectorsOf(entries: readonly Entry[]): Map<number, Buffer[]> {
  const sectors = new Map<number, Buffer[]>();
  for (const entry of entries) {
    if (entry.kind !== 'write') continue;
    for (let at = 0; at < entry.data.length; at += SECTOR_BYTES) {
      const versions = sectors.get(entry.offset + at) ?? [];
      versions.push(entry.data.subarray(at, at + SECTOR_BYTES));
      sectors.set(entry.offset + at, versions);
    }
  }
  return sectors;
}
