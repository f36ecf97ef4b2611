/**
 * Exchanges, queues and bindings as the store keeps them. Each begins with a version octet; names are short
 * strings and arguments field tables, as on the wire.
 *
 *     exchange   version │ flags │ name │ type │ arguments       flags  1 auto-delete  2 internal
 *     queue      version │ flags │ uint32 id │ name │ arguments  flags  1 auto-delete
 *     binding    version │ flags │ source │ destination │ key │ arguments   flags  1 to an exchange
 */
import { assert } from '../../core/assert.ts';
import { ByteReader } from '../../core/bytes/reader.ts';
import { ByteWriter } from '../../core/bytes/writer.ts';
import type { BindingDefinition, ExchangeDefinition, QueueDefinition } from '../engine/storage.ts';
import { readShortString, readTable, writeShortString, writeTable } from '../wire/field-table.ts';

const VERSION = 1;

export function encodeExchange(definition: ExchangeDefinition): Buffer {
  const writer = begin((definition.autoDelete ? 1 : 0) | (definition.internal ? 2 : 0));
  writeShortString(writer, definition.name);
  writeShortString(writer, definition.type);
  writeTable(writer, definition.arguments);
  return writer.take();
}

export function decodeExchange(record: Buffer): ExchangeDefinition {
  const { reader, flags } = open(record);
  const name = readShortString(reader);
  const type = readShortString(reader);
  return {
    name,
    type,
    durable: true,
    autoDelete: (flags & 1) !== 0,
    internal: (flags & 2) !== 0,
    arguments: readTable(reader),
  };
}

export function encodeQueue(definition: QueueDefinition): Buffer {
  const writer = begin(definition.autoDelete ? 1 : 0).uint32(definition.id);
  writeShortString(writer, definition.name);
  writeTable(writer, definition.arguments);
  return writer.take();
}

export function decodeQueue(record: Buffer): QueueDefinition {
  const { reader, flags } = open(record);
  const id = reader.uint32();
  const name = readShortString(reader);
  return { id, name, durable: true, autoDelete: (flags & 1) !== 0, arguments: readTable(reader) };
}

export function encodeBinding(definition: BindingDefinition): Buffer {
  const writer = begin(definition.destinationKind === 'exchange' ? 1 : 0);
  writeShortString(writer, definition.source);
  writeShortString(writer, definition.destination);
  writeShortString(writer, definition.routingKey);
  writeTable(writer, definition.arguments);
  return writer.take();
}

export function decodeBinding(record: Buffer): BindingDefinition {
  const { reader, flags } = open(record);
  const source = readShortString(reader);
  const destination = readShortString(reader);
  const routingKey = readShortString(reader);
  return {
    source,
    destinationKind: (flags & 1) === 0 ? 'queue' : 'exchange',
    destination,
    routingKey,
    arguments: readTable(reader),
  };
}

function begin(flags: number): ByteWriter {
  return new ByteWriter(128).uint8(VERSION).uint8(flags);
}

function open(record: Buffer): { reader: ByteReader; flags: number } {
  const reader = new ByteReader(record);
  const version = reader.uint8();
  assert(version === VERSION, `definition record of version ${version}`);
  return { reader, flags: reader.uint8() };
}
