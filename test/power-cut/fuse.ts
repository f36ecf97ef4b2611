/**
 * The part of the FUSE protocol (Linux `include/uapi/linux/fuse.h`, version 7) that serves one file named `disk`
 * in one folder. Numbers are in the machine's order, little-endian on every machine that this runs on.
 *
 *   request   length 4 │ opcode 4 │ unique 8 │ node 8 │ uid 4 │ gid 4 │ pid 4 │ extensions 2 │ zero 2 │ …
 *   reply     length 4 │ minus errno 4 │ unique 8 │ …
 */
export const FOLDER_NODE = 1;
export const DISK_NODE = 2;
export const DISK_NAME = 'disk';

/** The most that one request writes. */
export const MAX_WRITE_BYTES = 1024 * 1024;
/** A request of the largest size, its headers included. */
export const REQUEST_BYTES_MAX = MAX_WRITE_BYTES + 4096;

const REQUEST_HEAD_BYTES = 40;
const REPLY_HEAD_BYTES = 16;
const WRITE_HEAD_BYTES = 40;

const OPCODES = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  setattr: 4,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  fsync: 20,
  flush: 25,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  interrupt: 36,
  destroy: 38,
  batchForget: 42,
} as const;

const ENOENT = 2;
const ENOSYS = 38;

export type Request =
  | { readonly kind: 'init'; readonly unique: bigint; readonly minor: number }
  | { readonly kind: 'lookup'; readonly unique: bigint; readonly name: string }
  | { readonly kind: 'attributes'; readonly unique: bigint; readonly node: number }
  | { readonly kind: 'open'; readonly unique: bigint }
  | { readonly kind: 'read'; readonly unique: bigint; readonly offset: number; readonly bytes: number }
  /** `data` is a view of the request. */
  | { readonly kind: 'write'; readonly unique: bigint; readonly offset: number; readonly data: Buffer }
  | { readonly kind: 'fsync'; readonly unique: bigint }
  /** Answered with nothing but "done". */
  | { readonly kind: 'done'; readonly unique: bigint }
  /** Not answered at all. */
  | { readonly kind: 'silent' }
  | { readonly kind: 'statfs'; readonly unique: bigint }
  | { readonly kind: 'unknown'; readonly unique: bigint; readonly opcode: number };

export function decodeRequest(bytes: Buffer): Request {
  const opcode = bytes.readUInt32LE(4);
  const unique = bytes.readBigUInt64LE(8);
  const body = bytes.subarray(REQUEST_HEAD_BYTES, bytes.readUInt32LE(0));
  switch (opcode) {
    case OPCODES.init:
      return { kind: 'init', unique, minor: body.readUInt32LE(4) };
    case OPCODES.lookup:
      return { kind: 'lookup', unique, name: body.toString('utf8', 0, body.indexOf(0)) };
    case OPCODES.getattr:
    case OPCODES.setattr:
      return { kind: 'attributes', unique, node: Number(bytes.readBigUInt64LE(16)) };
    case OPCODES.open:
    case OPCODES.opendir:
      return { kind: 'open', unique };
    case OPCODES.read:
      return { kind: 'read', unique, ...placeOf(body) };
    case OPCODES.write: {
      const { offset, bytes: length } = placeOf(body);
      return {
        kind: 'write',
        unique,
        offset,
        data: body.subarray(WRITE_HEAD_BYTES, WRITE_HEAD_BYTES + length),
      };
    }
    case OPCODES.fsync:
      return { kind: 'fsync', unique };
    case OPCODES.statfs:
      return { kind: 'statfs', unique };
    case OPCODES.readdir:
    case OPCODES.release:
    case OPCODES.releasedir:
    case OPCODES.flush:
    case OPCODES.destroy:
      return { kind: 'done', unique };
    case OPCODES.forget:
    case OPCODES.batchForget:
    case OPCODES.interrupt:
      return { kind: 'silent' };
    default:
      return { kind: 'unknown', unique, opcode };
  }
}

function placeOf(body: Buffer): { offset: number; bytes: number } {
  return { offset: Number(body.readBigUInt64LE(8)), bytes: body.readUInt32LE(16) };
}

function reply(unique: bigint, body: Buffer | undefined, errno = 0): Buffer {
  const head = Buffer.alloc(REPLY_HEAD_BYTES);
  head.writeUInt32LE(REPLY_HEAD_BYTES + (body?.length ?? 0), 0);
  head.writeInt32LE(-errno, 4);
  head.writeBigUInt64LE(unique, 8);
  return body === undefined ? head : Buffer.concat([head, body]);
}

export const doneReply = (unique: bigint): Buffer => reply(unique, undefined);
export const missingReply = (unique: bigint): Buffer => reply(unique, undefined, ENOENT);
export const unknownReply = (unique: bigint): Buffer => reply(unique, undefined, ENOSYS);
export const dataReply = (unique: bigint, data: Buffer): Buffer => reply(unique, data);
export const openReply = (unique: bigint): Buffer => reply(unique, Buffer.alloc(16));
export const statfsReply = (unique: bigint): Buffer => reply(unique, Buffer.alloc(80));

const MINOR = 31;
const BIG_WRITES = 1 << 5;
const MAX_PAGES = 1 << 22;

export function initReply(unique: bigint, minor: number): Buffer {
  const body = Buffer.alloc(64);
  body.writeUInt32LE(7, 0);
  body.writeUInt32LE(Math.min(minor, MINOR), 4);
  body.writeUInt32LE(MAX_WRITE_BYTES, 8);
  body.writeUInt32LE(BIG_WRITES | MAX_PAGES, 12);
  body.writeUInt16LE(16, 16);
  body.writeUInt16LE(12, 18);
  body.writeUInt32LE(MAX_WRITE_BYTES, 20);
  body.writeUInt32LE(1, 24);
  body.writeUInt16LE(MAX_WRITE_BYTES / 4096, 28);
  return reply(unique, body);
}

export function writeReply(unique: bigint, bytes: number): Buffer {
  const body = Buffer.alloc(8);
  body.writeUInt32LE(bytes, 0);
  return reply(unique, body);
}

/** Valid for an hour: nothing but this changes them. */
const VALID_SECONDS = 3_600n;

export function entryReply(unique: bigint, sizeBytes: number): Buffer {
  const body = Buffer.alloc(40);
  body.writeBigUInt64LE(BigInt(DISK_NODE), 0);
  body.writeBigUInt64LE(VALID_SECONDS, 16);
  body.writeBigUInt64LE(VALID_SECONDS, 24);
  return reply(unique, Buffer.concat([body, attributes(DISK_NODE, sizeBytes)]));
}

export function attributesReply(unique: bigint, node: number, sizeBytes: number): Buffer {
  const body = Buffer.alloc(16);
  body.writeBigUInt64LE(VALID_SECONDS, 0);
  return reply(unique, Buffer.concat([body, attributes(node, sizeBytes)]));
}

const FOLDER_MODE = 0o040_700;
const FILE_MODE = 0o100_600;

function attributes(node: number, sizeBytes: number): Buffer {
  const isFolder = node === FOLDER_NODE;
  const bytes = Buffer.alloc(88);
  bytes.writeBigUInt64LE(BigInt(node), 0);
  bytes.writeBigUInt64LE(BigInt(isFolder ? 0 : sizeBytes), 8);
  bytes.writeBigUInt64LE(BigInt(isFolder ? 0 : sizeBytes / 512), 16);
  bytes.writeUInt32LE(isFolder ? FOLDER_MODE : FILE_MODE, 60);
  bytes.writeUInt32LE(isFolder ? 2 : 1, 64);
  bytes.writeUInt32LE(4096, 80);
  return bytes;
}
