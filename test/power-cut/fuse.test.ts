import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  attributesReply,
  DISK_NODE,
  dataReply,
  decodeRequest,
  doneReply,
  entryReply,
  FOLDER_NODE,
  initReply,
  missingReply,
  openReply,
  statfsReply,
  unknownReply,
  writeReply,
} from './fuse.ts';

/** A request as the kernel sends it: its header, then `body`. */
function request(opcode: number, body: Buffer = Buffer.alloc(0), node = 0): Buffer {
  const head = Buffer.alloc(40);
  head.writeUInt32LE(40 + body.length, 0);
  head.writeUInt32LE(opcode, 4);
  head.writeBigUInt64LE(7n, 8);
  head.writeBigUInt64LE(BigInt(node), 16);
  // The buffer that it is read into is larger.
  return Buffer.concat([head, body, Buffer.alloc(64, 0xee)]);
}

test('requests are told apart by their opcodes', () => {
  const place = Buffer.alloc(40);
  place.writeBigUInt64LE(8_192n, 8);
  place.writeUInt32LE(4, 16);
  const data = Buffer.from('data');
  assert.deepEqual(decodeRequest(request(1, Buffer.from('disk\0'))), {
    kind: 'lookup',
    unique: 7n,
    name: 'disk',
  });
  assert.deepEqual(decodeRequest(request(3, undefined, 2)), { kind: 'attributes', unique: 7n, node: 2 });
  assert.deepEqual(decodeRequest(request(4, undefined, 1)), { kind: 'attributes', unique: 7n, node: 1 });
  assert.deepEqual(decodeRequest(request(15, place)), { kind: 'read', unique: 7n, offset: 8_192, bytes: 4 });
  const written = decodeRequest(request(16, Buffer.concat([place, data])));
  assert.deepEqual(written, { kind: 'write', unique: 7n, offset: 8_192, data });
  assert.deepEqual(decodeRequest(request(26, Buffer.from('0700000029000000', 'hex'))), {
    kind: 'init',
    unique: 7n,
    minor: 41,
  });
  const kinds = [14, 27, 17, 18, 20, 25, 28, 29, 38, 2, 36, 42].map(
    (opcode) => decodeRequest(request(opcode)).kind,
  );
  assert.deepEqual(kinds, [
    ...['open', 'open', 'statfs', 'done', 'fsync', 'done', 'done', 'done', 'done'],
    ...['silent', 'silent', 'silent'],
  ]);
  assert.deepEqual(decodeRequest(request(99)), { kind: 'unknown', unique: 7n, opcode: 99 });
});

test('replies say their length, the request, and what the kernel expects', () => {
  const replies = {
    done: [doneReply(7n), 16, 0],
    missing: [missingReply(7n), 16, -2],
    unknown: [unknownReply(7n), 16, -38],
    data: [dataReply(7n, Buffer.from('data')), 20, 0],
    open: [openReply(7n), 32, 0],
    statfs: [statfsReply(7n), 96, 0],
    init: [initReply(7n, 41), 80, 0],
    write: [writeReply(7n, 4), 24, 0],
    entry: [entryReply(7n, 4_096), 144, 0],
    attributes: [attributesReply(7n, DISK_NODE, 4_096), 120, 0],
  } as const;
  for (const [name, [reply, bytes, error]] of Object.entries(replies)) {
    assert.equal(reply.length, bytes, name);
    assert.equal(reply.readUInt32LE(0), bytes, name);
    assert.equal(reply.readInt32LE(4), error, name);
    assert.equal(reply.readBigUInt64LE(8), 7n, name);
  }
  assert.equal(initReply(7n, 12).readUInt32LE(20), 12);
  assert.equal(writeReply(7n, 4).readUInt32LE(16), 4);
  assert.equal(attributesReply(7n, DISK_NODE, 4_096).readBigUInt64LE(40), 4_096n);
  assert.equal(attributesReply(7n, FOLDER_NODE, 4_096).readUInt32LE(92), 0o040_700);
});
