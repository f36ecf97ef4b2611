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
import { StoreError } from './errors.ts';
import { COMMIT_BYTES_MAX, KEY_BYTES_MAX } from './limits.ts';
import type { Change } from './types.ts';

const FORMAT = 1;
const COMMIT_HEAD_BYTES = 5;
const PUT = 1;
const DELETE = 2;
const DELETE_RANGE = 3;
const DELETE_TO_END = 4;

const EMPTY = Buffer.alloc(0);

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
 * Walks over the changes of a record where they lie, making nothing: a replay meets millions of them.
 *
 *   for (scanner.open(bytes, start, end); scanner.next(); ) … scanner.kind, scanner.keyStart, scanner.keyEnd …
 *
 * All places are offsets in the bytes given to `open`.
 */
export class ChangeScanner {
  /** Where the change begins; `at` finds it again. */
  start = 0;
  kind: Change['kind'] = 'put';
  treeStart = 0;
  treeEnd = 0;
  keyStart = 0;
  keyEnd = 0;
  /** The value of a put, `to` of a delete-range; else empty. */
  restStart = 0;
  restEnd = 0;
  /** A delete-range to the end of the tree. */
  isOpenEnded = false;
  /** What `open` or `at` was given. */
  bytes: Buffer = EMPTY;
  #at = 0;
  #end = 0;
  /** Changes left of the commit under way. */
  #left = 0;

  open(bytes: Buffer, start: number = 0, end: number = bytes.length): void {
    this.bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#left = 0;
  }

  /**
   * Goes to the next change. @returns false at the end of the record
   * @throws StoreError `newer-format`; `corrupt` when the record was not written by `encodeCommit`
   */
  next(): boolean {
    while (this.#left === 0) {
      if (this.#at === this.#end) return false;
      const format = this.bytes[this.#skip(1)]!;
      if (format !== FORMAT) throw newerRecord(format);
      this.#left = this.#uint32(this.#skip(4));
    }
    this.#left -= 1;
    this.#read();
    return true;
  }

  /** Stands on the change that `next` found to begin at `start` of `bytes`. */
  at(bytes: Buffer, start: number): void {
    this.bytes = bytes;
    this.#at = start;
    this.#end = bytes.length;
    this.#read();
  }

  #read(): void {
    this.start = this.#skip(3);
    const code = this.bytes[this.start]!;
    this.treeStart = this.#at;
    this.#skip(this.#uint16(this.start + 1));
    this.treeEnd = this.#at;
    const keyBytes = this.#uint16(this.#skip(2));
    this.keyStart = this.#skip(keyBytes);
    this.keyEnd = this.#at;
    this.#readRest(code);
  }

  #readRest(code: number): void {
    this.isOpenEnded = code === DELETE_TO_END;
    this.restStart = this.#at;
    switch (code) {
      case PUT: {
        const bytes = this.#uint32(this.#skip(4));
        this.kind = 'put';
        this.restStart = this.#skip(bytes);
        break;
      }
      case DELETE:
        this.kind = 'delete';
        break;
      case DELETE_RANGE: {
        const bytes = this.#uint16(this.#skip(2));
        this.kind = 'delete-range';
        this.restStart = this.#skip(bytes);
        break;
      }
      case DELETE_TO_END:
        this.kind = 'delete-range';
        break;
      default:
        throw new StoreError('corrupt', `a record of the journal holds a change of unknown kind ${code}`);
    }
    this.restEnd = this.#at;
  }

  /** Moves past `length` bytes. @returns where they begin */
  #skip(length: number): number {
    const start = this.#at;
    if (length > this.#end - start) {
      const found = `${length} bytes wanted at ${start}`;
      throw new StoreError('corrupt', `a record of the journal is cut short: ${found}`);
    }
    this.#at = start + length;
    return start;
  }

  #uint16(at: number): number {
    return (this.bytes[at]! << 8) | this.bytes[at + 1]!;
  }

  #uint32(at: number): number {
    return this.#uint16(at) * 0x1_0000 + this.#uint16(at + 2);
  }
}

/** Where the key begins of the change that begins at `start`, if the name of its tree has `nameBytes`. */
export function keyStartOf(start: number, nameBytes: number): number {
  return start + 1 + 2 + nameBytes + 2;
}

/** The length of that key. */
export function keyBytesAt(bytes: Uint8Array, start: number, nameBytes: number): number {
  const at = start + 1 + 2 + nameBytes;
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** The change that `scanner` stands on, with views of its bytes. */
export function changeAt(scanner: ChangeScanner, tree: string): Change {
  const { bytes } = scanner;
  const key = bytes.subarray(scanner.keyStart, scanner.keyEnd);
  const rest = bytes.subarray(scanner.restStart, scanner.restEnd);
  switch (scanner.kind) {
    case 'put':
      return { kind: 'put', tree, key, value: rest };
    case 'delete':
      return { kind: 'delete', tree, key };
    case 'delete-range':
      return { kind: 'delete-range', tree, from: key, ...(scanner.isOpenEnded ? {} : { to: rest }) };
  }
}

/**
 * The changes of a record, in order; their bytes are views of it.
 * @throws StoreError `newer-format`; `corrupt` when the record was not written by `encodeCommit`
 */
export function* decodeRecord(record: Uint8Array): IterableIterator<Change> {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength);
  const scanner = new ChangeScanner();
  for (scanner.open(bytes); scanner.next(); ) {
    yield changeAt(scanner, treeName(bytes, scanner.treeStart, scanner.treeEnd));
  }
}

/** The name that lies from `start` to `end` of `bytes`. */
export function treeName(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');
}

function newerRecord(format: number): StoreError {
  return new StoreError(
    'newer-format',
    `the journal holds commits of format ${format}, this release knows ${FORMAT}`,
  );
}
