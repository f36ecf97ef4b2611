/**
 * Commits as they lie in the journal: one record holds one commit or several that waited together, and is
 * all there or not at all.
 *
 *   record   commit, commit, …
 *   commit   format 1 │ changes 4 │ change, change, …
 *   change   kind 1 │ tree length 2 │ tree │ key length 2 │ key │ …
 *              1 put            … value length 4 │ value
 *              2 delete
 *              3 delete-range   … length of `to` 2 │ to          `key` is `from`
 *              4 delete-range to the end                         `key` is `from`
 *
 * Numbers are big-endian. What a record says does not depend on the state it is applied to but through the keys.
 */
import { ByteReader, ShortRead } from '../bytes/reader.ts';
import { StoreError } from './errors.ts';
import { COMMIT_BYTES_MAX, KEY_BYTES_MAX } from './limits.ts';
import type { Change } from './types.ts';

const FORMAT = 1;
const COMMIT_HEAD_BYTES = 5;
const PUT = 1;
const DELETE = 2;
const DELETE_RANGE = 3;
const DELETE_TO_END = 4;

/** @throws StoreError `too-large`, naming what is */
export function encodeCommit(changes: readonly Change[]): Buffer {
  let size = COMMIT_HEAD_BYTES;
  for (const change of changes) size += changeBytes(change);
  if (size > COMMIT_BYTES_MAX) throw tooLarge('a commit', size, COMMIT_BYTES_MAX);
  const bytes = Buffer.allocUnsafe(size);
  bytes[0] = FORMAT;
  bytes.writeUInt32BE(changes.length, 1);
  let at = COMMIT_HEAD_BYTES;
  for (const change of changes) at = writeChange(bytes, at, change);
  return bytes;
}

function tooLarge(what: string, bytes: number, most: number): StoreError {
  return new StoreError('too-large', `${what} of ${bytes} bytes is over the limit of ${most}`);
}

function changeBytes(change: Change): number {
  const tree = Buffer.byteLength(change.tree);
  if (tree === 0 || tree > KEY_BYTES_MAX) throw tooLarge('a tree name', tree, KEY_BYTES_MAX);
  const key = change.kind === 'delete-range' ? change.from : change.key;
  const end = change.kind === 'delete-range' ? change.to : undefined;
  const longest = Math.max(key.length, end?.length ?? 0);
  if (longest > KEY_BYTES_MAX) throw tooLarge('a key', longest, KEY_BYTES_MAX);
  const head = 1 + 2 + tree + 2 + key.length;
  if (change.kind === 'put') return head + 4 + change.value.length;
  return end === undefined ? head : head + 2 + end.length;
}

function writeChange(bytes: Buffer, start: number, change: Change): number {
  bytes[start] = kindOf(change);
  const tree = bytes.write(change.tree, start + 3);
  bytes.writeUInt16BE(tree, start + 1);
  const key = change.kind === 'delete-range' ? change.from : change.key;
  const at = writeKey(bytes, start + 3 + tree, key);
  if (change.kind === 'delete-range') return change.to === undefined ? at : writeKey(bytes, at, change.to);
  if (change.kind === 'delete') return at;
  bytes.writeUInt32BE(change.value.length, at);
  bytes.set(change.value, at + 4);
  return at + 4 + change.value.length;
}

function kindOf(change: Change): number {
  if (change.kind === 'put') return PUT;
  if (change.kind === 'delete') return DELETE;
  return change.to === undefined ? DELETE_TO_END : DELETE_RANGE;
}

function writeKey(bytes: Buffer, at: number, key: Uint8Array): number {
  bytes.writeUInt16BE(key.length, at);
  bytes.set(key, at + 2);
  return at + 2 + key.length;
}

/**
 * The changes of a record, in order; their bytes are views of it.
 * @throws StoreError `newer-format`; `corrupt` when the record was not written by `encodeCommit`
 */
export function* decodeRecord(record: Uint8Array): IterableIterator<Change> {
  const reader = new ByteReader(Buffer.from(record.buffer, record.byteOffset, record.byteLength));
  try {
    while (reader.remaining > 0) {
      const format = reader.uint8();
      if (format !== FORMAT) throw newerRecord(format);
      for (let count = reader.uint32(); count > 0; count -= 1) yield readChange(reader);
    }
  } catch (error) {
    if (!(error instanceof ShortRead)) throw error;
    throw new StoreError('corrupt', `a record of the journal is cut short: ${error.message}`);
  }
}

function newerRecord(format: number): StoreError {
  return new StoreError(
    'newer-format',
    `the journal holds commits of format ${format}, this release knows ${FORMAT}`,
  );
}

function readChange(reader: ByteReader): Change {
  const kind = reader.uint8();
  const tree = reader.utf8(reader.uint16());
  const key = reader.take(reader.uint16());
  if (kind === PUT) return { kind: 'put', tree, key, value: reader.take(reader.uint32()) };
  if (kind === DELETE) return { kind: 'delete', tree, key };
  if (kind === DELETE_RANGE)
    return { kind: 'delete-range', tree, from: key, to: reader.take(reader.uint16()) };
  if (kind === DELETE_TO_END) return { kind: 'delete-range', tree, from: key };
  throw new StoreError('corrupt', `a record of the journal holds a change of unknown kind ${kind}`);
}
