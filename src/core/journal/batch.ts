/**
 * One batch as bytes: the form in which every engine stores it. All numbers are big-endian.
 *
 *   offset  bytes
 *      0      4   magic "OJB" and the format version, 1
 *      4      4   CRC-32 of everything after this field, seeded by the incarnation
 *      8      4   length of the whole frame
 *     12      4   zero
 *     16      8   position
 *     24     16   chain
 *     40     16   id             ┐
 *     56      8   epoch          │
 *     64      1   kind           │ the part that
 *     65      3   zero           │ the chain covers
 *     68      4   record count   │
 *     72          records, each: │
 *              4    length       │
 *              n    bytes        ┘
 *
 *   chain(n) = first 16 bytes of SHA-256( chain(n - 1) ‖ the covered part of n ),  chain(0) = 16 zero bytes
 *
 * The CRC finds torn and rotten bytes. Its seed keeps a frame of another journal, or one that sits inside a
 * record, from passing for one of this journal. The chain finds what a CRC cannot: batches that are intact but
 * not the successors of the ones before them.
 */
import { hash } from 'node:crypto';
import { assert } from '../assert.ts';
import { crc32 } from '../bytes/crc32.ts';
import { MAX_BATCH_BYTES } from './limits.ts';
import type { Batch, BatchKind, Epoch, Mark, Position, StoredBatch } from './types.ts';

export const BATCH_MAGIC = 0x4f4a4201;
export const BATCH_HEADER_BYTES = 72;
export const RECORD_HEADER_BYTES = 4;
export const CHAIN_BYTES = 16;
export const ID_BYTES = 16;

/** The chain of the batch before the first. */
export const FIRST_CHAIN: Uint8Array = new Uint8Array(CHAIN_BYTES);

const AT = { crc: 4, length: 8, position: 16, chain: 24, id: 40, epoch: 56, kind: 64, count: 68 } as const;
const COVERED_BY_CRC = 8;

const KIND_CODES: Readonly<Record<BatchKind, number>> = {
  genesis: 1,
  epoch: 2,
  data: 3,
  barrier: 4,
  seal: 5,
};
const KINDS = new Map(Object.entries(KIND_CODES).map(([kind, code]) => [code, kind as BatchKind]));

export type DecodedBatch =
  | { readonly kind: 'batch'; readonly batch: StoredBatch; readonly frame: Buffer }
  /** `bytes` in all are needed to go on. */
  | { readonly kind: 'need-more'; readonly bytes: number }
  | { readonly kind: 'bad'; readonly reason: string };

/** The value that seeds every CRC of a journal. */
export function crcSeedOf(incarnation: string): number {
  return crc32(Buffer.from(incarnation, 'latin1'));
}

/** The size of the frame of these records. */
export function frameBytesOf(records: readonly Uint8Array[]): number {
  let bytes = BATCH_HEADER_BYTES;
  for (const record of records) bytes += RECORD_HEADER_BYTES + record.length;
  return bytes;
}

/** What `batch.chain` must be for a batch that follows one with the chain `previous`. */
export function chainOf(previous: Uint8Array, batch: Omit<Batch, 'chain'>): Buffer {
  return chainFrom(previous, layOut(batch));
}

/** The frame of `batch`, but for magic, CRC, position and chain. */
function layOut(batch: Omit<Batch, 'chain'>): Buffer {
  const frame = Buffer.allocUnsafe(frameBytesOf(batch.records)).fill(0, 0, BATCH_HEADER_BYTES);
  writeCovered(frame, batch);
  return frame;
}

/** The chain of what `layOut` made; writes over the place of the chain in it. */
function chainFrom(previous: Uint8Array, frame: Buffer): Buffer {
  // Its place is right before the covered part: so one call hashes both, which is twice as fast for small batches.
  frame.set(previous, AT.chain);
  const chain = Buffer.allocUnsafe(CHAIN_BYTES);
  chain.write(digestOf(frame.subarray(AT.chain)), 0, CHAIN_BYTES, 'latin1');
  return chain;
}

/**
 * Holds a frame against the chain of the batch before it, and makes nothing but the digest: a replay does this for
 * millions of small batches. `chain` holds that of the batch before; it is the frame's own afterwards.
 */
export function continuesChain(chain: Uint8Array, frame: Uint8Array): boolean {
  // For the moment the frame holds the chain before it, as what is hashed, and `chain` the frame's own.
  for (let index = 0; index < CHAIN_BYTES; index += 1) {
    const own = frame[AT.chain + index]!;
    frame[AT.chain + index] = chain[index]!;
    chain[index] = own;
  }
  const digest = digestOf(frame.subarray(AT.chain));
  let isSame = true;
  for (let index = 0; index < CHAIN_BYTES; index += 1) {
    const own = chain[index]!;
    if (digest.charCodeAt(index) !== own) isSame = false;
    frame[AT.chain + index] = own;
  }
  return isSame;
}

/** As text, one character a byte: a digest that comes as a buffer takes more than twice as long. */
function digestOf(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'latin1');
}

/** `batch` with its chain, as the successor of a batch with the chain `previous`. */
export function linkBatch(previous: Uint8Array, batch: Omit<Batch, 'chain'>): Batch {
  return new LinkedBatch(previous, batch);
}

/** Keeps the frame that its chain was made from, for whoever encodes it first. */
class LinkedBatch implements Batch {
  readonly id: Uint8Array;
  readonly epoch: Epoch;
  readonly kind: BatchKind;
  readonly records: readonly Uint8Array[];
  readonly chain: Uint8Array;
  #frame: Buffer | undefined;

  constructor(previous: Uint8Array, { id, epoch, kind, records }: Omit<Batch, 'chain'>) {
    this.id = id;
    this.epoch = epoch;
    this.kind = kind;
    this.records = records;
    const frame = layOut(this);
    this.chain = chainFrom(previous, frame);
    this.#frame = frame;
  }

  takeFrame(): Buffer | undefined {
    const frame = this.#frame;
    this.#frame = undefined;
    return frame;
  }
}

export function encodeBatch(batch: StoredBatch, crcSeed: number): Buffer {
  return encodeBatchAt(batch, batch.position, crcSeed);
}

/** The frame of `batch` at `position`. */
export function encodeBatchAt(batch: Batch, position: Position, crcSeed: number): Buffer {
  const frame = (batch instanceof LinkedBatch ? batch.takeFrame() : undefined) ?? layOut(batch);
  frame.writeUInt32BE(BATCH_MAGIC, 0);
  frame.writeUInt32BE(frame.length, AT.length);
  writeUint64(frame, position, AT.position);
  frame.set(batch.chain, AT.chain);
  frame.writeUInt32BE(crc32(frame.subarray(COVERED_BY_CRC), crcSeed), AT.crc);
  return frame;
}

/** Reads the frame that begins at `offset` of `bytes`. The records are views on `bytes`. */
export function decodeBatch(bytes: Buffer, offset: number, crcSeed: number): DecodedBatch {
  const available = bytes.length - offset;
  if (available < BATCH_HEADER_BYTES) return { kind: 'need-more', bytes: BATCH_HEADER_BYTES };
  if (bytes.readUInt32BE(offset) !== BATCH_MAGIC) return bad('no batch begins here');
  const frameBytes = bytes.readUInt32BE(offset + AT.length);
  if (frameBytes < BATCH_HEADER_BYTES || frameBytes > MAX_BATCH_BYTES) return bad('impossible length');
  if (available < frameBytes) return { kind: 'need-more', bytes: frameBytes };
  const frame = bytes.subarray(offset, offset + frameBytes);
  if (crc32(frame.subarray(COVERED_BY_CRC), crcSeed) !== frame.readUInt32BE(AT.crc)) return bad('wrong CRC');
  const kind = KINDS.get(frame.readUInt8(AT.kind));
  if (kind === undefined) return bad('unknown kind of batch');
  const records = readRecords(frame);
  if (records === undefined) return bad('records do not fill the batch');
  return { kind: 'batch', batch: readBatch(frame, kind, records), frame };
}

/** Why `batch` cannot follow `last`, or undefined when it does. */
export function whyNotNext(last: Mark, batch: StoredBatch): string | undefined {
  const reason = whyOutOfOrder(last, batch);
  if (reason !== undefined) return reason;
  return Buffer.compare(chainOf(last.chain, batch), batch.chain) === 0 ? undefined : BROKEN_CHAIN;
}

export const BROKEN_CHAIN = 'the hash chain is broken';

/** The same as far as position and epoch tell. */
export function whyOutOfOrder(last: Omit<Mark, 'chain'>, batch: StoredBatch): string | undefined {
  if (batch.position !== last.position + 1) {
    return `position ${batch.position} follows position ${last.position}`;
  }
  return batch.epoch < last.epoch ? `epoch ${batch.epoch} follows epoch ${last.epoch}` : undefined;
}

function readBatch(frame: Buffer, kind: BatchKind, records: Buffer[]): StoredBatch {
  return {
    position: readUint64(frame, AT.position),
    chain: frame.subarray(AT.chain, AT.chain + CHAIN_BYTES),
    id: frame.subarray(AT.id, AT.id + ID_BYTES),
    epoch: readUint64(frame, AT.epoch),
    kind,
    records,
  };
}

function readRecords(frame: Buffer): Buffer[] | undefined {
  const records: Buffer[] = [];
  let at = BATCH_HEADER_BYTES;
  for (let left = frame.readUInt32BE(AT.count); left > 0; left--) {
    if (at + RECORD_HEADER_BYTES > frame.length) return undefined;
    const start = at + RECORD_HEADER_BYTES;
    at = start + frame.readUInt32BE(at);
    if (at > frame.length) return undefined;
    records.push(frame.subarray(start, at));
  }
  return at === frame.length ? records : undefined;
}

function writeCovered(frame: Buffer, batch: Omit<Batch, 'chain'>): void {
  assert(batch.id.length === ID_BYTES, 'a batch id has 16 bytes');
  frame.set(batch.id, AT.id);
  writeUint64(frame, batch.epoch, AT.epoch);
  frame.writeUInt8(KIND_CODES[batch.kind], AT.kind);
  frame.writeUInt32BE(batch.records.length, AT.count);
  let at = BATCH_HEADER_BYTES;
  for (const record of batch.records) {
    at = frame.writeUInt32BE(record.length, at);
    frame.set(record, at);
    at += record.length;
  }
}

function writeUint64(into: Buffer, value: number, at: number): void {
  into.writeUInt32BE(Math.floor(value / 2 ** 32), at);
  into.writeUInt32BE(value % 2 ** 32, at + 4);
}

function readUint64(from: Buffer, at: number): number {
  return from.readUInt32BE(at) * 2 ** 32 + from.readUInt32BE(at + 4);
}

function bad(reason: string): DecodedBatch {
  return { kind: 'bad', reason };
}
