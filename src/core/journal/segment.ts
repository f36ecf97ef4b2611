/**
 * A segment: one file of a file journal, holding batches one after the other.
 *
 *   0000000000000001.segment        named after the position of its first batch
 *   ┌────────┬─────────┬─────────┬───┬─────────┬┄┄┄┄┄┄┄┄┄┄┄┬────────┐
 *   │ header │ batch 1 │ batch 2 │ … │ batch n │ torn tail ┆ zeros  │   a torn tail only in the last segment,
 *   └────────┴─────────┴─────────┴───┴─────────┴┄┄┄┄┄┄┄┄┄┄┄┴────────┘   cut off when opened
 *
 * The zeros are room made ahead, so that most syncs need not write the file's metadata; there may be none.
 *
 * The header, 64 bytes, numbers big-endian:
 *
 *   offset  bytes
 *      0      8   magic "OctJrnl\n"
 *      8      4   format version, 1
 *     12      4   CRC-32 of the header, this field taken as zero
 *     16     16   incarnation, as the 16 bytes of the UUID
 *     32      8   position of the first batch
 *     40     16   chain of the batch before it
 *     56      8   epoch of the batch before it
 *
 * So a segment says on which predecessor it stands, and may be read and verified when earlier ones are gone.
 * A segment gets its name only when its header is durable: under that name a bad header is always damage.
 */
import { crc32 } from '../bytes/crc32.ts';
import type { Files, OpenFile } from '../files/files.ts';
import {
  BATCH_HEADER_BYTES,
  BROKEN_CHAIN,
  CHAIN_BYTES,
  continuesChain,
  decodeBatch,
  whyOutOfOrder,
} from './batch.ts';
import { JournalError } from './errors.ts';
import { READ_WINDOW_BYTES } from './limits.ts';
import type { ReadWindows } from './read-windows.ts';
import type { Mark, Position, StoredBatch } from './types.ts';

export const SEGMENT_HEADER_BYTES = 64;
export const SEGMENT_FORMAT = 1;

const MAGIC = Buffer.from('OctJrnl\n', 'latin1');
const AT = { format: 8, crc: 12, incarnation: 16, first: 32, chain: 40, epoch: 56 } as const;
const SEGMENT_NAME = /^(\d{16})\.segment$/;

export interface SegmentHeader {
  readonly incarnation: string;
  /** The batch before the segment's first. */
  readonly before: Mark;
}

export function segmentName(first: Position): string {
  return `${String(first).padStart(16, '0')}.segment`;
}

/** @returns the position of the first batch, or undefined when `name` is not a segment's */
export function firstOfName(name: string): Position | undefined {
  const digits = SEGMENT_NAME.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  bytes.set(MAGIC, 0);
  bytes.writeUInt32BE(SEGMENT_FORMAT, AT.format);
  bytes.write(header.incarnation.replaceAll('-', ''), AT.incarnation, 'hex');
  bytes.writeBigUInt64BE(BigInt(header.before.position + 1), AT.first);
  bytes.set(header.before.chain, AT.chain);
  bytes.writeBigUInt64BE(BigInt(header.before.epoch), AT.epoch);
  bytes.writeUInt32BE(crc32(bytes), AT.crc);
  return bytes;
}

/** @throws JournalError `corrupt`, `newer-format`, naming `path` */
export function decodeSegmentHeader(bytes: Buffer, path: string): SegmentHeader {
  if (bytes.length < SEGMENT_HEADER_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new JournalError('corrupt', `${path} does not begin with a segment header`);
  }
  const format = bytes.readUInt32BE(AT.format);
  if (format > SEGMENT_FORMAT) {
    const message = `${path} has journal format ${format}; this release reads up to ${SEGMENT_FORMAT}`;
    throw new JournalError('newer-format', message);
  }
  const copy = Buffer.from(bytes.subarray(0, SEGMENT_HEADER_BYTES)).fill(0, AT.crc, AT.crc + 4);
  if (crc32(copy) !== bytes.readUInt32BE(AT.crc)) {
    throw new JournalError('corrupt', `${path} has a damaged segment header (wrong CRC at offset ${AT.crc})`);
  }
  return {
    incarnation: uuidOf(copy.toString('hex', AT.incarnation, AT.incarnation + 16)),
    before: {
      position: Number(copy.readBigUInt64BE(AT.first)) - 1,
      chain: copy.subarray(AT.chain, AT.chain + 16),
      epoch: Number(copy.readBigUInt64BE(AT.epoch)),
    },
  };
}

export async function readSegmentHeader(file: OpenFile): Promise<SegmentHeader> {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  const length = await file.read(0, bytes);
  return decodeSegmentHeader(bytes.subarray(0, length), file.path);
}

/** Makes a durable segment that holds its header and `firstFrame`, which may be empty. */
export async function createSegment(
  files: Files,
  folder: string,
  header: SegmentHeader,
  firstFrame: Uint8Array,
): Promise<string> {
  const path = `${folder}/${segmentName(header.before.position + 1)}`;
  const draft = `${path}.tmp`;
  await files.remove(draft);
  const file = await files.open(draft, 'create');
  try {
    await file.write(0, encodeSegmentHeader(header));
    await file.write(SEGMENT_HEADER_BYTES, firstFrame);
    await file.sync();
    await file.close();
  } catch (error) {
    await file.close();
    await files.remove(draft);
    throw error;
  }
  await files.rename(draft, path);
  await files.syncFolder(folder);
  return path;
}

export type Step =
  | {
      readonly kind: 'batch';
      readonly batch: StoredBatch;
      readonly offset: number;
      readonly frameBytes: number;
    }
  /** No batch begins at `offset`: the file ends there, or goes on with zeros. */
  | { readonly kind: 'end'; readonly offset: number }
  /** Bytes that are no batch begin at `offset`. `torn`: what an unfinished write may leave. */
  | { readonly kind: 'bad'; readonly offset: number; readonly reason: string; readonly torn: boolean };

export interface CursorOptions {
  readonly file: OpenFile;
  /** The batch before the segment's first. */
  readonly before: Mark;
  readonly crcSeed: number;
  /** Up to where the file may be read now: an append under way may lie behind. */
  readonly sizeBytes: () => number;
  /** Where the batch after `before` begins; default right behind the header. */
  readonly start?: number;
  /** Of batches before this position CRCs, positions and epochs are checked, but not the chain, which costs most. */
  readonly skimsBefore?: Position;
  /** What is read into; default fresh memory each time, so that the batches are the caller's to keep. */
  readonly windows?: ReadWindows;
}

/**
 * Reads a segment batch by batch and holds each against its predecessor: position, epoch and chain.
 * `last` is the newest batch that was sound.
 */
export class SegmentCursor {
  readonly #options: CursorOptions;
  #last: Omit<Mark, 'chain'>;
  readonly #chain = Buffer.alloc(CHAIN_BYTES);
  #offset: number;
  /** Bytes from `#offset` on that are needed to go on. */
  #neededBytes = BATCH_HEADER_BYTES;
  #window: Buffer = Buffer.alloc(0);
  #windowStart = 0;

  constructor(options: CursorOptions) {
    this.#options = options;
    this.#last = options.before;
    this.#chain.set(options.before.chain);
    this.#offset = options.start ?? SEGMENT_HEADER_BYTES;
  }

  /** Of the last sound batch. */
  get position(): Position {
    return this.#last.position;
  }

  get last(): Mark {
    const { position, epoch } = this.#last;
    return { position, epoch, chain: Uint8Array.from(this.#chain) };
  }

  /** The next step. */
  async next(): Promise<Step> {
    for (;;) {
      const step = this.step();
      if (step !== undefined) return step;
      const enough = await this.#load();
      if (!enough && this.#window.length === 0) return { kind: 'end', offset: this.#offset };
      if (!enough) return this.#noBatch(this.#offset, 'the file ends within a batch');
    }
  }

  /** The same, if it can be told without reading more of the file, else undefined: a promise costs as much as it. */
  step(): Step | undefined {
    const offset = this.#offset;
    const decoded = decodeBatch(this.#window, offset - this.#windowStart, this.#options.crcSeed);
    if (decoded.kind === 'need-more') {
      this.#neededBytes = decoded.bytes;
      return undefined;
    }
    if (decoded.kind === 'bad') return this.#noBatch(offset, decoded.reason);
    const { batch, frame } = decoded;
    const reason = whyOutOfOrder(this.#last, batch) ?? this.#whyNotChained(batch, frame);
    if (reason !== undefined) return { kind: 'bad', offset, reason, torn: false };
    this.#last = batch;
    this.#offset = offset + frame.length;
    return { kind: 'batch', batch, offset, frameBytes: frame.length };
  }

  #whyNotChained(batch: StoredBatch, frame: Buffer): string | undefined {
    if (batch.position < (this.#options.skimsBefore ?? 0)) this.#chain.set(batch.chain);
    else if (!continuesChain(this.#chain, frame)) return BROKEN_CHAIN;
    return undefined;
  }

  #noBatch(offset: number, reason: string): Step {
    const start = offset - this.#windowStart;
    const isUnused = this.#window.subarray(start, start + BATCH_HEADER_BYTES).every((byte) => byte === 0);
    return isUnused ? { kind: 'end', offset } : { kind: 'bad', offset, reason, torn: true };
  }

  /** Batches that were handed out keep looking into the window before. @returns whether there are bytes enough */
  async #load(): Promise<boolean> {
    const { file, sizeBytes, windows } = this.#options;
    const left = Math.max(0, sizeBytes() - this.#offset);
    const size = Math.min(left, Math.max(this.#neededBytes, READ_WINDOW_BYTES));
    const into = windows?.take(size) ?? Buffer.allocUnsafe(size);
    const known = this.#window.subarray(this.#offset - this.#windowStart).copy(into);
    const read = await file.read(this.#offset + known, into.subarray(known));
    this.#window = into.subarray(0, known + read);
    this.#windowStart = this.#offset;
    return known + read >= this.#neededBytes;
  }
}

function uuidOf(hex: string): string {
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
