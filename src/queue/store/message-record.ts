/**
 * A message as the store keeps it; nothing in it depends on the queue.
 *
 *     uint8 version │ uint8 flags │ uint8 priority │ uint64 published, ms since 1970
 *     │ uint48 expiration, ms (only with flag 4) │ uint8 length + exchange │ uint8 length + routing key
 *     │ uint32 length + property flags and properties │ uint32 body size │ body, or 16 octets naming a blob
 *
 *     flags   1 persistent   2 body in a blob   4 has an expiration
 */
import { assert } from '../../core/assert.ts';
import { ByteReader } from '../../core/bytes/reader.ts';
import { ByteWriter } from '../../core/bytes/writer.ts';
import type { Message } from '../engine/message.ts';

const VERSION = 1;
const FLAG = { persistent: 1, blob: 2, expiration: 4 } as const;
const BLOB_ID_BYTES = 16;

/** @returns the record; the body is left out when the message names a blob */
export function encodeMessage(message: Message): Buffer {
  const { properties, bodySize, body, blobId, expirationMs } = message;
  const writer = new ByteWriter(96 + properties.length + (blobId === undefined ? bodySize : 0));
  writer.uint8(VERSION).uint8(flagsOf(message)).uint8(message.priority);
  writeLong(writer, message.publishedAtMs);
  if (expirationMs !== undefined) {
    writer.uint16(Math.floor(expirationMs / 0x1_0000_0000)).uint32(expirationMs % 0x1_0000_0000);
  }
  for (const name of [message.exchange, message.routingKey]) writer.uint8(Buffer.byteLength(name)).utf8(name);
  writer.uint32(properties.length).bytes(properties).uint32(bodySize);
  if (blobId !== undefined) return writer.bytes(Buffer.from(blobId, 'hex')).take();
  assert(body !== undefined, 'a message is stored with its body or with the name of its blob');
  return writer.bytes(body).take();
}

function flagsOf({ persistent, blobId, expirationMs }: Message): number {
  return (
    (persistent ? FLAG.persistent : 0) |
    (blobId === undefined ? 0 : FLAG.blob) |
    (expirationMs === undefined ? 0 : FLAG.expiration)
  );
}

/** Keeps views into `record`: the caller gives its own copy. */
export function decodeMessage(record: Buffer): Message {
  const reader = new ByteReader(record);
  const version = reader.uint8();
  assert(version === VERSION, `message record of version ${version}`);
  const flags = reader.uint8();
  const priority = reader.uint8();
  const publishedAtMs = readLong(reader);
  const expirationMs =
    (flags & FLAG.expiration) === 0 ? undefined : reader.uint16() * 0x1_0000_0000 + reader.uint32();
  const exchange = reader.utf8(reader.uint8());
  const routingKey = reader.utf8(reader.uint8());
  const properties = reader.take(reader.uint32());
  const bodySize = reader.uint32();
  const isBlob = (flags & FLAG.blob) !== 0;
  const rest = reader.take(isBlob ? BLOB_ID_BYTES : bodySize);
  const message: Message = {
    exchange,
    routingKey,
    properties,
    bodySize,
    body: isBlob ? undefined : rest,
    persistent: (flags & FLAG.persistent) !== 0,
    priority,
    publishedAtMs,
    expirationMs,
  };
  if (isBlob) message.blobId = rest.toString('hex');
  return message;
}

function writeLong(writer: ByteWriter, value: number): void {
  const whole = Math.floor(value);
  writer.uint32(Math.floor(whole / 0x1_0000_0000)).uint32(whole % 0x1_0000_0000);
}

function readLong(reader: ByteReader): number {
  return reader.uint32() * 0x1_0000_0000 + reader.uint32();
}
