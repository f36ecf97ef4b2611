/**
 * What a backup holds: every entry of a store in the order of trees and keys, then every blob beside it.
 *
 * Not pages: a page file holds free pages and half-filled ones, is bound to one format of pages, and damage in
 * it would be carried along. Entries have passed every check of the store when they are read, restore to a file
 * as short as its data whatever its format is by then, and their bytes depend on nothing but the data: so a part
 * of two backups in which nothing has changed is the same part, and is stored once. The price is that trees are
 * built anew when restored, in ascending order, which is the fastest there is.
 *
 *   part     magic "OctBak" │ format 2 │ record, record, …        numbers are big-endian
 *   record   kind 1 │ …
 *              1 tree    name length 2 │ name                     the entries that follow are of this tree
 *              2 entry   key length 2 │ value length 4 │ key │ value
 *              3 blob    id 16 │ offset 8 │ length 4 │ bytes      bytes of a blob, from the offset on
 *              4 whole   id 16 │ size 8                           the blob has ended
 *              5 end     entries 8 │ blobs 8                      the backup has ended, with so many
 *
 * A part begins with its own `tree` record and so can be read alone. Where one ends is decided by the content: by
 * a hash of the key or of the blob's place, so that a change moves no border but the nearest.
 */

import { crc32 } from '../bytes/crc32.ts';
import { ByteReader, ShortRead } from '../bytes/reader.ts';
import type { Entry } from '../store/types.ts';
import { BackupError } from './errors.ts';
import { PART_BYTES_MAX, PART_BYTES_MIN, PART_BYTES_TARGET } from './limits.ts';

export const FORMAT = 1;
const MAGIC = Buffer.from('OctBak', 'latin1');
const HEADER = Buffer.concat([MAGIC, Buffer.of(0, FORMAT)]);
const TREE = 1;
const ENTRY = 2;
const BLOB = 3;
const WHOLE = 4;
const END = 5;
const ID_BYTES = 16;
const HASHES = 2 ** 32;

export type BackupRecord =
  | { readonly kind: 'entry'; readonly tree: string; readonly key: Buffer; readonly value: Buffer }
  | { readonly kind: 'blob'; readonly id: string; readonly offset: number; readonly bytes: Buffer }
  | { readonly kind: 'whole'; readonly id: string; readonly sizeBytes: number }
  | { readonly kind: 'end'; readonly entries: number; readonly blobs: number };

/** Gathers records; every method that adds one returns the part that it has filled, or undefined. */
export class PartWriter {
  /** The part so far; longer than it, and used again for the next. */
  #bytes = Buffer.allocUnsafeSlow(PART_BYTES_MIN);
  #length = HEADER.copy(this.#bytes);
  #tree: string | undefined;
  #entries = 0;
  #blobs = 0;

  entry(tree: string, { key, value }: Entry): Buffer | undefined {
    if (this.#tree !== tree) this.#beginTree(tree);
    const start = this.#grow(7 + key.length + value.length);
    this.#bytes[start] = ENTRY;
    this.#bytes.writeUInt16BE(key.length, start + 1);
    this.#bytes.writeUInt32BE(value.length, start + 3);
    this.#bytes.set(key, start + 7);
    this.#bytes.set(value, start + 7 + key.length);
    this.#entries += 1;
    return this.#endRecord(start, crc32(key));
  }

  #beginTree(tree: string): void {
    const nameBytes = Buffer.byteLength(tree);
    const start = this.#grow(3 + nameBytes);
    this.#bytes[start] = TREE;
    this.#bytes.writeUInt16BE(nameBytes, start + 1);
    this.#bytes.write(tree, start + 3);
    this.#tree = tree;
  }

  blob(id: string, offset: number, bytes: Uint8Array): Buffer | undefined {
    const head = 1 + ID_BYTES + 12;
    const start = this.#grow(head + bytes.length);
    this.#writeIdAndSize(start, BLOB, id, offset);
    this.#bytes.writeUInt32BE(bytes.length, start + head - 4);
    this.#bytes.set(bytes, start + head);
    return this.#endRecord(start, crc32(this.#bytes.subarray(start, start + head)));
  }

  whole(id: string, sizeBytes: number): Buffer | undefined {
    const start = this.#grow(1 + ID_BYTES + 8);
    this.#writeIdAndSize(start, WHOLE, id, sizeBytes);
    this.#blobs += 1;
    return this.#endRecord(start, crc32(this.#bytes.subarray(start, this.#length)));
  }

  /** The last part. */
  end(): Buffer {
    const start = this.#grow(17);
    this.#bytes[start] = END;
    this.#bytes.writeBigUInt64BE(BigInt(this.#entries), start + 1);
    this.#bytes.writeBigUInt64BE(BigInt(this.#blobs), start + 9);
    return this.#take();
  }

  #writeIdAndSize(at: number, kind: number, id: string, size: number): void {
    this.#bytes[at] = kind;
    this.#bytes.write(id, at + 1, 'hex');
    this.#bytes.writeBigUInt64BE(BigInt(size), at + 1 + ID_BYTES);
  }

  /** Makes room for `bytes` more. @returns where they begin */
  #grow(bytes: number): number {
    const start = this.#length;
    this.#length += bytes;
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(this.#length, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, start));
      this.#bytes = larger;
    }
    return start;
  }

  /** The larger a record, the likelier a part ends with it: that makes parts of the size that is aimed at. */
  #endRecord(start: number, hash: number): Buffer | undefined {
    const size = this.#length - start;
    const isBorder = this.#length >= PART_BYTES_MIN && hash / HASHES < size / PART_BYTES_TARGET;
    return isBorder || this.#length >= PART_BYTES_MAX ? this.#take() : undefined;
  }

  /** A copy, for the buffer is used again; after a value of unusual size a smaller one is. */
  #take(): Buffer {
    const part = Buffer.from(this.#bytes.subarray(0, this.#length));
    if (this.#bytes.length > 2 * PART_BYTES_MAX) this.#bytes = Buffer.allocUnsafeSlow(PART_BYTES_MIN);
    this.#length = HEADER.copy(this.#bytes);
    this.#tree = undefined;
    return part;
  }
}

/**
 * The records of a part; their bytes are views of it.
 * @throws BackupError `damaged`, `newer-format`
 */
export function* recordsOf(part: Buffer): IterableIterator<BackupRecord> {
  checkHeader(part);
  const reader = new ByteReader(part, HEADER.length);
  let tree = '';
  try {
    while (reader.remaining > 0) {
      const kind = reader.uint8();
      if (kind === TREE) tree = reader.utf8(reader.uint16());
      else yield readRecord(reader, kind, tree);
    }
  } catch (error) {
    if (!(error instanceof ShortRead)) throw error;
    throw new BackupError('damaged', `a part ends in the middle of a record: ${error.message}`);
  }
}

function checkHeader(part: Buffer): void {
  if (part.length < HEADER.length || !part.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new BackupError('damaged', 'a part does not begin as one of a backup');
  }
  const format = part.readUInt16BE(MAGIC.length);
  if (format === FORMAT) return;
  throw new BackupError('newer-format', `the backup has format ${format}, this release knows ${FORMAT}`);
}

function readRecord(reader: ByteReader, kind: number, tree: string): BackupRecord {
  if (kind === ENTRY) {
    const keyBytes = reader.uint16();
    const valueBytes = reader.uint32();
    return { kind: 'entry', tree, key: reader.take(keyBytes), value: reader.take(valueBytes) };
  }
  if (kind === END) return { kind: 'end', entries: readSize(reader), blobs: readSize(reader) };
  if (kind !== BLOB && kind !== WHOLE) {
    throw new BackupError('damaged', `a part holds a record of unknown kind ${kind}`);
  }
  const id = reader.take(ID_BYTES).toString('hex');
  const size = readSize(reader);
  if (kind === WHOLE) return { kind: 'whole', id, sizeBytes: size };
  return { kind: 'blob', id, offset: size, bytes: reader.take(reader.uint32()) };
}

function readSize(reader: ByteReader): number {
  return Number(reader.uint64());
}
