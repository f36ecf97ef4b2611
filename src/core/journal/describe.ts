import { codeOf, messageOf } from '../errors.ts';
import type { Files } from '../files/files.ts';
import { crcSeedOf, FIRST_CHAIN } from './batch.ts';
import { firstOfName, readSegmentHeader, SegmentCursor, type Step } from './segment.ts';
import type { Mark, StoredBatch } from './types.ts';

/**
 * The journal in `folder` as text, line by line, for `octet inspect journal`: each segment with its header, each
 * batch with its place, size and chain, and where the segments do not fit together. Takes no lock and changes
 * nothing, so it may look at a journal that is in use; what is being appended then shows as an unfinished end.
 *
 *   0000000000000001.segment  16384 bytes  incarnation 7c9e6679-…
 *     position  epoch  kind     records  bytes  offset  chain
 *            1      0  genesis        1    112      64  9f86d081884c7d65
 *
 * Damage is a line of its own, beginning with `!`.
 */
export async function* describeJournal(files: Files, folder: string): AsyncGenerator<string, void> {
  const names = (await files.list(folder)).filter((name) => firstOfName(name) !== undefined);
  if (names.length === 0) yield `${folder} holds no journal`;
  let last: Mark | undefined;
  for (const name of names) last = yield* describeSegment(files, `${folder}/${name}`, name, last);
  if (last !== undefined)
    yield `end: position ${last.position}, epoch ${last.epoch}, chain ${hex(last.chain)}`;
}

async function* describeSegment(
  files: Files,
  path: string,
  name: string,
  before: Mark | undefined,
): AsyncGenerator<string, Mark | undefined> {
  const file = await openOrUndefined(files, path);
  if (file === undefined) return before;
  try {
    const sizeBytes = file.size();
    const header = await readSegmentHeader(file).catch((error: unknown) => messageOf(error));
    if (typeof header === 'string') {
      yield `! ${header}`;
      return undefined;
    }
    yield `${name}  ${sizeBytes} bytes  incarnation ${header.incarnation}`;
    if (before !== undefined && !isSame(before, header.before))
      yield '! does not continue the segment before';
    if (before === undefined && Buffer.compare(header.before.chain, FIRST_CHAIN) !== 0) {
      yield `  continues position ${header.before.position}, epoch ${header.before.epoch}, chain ${hex(header.before.chain)}`;
    }
    yield '  position  epoch  kind     records      bytes     offset  chain';
    const cursor = new SegmentCursor({
      file,
      before: header.before,
      crcSeed: crcSeedOf(header.incarnation),
      sizeBytes: () => sizeBytes,
    });
    let step = await cursor.next();
    for (; step.kind === 'batch'; step = await cursor.next()) yield lineOf(step);
    if (step.kind === 'bad') yield `! offset ${step.offset}: ${step.reason}`;
    return cursor.last;
  } finally {
    await file.close();
  }
}

/** A segment may be let go of between listing and opening. */
async function openOrUndefined(files: Files, path: string) {
  try {
    return await files.open(path, 'read');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function lineOf({ batch, offset, frameBytes }: Extract<Step, { kind: 'batch' }>): string {
  const { position, epoch, kind, records, chain }: StoredBatch = batch;
  const columns = [
    String(position).padStart(10),
    String(epoch).padStart(5),
    kind.padEnd(7),
    String(records.length).padStart(7),
    String(frameBytes).padStart(9),
    String(offset).padStart(9),
    hex(chain),
  ];
  return columns.join('  ');
}

function isSame(one: Mark, other: Mark): boolean {
  return one.position === other.position && Buffer.compare(one.chain, other.chain) === 0;
}

function hex(chain: Uint8Array): string {
  return Buffer.from(chain).toString('hex').slice(0, 16);
}
