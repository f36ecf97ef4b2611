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
  #pieces: Uint8Array[] = [HEADER];
  #bytes = HEADER.length;
  #tree: string | undefined;
  #entries = 0;
  #blobs = 0;

  entry(tree: string, { key, value }: Entry): Buffer | undefined {
    if (this.#tree !== tree) this.#beginTree(tree);
    const head = Buffer.allocUnsafe(7);
    head[0] = ENTRY;
    head.writeUInt16BE(key.length, 1);
    head.writeUInt32BE(value.length, 3);
    this.#entries += 1;
    return this.#add([head, key, value], crc32(key));
  }

  #beginTree(tree: string): void {
    const name = Buffer.from(tree);
    const head = Buffer.from([TREE, name.length >>> 8, name.length & 0xff]);
    this.#tree = tree;
    this.#pieces.push(head, name);
    this.#bytes += head.length + name.length;
  }

  blob(id: string, offset: number, bytes: Uint8Array): Buffer | undefined {
    const head = Buffer.allocUnsafe(1 + ID_BYTES + 12);
    head[0] = BLOB;
    head.write(id, 1, 'hex');
    head.writeBigUInt64BE(BigInt(offset), 1 + ID_BYTES);
    head.writeUInt32BE(bytes.length, 9 + ID_BYTES);
    return this.#add([head, bytes], crc32(head));
  }

  whole(id: string, sizeBytes: number): Buffer | undefined {
    const head = Buffer.allocUnsafe(1 + ID_BYTES + 8);
    head[0] = WHOLE;
    head.write(id, 1, 'hex');
    head.writeBigUInt64BE(BigInt(sizeBytes), 1 + ID_BYTES);
    this.#blobs += 1;
    return this.#add([head], crc32(head));
  }

  /** The last part. */
  end(): Buffer {
    const record = Buffer.allocUnsafe(17);
    record[0] = END;
    record.writeBigUInt64BE(BigInt(this.#entries), 1);
    record.writeBigUInt64BE(BigInt(this.#blobs), 9);
    this.#pieces.push(record);
    this.#bytes += record.length;
    return this.#take();
  }

  /** The larger a record, the likelier a part ends with it: that makes parts of the size that is aimed at. */
  #add(pieces: readonly Uint8Array[], hash: number): Buffer | undefined {
    let size = 0;
    for (const piece of pieces) size += piece.length;
    this.#pieces.push(...pieces);
    this.#bytes += size;
    const isBorder = this.#bytes >= PART_BYTES_MIN && hash / HASHES < size / PART_BYTES_TARGET;
    return isBorder || this.#bytes >= PART_BYTES_MAX ? this.#take() : undefined;
  }

  #take(): Buffer {
    const part = Buffer.concat(this.#pieces, this.#bytes);
    this.#pieces = [HEADER];
    this.#bytes = HEADER.length;
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
