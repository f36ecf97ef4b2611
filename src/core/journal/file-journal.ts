/**
 * The file engine: a journal as a folder of segments (segment.ts) on one machine's disk.
 *
 *   append:    write the frame behind the last one ─▶ fdatasync ─▶ `appended`; before small frames the file is
 *              filled with zeros ahead, for the sync of a file that does not grow is much cheaper
 *   roll:      a full segment loses the zeros at its end (as the last one does at close); the next gets its header under a draft name, is synced, gets
 *              its name, the folder is synced; only then does the first batch go in
 *   truncate:  whole segments, oldest first, the folder synced after each, so that no hole can be left
 *   open:      check the CRCs of the last segment; cut off a torn tail; write its last batch once more and
 *              sync, see below
 *   read:      check CRCs, positions and epochs from the beginning of the segment on, and the chain from the first
 *              batch that is asked for
 *
 * Only one append is under way at a time, so at most the last batch can be unfinished after a crash. This makes
 * "torn" and "rotten" different: after an unfinished batch nothing sound can follow. If the end of the last
 * segment is bad and a sound later batch is found behind, acknowledged batches are damaged, and opening stops.
 * (A rotten *last* batch cannot be told from a torn one. Whoever remembers a mark notices: see replay.ts.)
 *
 * Failures. A write that finds the disk full is taken back by truncating and syncing, and reported as `no-space`:
 * nothing was stored, later appends may succeed. Any other failed write, and any failed sync, is final: the kernel may
 * have marked pages clean that never reached the disk, and a second sync would lie. The journal is read-only
 * until opened again. For the same reason opening writes the last batch once more before syncing: its pages
 * may be in the cache, clean, and not on the disk.
 */
import { codeOf, messageOf } from '../errors.ts';
import type { Files, FolderLock, OpenFile } from '../files/files.ts';
import type { Random } from '../random/random.ts';
import {
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  crcSeedOf,
  decodeBatch,
  encodeBatch,
  encodeBatchAt,
  frameBytesOf,
} from './batch.ts';
import { JournalError } from './errors.ts';
import { BEFORE_FIRST, genesisBatch, type Origin } from './genesis.ts';
import { createLocalLease } from './lease.ts';
import {
  MAX_BATCH_BYTES,
  READ_WINDOW_BYTES,
  RESERVE_BYTES,
  SEGMENT_BYTES,
  WRITE_AT_ONCE_BYTES,
} from './limits.ts';
import { ReadWindows } from './read-windows.ts';
import {
  createSegment,
  firstOfName,
  readSegmentHeader,
  SEGMENT_HEADER_BYTES,
  SegmentCursor,
  type SegmentHeader,
  type Step,
  segmentName,
} from './segment.ts';
import type {
  AppendResult,
  Batch,
  EngineReport,
  Head,
  Journal,
  Mark,
  Position,
  ReadOptions,
  StoredBatch,
} from './types.ts';

export interface FileJournalOptions {
  readonly files: Files;
  /** Made if missing; the journal's alone, and locked while it is open. */
  readonly folder: string;
  readonly random: Random;
  /** Default `SEGMENT_BYTES`. */
  readonly segmentBytes?: number;
  /**
   * A new journal goes on from here: its positions follow the mark, so that it is never taken for one that
   * holds everything from the beginning. Without meaning for a journal that exists. Default: the beginning.
   */
  readonly origin?: Origin;
}

interface Segment {
  readonly first: Position;
  readonly path: string;
  sizeBytes: number;
  /** Undefined for the last one. Kept when this segment is let go of, for readers that are still in it. */
  next: Segment | undefined;
}

interface Opened {
  readonly incarnation: string;
  readonly segments: Segment[];
  readonly active: OpenFile;
  readonly last: Mark;
}

/**
 * Opens the journal in `folder`, or begins a new one there.
 * @throws JournalError `corrupt`, `newer-format`; FilesError `locked`; a system error of the disk
 */
export async function openFileJournal(options: FileJournalOptions): Promise<Journal> {
  const { files, folder } = options;
  await files.makeFolder(folder);
  const lock = await files.lock(folder);
  try {
    const names = await removeDrafts(files, folder);
    const firsts = names.map(firstOfName).filter((first) => first !== undefined);
    const opened = firsts.length === 0 ? await begin(options) : await recover(files, folder, firsts);
    return new FileJournal(options, lock, opened);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Drafts are segments that a crash caught before they had a name. @returns the other names */
async function removeDrafts(files: Files, folder: string): Promise<string[]> {
  const names = await files.list(folder);
  for (const name of names) {
    if (name.endsWith('.segment.tmp')) await files.remove(`${folder}/${name}`);
  }
  return names;
}

async function begin({ files, folder, random, origin }: FileJournalOptions): Promise<Opened> {
  const incarnation = random.uuid();
  const genesis = genesisBatch(incarnation, random, origin);
  const frame = encodeBatch(genesis, crcSeedOf(incarnation));
  const before = origin?.mark ?? BEFORE_FIRST;
  const path = await createSegment(files, folder, { incarnation, before }, frame);
  const active = await files.open(path, 'write');
  const segments = [segmentAt(genesis.position, path, active.size())];
  return { incarnation, segments, active, last: markOf(genesis) };
}

async function recover(files: Files, folder: string, firsts: Position[]): Promise<Opened> {
  // The newest name may be there without being durable, when the process before was killed in a roll.
  await files.syncFolder(folder);
  const segments: Segment[] = [];
  for (const first of firsts) {
    const path = `${folder}/${segmentName(first)}`;
    const segment = segmentAt(first, path, (await files.stat(path))?.sizeBytes ?? 0);
    const previous = segments.at(-1);
    if (previous !== undefined) previous.next = segment;
    segments.push(segment);
  }
  const newest = segments.at(-1) as Segment;
  const active = await files.open(newest.path, 'write');
  try {
    const header = await readSegmentHeader(active);
    checkFirst(header, newest);
    const crcSeed = crcSeedOf(header.incarnation);
    const sizeBytes = () => active.size();
    const cursor = new SegmentCursor({
      file: active,
      before: header.before,
      crcSeed,
      sizeBytes,
      skimsBefore: Number.POSITIVE_INFINITY,
    });
    await settleTail(active, cursor, crcSeed);
    newest.sizeBytes = active.size();
    return { incarnation: header.incarnation, segments, active, last: markOf(cursor.last) };
  } catch (error) {
    await active.close();
    throw error;
  }
}

/** A sound header of another segment may be there, put by a write that was meant for that. */
function checkFirst(header: SegmentHeader, segment: Segment): void {
  const said = header.before.position + 1;
  if (said === segment.first) return;
  throw new JournalError('corrupt', `${segment.path} says that its first position is ${said}`);
}

function segmentAt(first: Position, path: string, sizeBytes: number): Segment {
  return { first, path, sizeBytes, next: undefined };
}

/** A copy that does not hold on to the buffer which a batch was read into. */
function markOf({ position, epoch, chain }: Mark): Mark {
  return { position, epoch, chain: Uint8Array.from(chain) };
}

/** Brings the last segment to its last sound batch, and makes sure that this batch is on the disk. */
async function settleTail(file: OpenFile, cursor: SegmentCursor, crcSeed: number): Promise<void> {
  let newest: Extract<Step, { kind: 'batch' }> | undefined;
  let step = await cursor.next();
  while (step.kind === 'batch') {
    newest = step;
    step = await cursor.next();
  }
  await refuseDamage(file, step, cursor.last.position, crcSeed);
  if (file.size() > step.offset) await file.truncate(step.offset);
  if (newest !== undefined) await file.write(newest.offset, encodeBatch(newest.batch, crcSeed));
  await file.sync();
}

/** @throws JournalError `corrupt` when the bytes at the end are not what an unfinished append leaves */
async function refuseDamage(
  file: OpenFile,
  end: Exclude<Step, { kind: 'batch' }>,
  last: Position,
  crcSeed: number,
): Promise<void> {
  const place = `${file.path}, offset ${end.offset}: ${end.kind === 'bad' ? end.reason : 'zeros'}`;
  if (end.kind === 'bad' && !end.torn) throw new JournalError('corrupt', place);
  const later = await findSoundBatch(file, end.offset + 1, last + 1, crcSeed);
  if (later === undefined) return;
  const found = `position ${later.position} is sound at offset ${later.offset}`;
  throw new JournalError('corrupt', `${place}; what comes after it is not a torn tail: ${found}`);
}

const MAGIC_BYTES = Buffer.alloc(4);
MAGIC_BYTES.writeUInt32BE(BATCH_MAGIC);

/** Looks for a sound batch after position `after` that begins at `start` or later. */
async function findSoundBatch(
  file: OpenFile,
  start: number,
  after: Position,
  crcSeed: number,
): Promise<{ position: Position; offset: number } | undefined> {
  for (let from = start; from < file.size(); from += READ_WINDOW_BYTES) {
    const window = Buffer.allocUnsafe(
      Math.min(READ_WINDOW_BYTES + MAGIC_BYTES.length - 1, file.size() - from),
    );
    const bytes = window.subarray(0, await file.read(from, window));
    for (let at = bytes.indexOf(MAGIC_BYTES); at >= 0; at = bytes.indexOf(MAGIC_BYTES, at + 1)) {
      const position = await positionOfBatchAt(file, from + at, crcSeed);
      if (position !== undefined && position > after) return { position, offset: from + at };
    }
  }
  return undefined;
}

async function positionOfBatchAt(
  file: OpenFile,
  offset: number,
  crcSeed: number,
): Promise<Position | undefined> {
  let neededBytes = BATCH_HEADER_BYTES;
  while (offset + neededBytes <= file.size()) {
    const bytes = Buffer.alloc(neededBytes);
    if ((await file.read(offset, bytes)) < neededBytes) return undefined;
    const decoded = decodeBatch(bytes, 0, crcSeed);
    if (decoded.kind === 'batch') return decoded.batch.position;
    if (decoded.kind === 'bad') return undefined;
    neededBytes = decoded.bytes;
  }
  return undefined;
}

class FileJournal implements Journal {
  readonly incarnation: string;
  readonly lease = createLocalLease();
  readonly #files: Files;
  readonly #folder: string;
  readonly #segmentBytes: number;
  readonly #crcSeed: number;
  readonly #lock: FolderLock;
  readonly #segments: Segment[];
  #active: OpenFile;
  #last: Mark;
  /** A roll has begun and not succeeded: the next segment may have its name already, so this one is at its end. */
  #rolling = false;
  /** Why nothing can be appended any more. */
  #broken: unknown;
  #closing: Promise<void> | undefined;
  /** Appends, truncations and close take their turns. */
  #turn: Promise<void> = Promise.resolve();
  /** Under way and waiting. */
  #turnsTaken = 0;

  constructor(options: FileJournalOptions, lock: FolderLock, opened: Opened) {
    this.#files = options.files;
    this.#folder = options.folder;
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
    this.#lock = lock;
    this.incarnation = opened.incarnation;
    this.#crcSeed = crcSeedOf(opened.incarnation);
    this.#segments = opened.segments;
    this.#active = opened.active;
    this.#last = opened.last;
  }

  report(): EngineReport {
    let storedBytes = 0;
    for (const segment of this.#segments) storedBytes += segment.sizeBytes;
    return {
      engine: 'file',
      durability: 'fsync-local',
      maxBatchBytes: MAX_BATCH_BYTES,
      storedBytes,
      unknownAppend: 'final',
      reads: 'latest',
    };
  }

  append(batch: Batch, expected: Position): Promise<AppendResult> {
    return this.#appendAtOnce(batch, expected) ?? this.#inTurn(() => this.#append(batch, expected));
  }

  /**
   * The usual case on a quick disk: a small batch, the next, into room that is there. It is durable when this returns,
   * with none of the promises that cost a lone writer as much as the write. @returns undefined in any other case
   */
  #appendAtOnce(batch: Batch, expected: Position): Promise<AppendResult> | undefined {
    const segment = this.#segments.at(-1) as Segment;
    const frameBytes = frameBytesOf(batch.records);
    const end = segment.sizeBytes + frameBytes;
    const isUsual = expected === this.#last.position && this.#turnsTaken === 0 && !this.#rolling;
    const hasRoom = end <= this.#active.size() && end <= this.#segmentBytes;
    if (!isUsual || !hasRoom || frameBytes > WRITE_AT_ONCE_BYTES || !this.#active.isQuick) return undefined;
    if (this.#broken !== undefined || this.#closing !== undefined) return undefined;
    const position = expected + 1;
    let pause: Promise<void> | undefined;
    try {
      pause = this.#active.writeThrough(segment.sizeBytes, encodeBatchAt(batch, position, this.#crcSeed));
    } catch (error) {
      return this.#inTurn(async () => {
        if (isFull(error) && isOfWrite(error)) await this.#withdraw(segment, error);
        return this.#unknown(error);
      });
    }
    const result = this.#appended(segment, frameBytes, batch);
    return pause === undefined ? Promise.resolve(result) : pause.then(() => result);
  }

  #unknown(cause: unknown): AppendResult {
    this.#broken = cause;
    return { outcome: 'unknown', cause };
  }

  #appended(segment: Segment, frameBytes: number, { epoch, chain }: Batch): AppendResult {
    const position = this.#last.position + 1;
    segment.sizeBytes += frameBytes;
    this.#last = { position, epoch, chain };
    return { outcome: 'appended', position };
  }

  async #append(batch: Batch, expected: Position): Promise<AppendResult> {
    this.#checkWritable();
    const last = this.#last.position;
    if (expected !== last) return { outcome: 'conflict', last };
    const frameBytes = frameBytesOf(batch.records);
    if (frameBytes > MAX_BATCH_BYTES) throw new JournalError('too-large', `a batch of ${frameBytes} bytes`);
    const segment = await this.#segmentFor(frameBytes);
    const grown = await this.#reserve(segment.sizeBytes + frameBytes, frameBytes);
    try {
      await this.#write(segment, encodeBatchAt(batch, last + 1, this.#crcSeed));
      await this.#active.sync(grown || frameBytes > WRITE_AT_ONCE_BYTES ? 'much' : 'little');
    } catch (error) {
      if (error instanceof JournalError) throw error;
      return this.#unknown(error);
    }
    return this.#appended(segment, frameBytes, batch);
  }

  /**
   * Makes room up to `end` and well behind it, if a small frame is not to fit into what there is.
   * @returns whether the file has grown, which its next sync has to make durable as well
   */
  async #reserve(end: number, frameBytes: number): Promise<boolean> {
    const from = this.#active.size();
    if (end <= from || frameBytes > RESERVE_BYTES / 4) return false;
    const upTo = Math.max(end, Math.min(end + RESERVE_BYTES, this.#segmentBytes));
    try {
      await this.#active.write(from, Buffer.alloc(upTo - from));
    } catch (error) {
      if (!isFull(error)) this.#fail(error);
      // There may yet be room for the frame itself.
      await this.#cutOff(from);
    }
    return true;
  }

  async #write(segment: Segment, frame: Buffer): Promise<void> {
    try {
      if (frame.length <= WRITE_AT_ONCE_BYTES) this.#active.writeSync(segment.sizeBytes, frame);
      else await this.#active.write(segment.sizeBytes, frame);
    } catch (error) {
      if (!isFull(error)) throw error;
      await this.#withdraw(segment, error);
    }
  }

  /** The disk is full: takes out the part of a frame that was written. @throws JournalError `no-space`, `read-only` */
  async #withdraw(segment: Segment, cause: unknown): Promise<never> {
    // It could be whole by accident: the rest may be zeros, as the room ahead is.
    await this.#cutOff(segment.sizeBytes);
    await this.#active.sync().catch((error: unknown) => this.#fail(error));
    throw noSpace(cause);
  }

  /** Should it fail, zeros stay behind the last batch, which harm nobody. */
  async #dropReserve(): Promise<void> {
    const { sizeBytes } = this.#segments.at(-1) as Segment;
    if (this.#active.size() > sizeBytes) await this.#active.truncate(sizeBytes).catch(() => undefined);
  }

  async #cutOff(sizeBytes: number): Promise<void> {
    await this.#active.truncate(sizeBytes).catch((error: unknown) => this.#fail(error));
  }

  /** The last segment, or a fresh one when it has no room for a frame of this size. */
  async #segmentFor(frameBytes: number): Promise<Segment> {
    const active = this.#segments.at(-1) as Segment;
    const isEmpty = active.sizeBytes === SEGMENT_HEADER_BYTES;
    const hasRoom = isEmpty || active.sizeBytes + frameBytes <= this.#segmentBytes;
    if (hasRoom && !this.#rolling) return active;
    this.#rolling = true;
    try {
      return await this.#roll();
    } catch (error) {
      if (!isFull(error)) this.#fail(error);
      throw noSpace(error);
    }
  }

  async #roll(): Promise<Segment> {
    const header = { incarnation: this.incarnation, before: this.#last };
    const path = await createSegment(this.#files, this.#folder, header, new Uint8Array(0));
    const next = await this.#files.open(path, 'write');
    await this.#dropReserve();
    await this.#active.close();
    this.#active = next;
    const segment = segmentAt(this.#last.position + 1, path, SEGMENT_HEADER_BYTES);
    (this.#segments.at(-1) as Segment).next = segment;
    this.#segments.push(segment);
    this.#rolling = false;
    return segment;
  }

  async *read(from: Position, options: ReadOptions = {}): AsyncIterable<StoredBatch[]> {
    this.#checkOpen();
    this.#checkKept(from);
    const maxBytes = options.maxBytes ?? READ_WINDOW_BYTES;
    const windows = options.reuse === true ? new ReadWindows() : undefined;
    let next = from;
    while (next <= this.#last.position) {
      this.#checkKept(next);
      const segment = this.#segments.findLast((one) => one.first <= next) as Segment;
      for await (const group of this.#readSegment(segment, next, maxBytes, windows)) {
        next = (group.at(-1) as StoredBatch).position + 1;
        yield group;
        windows?.nextGroup();
      }
    }
  }

  /** From `from` to the end of the segment; of the last one, to what is durable now. */
  async *#readSegment(
    segment: Segment,
    from: Position,
    maxBytes: number,
    windows: ReadWindows | undefined,
  ): AsyncIterable<StoredBatch[]> {
    const file = await this.#openKept(segment);
    try {
      const header = await readSegmentHeader(file);
      if (header.incarnation !== this.incarnation) {
        throw new JournalError(
          'corrupt',
          `${segment.path} belongs to another journal, ${header.incarnation}`,
        );
      }
      checkFirst(header, segment);
      const cursor = new SegmentCursor({
        file,
        before: header.before,
        crcSeed: this.#crcSeed,
        sizeBytes: () => segment.sizeBytes,
        // Whoever reads from here remembers what stood before, or does not care.
        skimsBefore: from,
        ...(windows === undefined ? {} : { windows }),
      });
      let group: StoredBatch[] = [];
      let groupBytes = 0;
      // Evaluated anew each time: appends go on, and the last segment may cease to be the last.
      while (cursor.position < (segment.next?.first ?? this.#last.position + 1) - 1) {
        const { batch, frameBytes } = soundOf(cursor.step() ?? (await cursor.next()), cursor, file.path);
        if (batch.position < from) continue;
        if (group.length > 0 && groupBytes + frameBytes > maxBytes) {
          yield group;
          group = [];
          groupBytes = 0;
        }
        group.push(batch);
        groupBytes += frameBytes;
      }
      await this.#checkJoint(segment, cursor.last);
      if (group.length > 0) yield group;
    } finally {
      await file.close();
    }
  }

  async #openKept(segment: Segment): Promise<OpenFile> {
    try {
      return await this.#files.open(segment.path, 'read');
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      this.#checkKept(segment.first);
      throw new JournalError('corrupt', `${segment.path} is missing`, { cause: error });
    }
  }

  /** The next segment must stand on exactly the batch that this one ends with. */
  async #checkJoint(segment: Segment, last: Mark): Promise<void> {
    if (segment.next === undefined) return;
    const file = await this.#openKept(segment.next);
    try {
      const { before } = await readSegmentHeader(file);
      if (before.position === last.position && Buffer.compare(before.chain, last.chain) === 0) return;
      throw new JournalError('corrupt', `${file.path} does not continue ${segment.path}`);
    } finally {
      await file.close();
    }
  }

  async head(): Promise<Head> {
    this.#checkOpen();
    return { first: this.#firstKept(), last: this.#last };
  }

  truncateBefore(position: Position): Promise<void> {
    return this.#inTurn(async () => {
      this.#checkOpen();
      while ((this.#segments[1]?.first ?? Number.POSITIVE_INFINITY) <= position) {
        await this.#files.remove((this.#segments[0] as Segment).path);
        this.#segments.shift();
        await this.#files.syncFolder(this.#folder);
      }
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#inTurn(async () => {
      try {
        if (this.#broken === undefined) await this.#dropReserve();
        await this.#active.close();
      } finally {
        await this.#lock.release();
      }
    });
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #inTurn<Result>(run: () => Promise<Result>): Promise<Result> {
    this.#turnsTaken += 1;
    const result = this.#turn.then(run);
    const over = (): void => {
      this.#turnsTaken -= 1;
    };
    this.#turn = result.then(over, over);
    return result;
  }

  #firstKept(): Position {
    return (this.#segments[0] as Segment).first;
  }

  #checkKept(position: Position): void {
    const first = this.#firstKept();
    if (position < first)
      throw new JournalError('trimmed', `position ${position} is gone; the first is ${first}`);
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new JournalError('closed', 'the journal is closed');
  }

  #checkWritable(): void {
    this.#checkOpen();
    if (this.#broken !== undefined) throw readOnly(this.#broken);
  }

  #fail(error: unknown): never {
    this.#broken = error;
    throw readOnly(error);
  }
}

/** @throws JournalError `corrupt` when the step is no batch */
function soundOf(step: Step, cursor: SegmentCursor, path: string): Extract<Step, { kind: 'batch' }> {
  if (step.kind === 'batch') return step;
  const reason = step.kind === 'bad' ? step.reason : `the file ends after position ${cursor.position}`;
  throw new JournalError('corrupt', `${path}, offset ${step.offset}: ${reason}`);
}

function isFull(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** Not of the sync that follows it. */
function isOfWrite(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && error.syscall === 'write';
}

function noSpace(cause: unknown): JournalError {
  if (cause instanceof JournalError) return cause;
  return new JournalError('no-space', `the disk is full: ${messageOf(cause)}`, { cause, retryable: true });
}

function readOnly(cause: unknown): JournalError {
  return new JournalError('read-only', `the journal stopped after a failed write: ${messageOf(cause)}`, {
    cause,
  });
}
