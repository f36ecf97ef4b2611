/**
 * The two roots: pages 0 and 1, written in turn, so that the one before is whole while the next is written.
 *
 *   offset size   (after the header of every page, kind 4, stamp 0)
 *     20    8     magic            "octetpgs"
 *     28    4     format           2, or 1 from an earlier release
 *     32    4     page bytes       8192
 *     36    8     generation       counts checkpoints; its lowest bit tells the page; the higher root is newer
 *     44    8     catalog          number and stamp of the root of the tree of trees; 0 when there are no trees
 *     52    8     used             number and stamp of the first page of the set of used pages (page-set.ts),
 *     60    4     used bytes       stored like a long value, and its length
 *     64    8     position         the last batch of the journal that is in the trees,
 *     72    8     epoch            its epoch
 *     80   16     chain            and its chain
 *     96   36     incarnation      the journal that this is a checkpoint of
 *
 * Format 1: nodes without a prefix (page.ts, node.ts). Format 2: a node may have one. Both are read; what is
 * written says 2, for a release that knows no prefixes must not read on. So a file of format 1 becomes one of
 * format 2 with the next root, and its pages change as they are written for other reasons.
 *
 * The catalog is a tree like the others: tree name (UTF-8) → number and stamp of the tree's root.
 */
import type { OpenFile } from '../files/files.ts';
import type { Mark } from '../journal/types.ts';
import { StoreError } from './errors.ts';
import { PAGE_BYTES } from './limits.ts';
import { clearPage, flawOf, Page, type PageRef, ROOT, sealPage } from './page.ts';

export const FORMAT = 2;
const OLDEST_FORMAT = 1;
const MAGIC = 'octetpgs';
const MAGIC_AT = 20;
const FORMAT_AT = 28;
const PAGE_BYTES_AT = 32;
const GENERATION_AT = 36;
const CATALOG_AT = 44;
const USED_AT = 52;
const USED_BYTES_AT = 60;
const POSITION_AT = 64;
const EPOCH_AT = 72;
const CHAIN_AT = 80;
const CHAIN_BYTES = 16;
const INCARNATION_AT = 96;
const INCARNATION_BYTES = 36;

export interface Root {
  readonly generation: number;
  readonly catalog: PageRef | undefined;
  readonly used: PageRef;
  readonly usedBytes: number;
  readonly mark: Mark;
  readonly incarnation: string;
}

/** A root as it was read. */
export interface StoredRoot extends Root {
  /** Of the page file when this root was written. */
  readonly format: number;
}

/** The page that the root of this generation is written to. */
export function rootPageNumber(generation: number): number {
  return generation % 2;
}

export function encodeRoot(root: Root): Buffer {
  const bytes = Buffer.alloc(PAGE_BYTES);
  clearPage(new Page(bytes, rootPageNumber(root.generation), 0, 0, true), ROOT, 0);
  bytes.write(MAGIC, MAGIC_AT, 'latin1');
  bytes.writeUInt32BE(FORMAT, FORMAT_AT);
  bytes.writeUInt32BE(PAGE_BYTES, PAGE_BYTES_AT);
  bytes.writeBigUInt64BE(BigInt(root.generation), GENERATION_AT);
  writeRef(bytes, CATALOG_AT, root.catalog);
  writeRef(bytes, USED_AT, root.used);
  bytes.writeUInt32BE(root.usedBytes, USED_BYTES_AT);
  bytes.writeBigUInt64BE(BigInt(root.mark.position), POSITION_AT);
  bytes.writeBigUInt64BE(BigInt(root.mark.epoch), EPOCH_AT);
  bytes.set(root.mark.chain.subarray(0, CHAIN_BYTES), CHAIN_AT);
  bytes.write(root.incarnation, INCARNATION_AT, INCARNATION_BYTES, 'latin1');
  sealPage(bytes);
  return bytes;
}

function writeRef(bytes: Buffer, at: number, ref: PageRef | undefined): void {
  bytes.writeUInt32BE(ref?.number ?? 0, at);
  bytes.writeUInt32BE(ref?.stamp ?? 0, at + 4);
}

function readRef(bytes: Buffer, at: number): PageRef {
  return { number: bytes.readUInt32BE(at), stamp: bytes.readUInt32BE(at + 4) };
}

/**
 * @returns the root, or what is wrong with the bytes of page `number`
 * @throws StoreError `newer-format`
 */
export function decodeRoot(bytes: Buffer, number: number): StoredRoot | string {
  if (bytes.length < PAGE_BYTES || bytes.every((byte) => byte === 0)) return 'it was never written';
  const magic = bytes.toString('latin1', MAGIC_AT, MAGIC_AT + MAGIC.length) === MAGIC;
  const format = bytes.readUInt32BE(FORMAT_AT);
  // Before the checksum, which a later format may compute in another way.
  if (magic && format > FORMAT) {
    throw new StoreError('newer-format', `the page file has format ${format}, this release knows ${FORMAT}`);
  }
  const flaw = flawOf(bytes, { number, stamp: 0 });
  if (flaw !== undefined) return flaw;
  if (!magic || format < OLDEST_FORMAT || bytes.readUInt32BE(PAGE_BYTES_AT) !== PAGE_BYTES)
    return 'it is no root';
  const root = readFields(bytes);
  return rootPageNumber(root.generation) === number ? root : 'its generation belongs to the other root page';
}

function readFields(bytes: Buffer): StoredRoot {
  const catalog = readRef(bytes, CATALOG_AT);
  return {
    format: bytes.readUInt32BE(FORMAT_AT),
    generation: Number(bytes.readBigUInt64BE(GENERATION_AT)),
    catalog: catalog.number === 0 ? undefined : catalog,
    used: readRef(bytes, USED_AT),
    usedBytes: bytes.readUInt32BE(USED_BYTES_AT),
    mark: {
      position: Number(bytes.readBigUInt64BE(POSITION_AT)),
      epoch: Number(bytes.readBigUInt64BE(EPOCH_AT)),
      chain: Buffer.from(bytes.subarray(CHAIN_AT, CHAIN_AT + CHAIN_BYTES)),
    },
    incarnation: bytes.toString('latin1', INCARNATION_AT, INCARNATION_AT + INCARNATION_BYTES),
  };
}

/**
 * The roots in the file, the newest first, and what is wrong with those that cannot be used.
 * @throws StoreError `newer-format`
 */
export async function readRoots(file: OpenFile): Promise<{ roots: StoredRoot[]; flaws: string[] }> {
  const roots: StoredRoot[] = [];
  const flaws: string[] = [];
  for (const number of [0, 1]) {
    const bytes = Buffer.alloc(PAGE_BYTES);
    const length = await file.read(number * PAGE_BYTES, bytes);
    const root = decodeRoot(bytes.subarray(0, length), number);
    if (typeof root === 'string') flaws.push(`root page ${number} of ${file.path}: ${root}`);
    else roots.push(root);
  }
  roots.sort((left, right) => right.generation - left.generation);
  return { roots, flaws };
}

/** Writes a root to its page and makes it durable. From here on it is the newest. */
export async function writeRoot(file: OpenFile, root: Root): Promise<void> {
  await file.write(rootPageNumber(root.generation) * PAGE_BYTES, encodeRoot(root));
  await file.sync();
}
