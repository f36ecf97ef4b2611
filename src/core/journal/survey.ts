/**
 * Reads a journal that may be damaged, from its first segment to its last, and goes on behind what is broken:
 * the ground of checking and of salvage. Takes no lock and changes nothing.
 *
 *   ┌─────────┬─────────┬─ ─ ─ ─ ─┬─────────┐
 *   │ batch 7 │ batch 8 │ ✗✗✗✗✗✗✗ │ batch 11│     batch 7, batch 8, damage (position 9), batch 11
 *   └─────────┴─────────┴─ ─ ─ ─ ─┴─────────┘
 *
 * What follows damage is found by its magic number and believed for its CRC, which the incarnation seeds: a
 * frame of another journal, or one that lies inside a record, has another. What no CRC can tell is whether the
 * batch follows the one before the damage. So each batch says after which it is *proven* to come, by the chain:
 * the batch before it, or one that the caller remembers, or none.
 */
import { codeOf, messageOf } from '../errors.ts';
import type { Damage } from '../files/damage.ts';
import type { Files, OpenFile } from '../files/files.ts';
import { BATCH_HEADER_BYTES, BATCH_MAGIC, crcSeedOf, decodeBatch, whyNotNext } from './batch.ts';
import { MAX_BATCH_BYTES, READ_WINDOW_BYTES } from './limits.ts';
import {
  firstOfName,
  readSegmentHeader,
  SEGMENT_HEADER_BYTES,
  SegmentCursor,
  type SegmentHeader,
  type Step,
  segmentName,
} from './segment.ts';
import type { Mark, Position, StoredBatch } from './types.ts';

export type Sighting =
  | {
      readonly kind: 'segment';
      readonly path: string;
      readonly sizeBytes: number;
      readonly incarnation: string | undefined;
      /** What its header names as the batch before its first; undefined when the header is damaged. */
      readonly before: Mark | undefined;
    }
  | {
      readonly kind: 'batch';
      readonly path: string;
      readonly offset: number;
      readonly frameBytes: number;
      readonly batch: StoredBatch;
      /** The batch that this one is proven to follow. */
      readonly after: Mark | undefined;
    }
  | { readonly kind: 'damage'; readonly damage: Damage }
  /** Bad bytes at the very end: an append that was cut short leaves them, and so does a damaged last batch. */
  | {
      readonly kind: 'unfinished';
      readonly damage: Damage;
      /** The file, or what of it is not zeros, ends before the batch does, as after a process that was killed. */
      readonly isCut: boolean;
    };

/** What the caller knows of the journal from elsewhere, the roots of a page file for instance. */
export interface Remembered {
  readonly incarnation?: string | undefined;
  readonly marks?: readonly Mark[];
}

interface Survey {
  readonly files: Files;
  readonly incarnation: string;
  readonly crcSeed: number;
  readonly marks: readonly Mark[];
  /** The segment before ended with damage, which has been said. */
  isEndDamaged: boolean;
}

interface SegmentFile {
  readonly file: OpenFile;
  readonly path: string;
  readonly first: Position;
  readonly sizeBytes: number;
  readonly isLast: boolean;
}

/**
 * Everything in the journal in `folder`: segments in the order that their headers say, or their names where the
 * header is damaged, and batches at ascending positions.
 * @throws a system error of the disk that does not concern one file alone
 */
export async function* surveyJournal(
  files: Files,
  folder: string,
  remembered: Remembered = {},
): AsyncGenerator<Sighting, void> {
  const headers = await readHeaders(files, folder);
  const incarnation = incarnationOf(headers, remembered.incarnation);
  const paths = inOrder(headers, incarnation);
  const survey: Survey = {
    files,
    incarnation,
    crcSeed: crcSeedOf(incarnation),
    marks: remembered.marks ?? [],
    isEndDamaged: false,
  };
  let last: Mark | undefined;
  for (const [index, path] of paths.entries()) {
    last = yield* surveyFile(survey, path, index === paths.length - 1, last);
  }
}

interface NamedHeader {
  readonly path: string;
  readonly first: Position;
  /** Undefined when it is damaged. */
  readonly header: SegmentHeader | undefined;
}

async function readHeaders(files: Files, folder: string): Promise<NamedHeader[]> {
  const headers: NamedHeader[] = [];
  for (const name of await files.list(folder)) {
    const first = firstOfName(name);
    const path = `${folder}/${name}`;
    if (first !== undefined) headers.push({ path, first, header: await headerOf(files, path) });
  }
  return headers;
}

/** The incarnation that the caller remembers if a segment has it, else the one that most segments have. */
function incarnationOf(headers: readonly NamedHeader[], remembered: string | undefined): string {
  const counts = new Map<string, number>();
  for (const { header } of headers) {
    if (header !== undefined) counts.set(header.incarnation, (counts.get(header.incarnation) ?? 0) + 1);
  }
  if (remembered !== undefined && (counts.size === 0 || counts.has(remembered))) return remembered;
  const [most] = [...counts].sort(([, left], [, right]) => right - left);
  return most?.[0] ?? '';
}

function inOrder(headers: readonly NamedHeader[], incarnation: string): string[] {
  const placed = headers.map(({ path, first, header }) => {
    return { path, at: header?.incarnation === incarnation ? header.before.position + 1 : first };
  });
  return placed.sort((left, right) => left.at - right.at).map(({ path }) => path);
}

async function headerOf(files: Files, path: string): Promise<SegmentHeader | undefined> {
  const file = await openOrUndefined(files, path);
  try {
    return file && (await readSegmentHeader(file));
  } catch (error) {
    // What is wrong with it is said when its turn comes.
    if (codeOf(error) === undefined) throw error;
    return undefined;
  } finally {
    await file?.close();
  }
}

function isOfTheJournal(error: unknown): boolean {
  return codeOf(error) === 'corrupt' || codeOf(error) === 'newer-format';
}

/** A segment may be let go of between listing and opening. */
export async function openOrUndefined(files: Files, path: string): Promise<OpenFile | undefined> {
  try {
    return await files.open(path, 'read');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function* surveyFile(
  survey: Survey,
  path: string,
  isLast: boolean,
  last: Mark | undefined,
): AsyncGenerator<Sighting, Mark | undefined> {
  const file = await openOrUndefined(survey.files, path);
  if (file === undefined) return last;
  try {
    const first = firstOfName(path.slice(path.lastIndexOf('/') + 1)) as Position;
    const segment: SegmentFile = { file, path, first, sizeBytes: file.size(), isLast };
    return yield* surveySegment(survey, segment, last);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    // A disk that refuses to read: the segments behind may be sound.
    survey.isEndDamaged = true;
    yield { kind: 'damage', damage: { path, position: (last?.position ?? 0) + 1, what: messageOf(error) } };
    return last;
  } finally {
    await file.close();
  }
}

async function* surveySegment(
  survey: Survey,
  segment: SegmentFile,
  last: Mark | undefined,
): AsyncGenerator<Sighting, Mark | undefined> {
  const header = await readSegmentHeader(segment.file).catch((error: unknown) => {
    if (isOfTheJournal(error)) return messageOf(error);
    throw error;
  });
  const { path, sizeBytes } = segment;
  const isOwn = typeof header !== 'string' && header.incarnation === survey.incarnation;
  const incarnation = typeof header === 'string' ? undefined : header.incarnation;
  yield { kind: 'segment', path, sizeBytes, incarnation, before: isOwn ? header.before : undefined };
  if (typeof header === 'string') {
    survey.isEndDamaged = true;
    yield damageAt(segment, 0, header.replace(`${segment.path} `, 'it '), segment.first);
    // The name says what the header said, and the segment before it, if it is whole, the rest.
    const before = last?.position === segment.first - 1 ? last : undefined;
    return yield* surveyBatches(survey, segment, before, last);
  }
  if (header.incarnation !== survey.incarnation) {
    yield damageAt(segment, 16, `it belongs to another journal, ${header.incarnation}`, segment.first);
    return last;
  }
  yield* checkJoint(survey, segment, header, last);
  // Positions are met once: of a segment that goes back only what is new is read.
  const isBehind = last !== undefined && header.before.position < last.position;
  return yield* surveyBatches(survey, segment, isBehind ? undefined : header.before, last);
}

/** A segment must have the name that its header says, and go on where the one before it ends. */
function* checkJoint(
  { isEndDamaged }: Survey,
  segment: SegmentFile,
  { before }: SegmentHeader,
  last: Mark | undefined,
): Generator<Sighting, void> {
  const name = segmentName(before.position + 1);
  if (!segment.path.endsWith(name)) yield damageAt(segment, 32, `its header says that it is ${name}`);
  if (last === undefined || isSameMark(last, before)) return;
  const from = last.position + 1;
  // The one damaged batch at its end is the one that is missing.
  if (before.position === from && isEndDamaged) return;
  if (before.position >= from) {
    yield damageAt(segment, 0, `positions ${from} to ${before.position} are missing before it`, from);
  } else {
    yield damageAt(segment, 32, `it does not continue position ${last.position} of the segment before`);
  }
}

function damageAt(segment: SegmentFile, offset: number, what: string, position?: Position): Sighting {
  return { kind: 'damage', damage: damageOf(segment, offset, what, position) };
}

function damageOf({ path }: SegmentFile, offset: number, what: string, position?: Position): Damage {
  return { path, offset, ...(position === undefined ? {} : { position }), what };
}

export function isSameMark(one: Mark, other: Mark): boolean {
  return one.position === other.position && Buffer.compare(one.chain, other.chain) === 0;
}

/**
 * The batches of one segment.
 * @param before what the first batch must follow; undefined when that is not known
 * @param last the newest batch so far
 * @returns the newest batch seen
 */
async function* surveyBatches(
  survey: Survey,
  segment: SegmentFile,
  before: Mark | undefined,
  last: Mark | undefined,
): AsyncGenerator<Sighting, Mark | undefined> {
  let newest = last;
  let from = SEGMENT_HEADER_BYTES;
  let proven = before;
  for (;;) {
    if (proven !== undefined) {
      newest = proven;
      const stop = yield* followBatches(survey, segment, proven, from);
      newest = stop.last;
      survey.isEndDamaged = stop.kind === 'damage';
      if (stop.kind === 'end') return newest;
      from = stop.from;
    }
    const found = await nextSound(survey, segment, from, newest ?? segment.first - 1);
    if (found === undefined) return newest;
    survey.isEndDamaged = false;
    newest = markOf(found.batch);
    yield found;
    proven = newest;
    from = found.offset + found.frameBytes;
  }
}

type Stop =
  | { readonly kind: 'end'; readonly last: Mark }
  /** The next sound batch may begin at `from`. */
  | { readonly kind: 'damage'; readonly last: Mark; readonly from: number };

/** Batch after batch while each follows the one before. */
async function* followBatches(
  survey: Survey,
  segment: SegmentFile,
  before: Mark,
  start: number,
): AsyncGenerator<Sighting, Stop> {
  const { file, path, sizeBytes } = segment;
  const { crcSeed } = survey;
  const cursor = new SegmentCursor({ file, before, crcSeed, start, sizeBytes: () => sizeBytes });
  let after = before;
  let step = await cursor.next();
  for (; step.kind === 'batch'; step = await cursor.next()) {
    yield { ...step, path, after };
    after = markOf(step.batch);
  }
  return yield* stopAt(survey, segment, step, after);
}

/** Tells the end of a segment, with or without an unfinished batch, from damage with more batches behind it. */
async function* stopAt(
  survey: Survey,
  segment: SegmentFile,
  step: Exclude<Step, { kind: 'batch' }>,
  last: Mark,
): AsyncGenerator<Sighting, Stop> {
  const isBad = step.kind === 'bad';
  const from = step.offset + Number(!isBad || step.torn);
  const isBehind = (await nextSound(survey, segment, from, last)) !== undefined;
  if (!isBad && !isBehind) return { kind: 'end', last };
  const what = isBad ? step.reason : 'zeros where a batch should be';
  const damage = damageOf(segment, step.offset, what, last.position + 1);
  if (isBehind || !segment.isLast || !isBad || !step.torn) {
    yield { kind: 'damage', damage };
    return { kind: 'damage', last, from };
  }
  yield { kind: 'unfinished', damage, isCut: await isCutShort(segment, step.offset) };
  return { kind: 'end', last };
}

/** The file, but for the zeros at its end, ends before the frame that begins at `offset` does. */
async function isCutShort({ file, sizeBytes }: SegmentFile, offset: number): Promise<boolean> {
  const head = Buffer.alloc(BATCH_HEADER_BYTES);
  await file.read(offset, head);
  const frameBytes = Math.max(head.readUInt32BE(8), BATCH_HEADER_BYTES);
  if (offset + frameBytes > sizeBytes) return true;
  // A sound frame may end with a few zeros, too.
  return (await lastByteOf(file, offset)) < offset + frameBytes - ZEROS_OF_A_FRAME;
}

const ZEROS_OF_A_FRAME = 16;

/** The offset of the last byte that is not zero; `from` when there is none behind it. */
async function lastByteOf(file: OpenFile, from: number): Promise<number> {
  for (let end = file.size(); end > from; end -= READ_WINDOW_BYTES) {
    const start = Math.max(from, end - READ_WINDOW_BYTES);
    const bytes = Buffer.alloc(end - start);
    await file.read(start, bytes);
    const at = bytes.findLastIndex((byte) => byte !== 0);
    if (at >= 0) return start + at;
  }
  return from;
}

/** A copy that does not hold on to the buffer which a batch was read into. */
export function markOf({ position, epoch, chain }: Mark): Mark {
  return { position, epoch, chain: Uint8Array.from(chain) };
}

const MAGIC_BYTES = Buffer.alloc(4);
MAGIC_BYTES.writeUInt32BE(BATCH_MAGIC);

type Found = Extract<Sighting, { kind: 'batch' }>;

/** The first batch after `last`, or after that position, that begins at offset `start` or later. */
async function nextSound(
  survey: Survey,
  segment: SegmentFile,
  start: number,
  last: Mark | Position,
): Promise<Found | undefined> {
  const window = Buffer.allocUnsafe(READ_WINDOW_BYTES + MAGIC_BYTES.length - 1);
  for (let from = start; from < segment.sizeBytes; from += READ_WINDOW_BYTES) {
    const bytes = window.subarray(0, await segment.file.read(from, window));
    for (let at = bytes.indexOf(MAGIC_BYTES); at >= 0; at = bytes.indexOf(MAGIC_BYTES, at + 1)) {
      const found = await batchAt(survey, segment, from + at, last);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

async function batchAt(
  { crcSeed, marks }: Survey,
  { file, path, sizeBytes }: SegmentFile,
  offset: number,
  last: Mark | Position,
): Promise<Found | undefined> {
  const head = Buffer.alloc(BATCH_HEADER_BYTES);
  if ((await file.read(offset, head)) < head.length) return undefined;
  const frameBytes = head.readUInt32BE(8);
  // Told without reading what may be 72 MiB and no batch.
  const after = typeof last === 'number' ? last : last.position;
  const isPlausible =
    frameBytes <= Math.min(MAX_BATCH_BYTES, sizeBytes - offset) && Number(head.readBigUInt64BE(16)) > after;
  if (!isPlausible) return undefined;
  const frame = Buffer.allocUnsafe(frameBytes);
  if ((await file.read(offset, frame)) < frameBytes) return undefined;
  const decoded = decodeBatch(frame, 0, crcSeed);
  if (decoded.kind !== 'batch') return undefined;
  const { batch } = decoded;
  return { kind: 'batch', path, offset, frameBytes, batch, after: provenBy(marks, last, batch) };
}

function provenBy(marks: readonly Mark[], last: Mark | Position, batch: StoredBatch): Mark | undefined {
  const candidates = typeof last === 'number' ? marks : [last, ...marks];
  return candidates.find((mark) => whyNotNext(mark, batch) === undefined);
}
