/**
 * Resource records.
 *
 *   ┌───────────┬──────────┬──────────┬──────────┬──────────┬───────────┐
 *   │ name      │ type  2  │ class  2 │ TTL    4 │ length 2 │ data      │    RFC 1035 section 4.1.3
 *   └───────────┴──────────┴──────────┴──────────┴──────────┴───────────┘
 */
import { MAX_TTL_SECONDS } from '../limits.ts';
import { className, typeName } from './codes.ts';
import { type Name, nameToText } from './name.ts';
import { decodeRdata, encodeRdata, rdataToText } from './rdata/rdata.ts';
import type { WireReader } from './reader.ts';
import type { WireWriter } from './writer.ts';

/** A record outside a message: its data has all names in full. Never changed once made. */
export interface ResourceRecord {
  readonly name: Name;
  readonly type: number;
  readonly class: number;
  readonly ttlSeconds: number;
  readonly rdata: Buffer;
}

/** The reader stands after name, type and class. */
export function decodeRecordBody(name: Name, type: number, cls: number, reader: WireReader): ResourceRecord {
  const ttl = reader.u32();
  const rdata = decodeRdata(type, reader, reader.u16());
  return { name, type, class: cls, ttlSeconds: ttl > MAX_TTL_SECONDS ? 0 : ttl, rdata };
}

export function encodeRecord(record: ResourceRecord, writer: WireWriter): void {
  writer.compressedName(record.name);
  writer.u16(record.type);
  writer.u16(record.class);
  writer.u32(record.ttlSeconds);
  const lengthAt = writer.at;
  writer.u16(0);
  encodeRdata(record.type, record.rdata, writer);
  writer.patchU16(lengthAt, writer.at - lengthAt - 2);
}

/** `spells.test.	300	IN	A	192.0.2.1`: one line of a zone file, as dig prints it. */
export function recordToText(record: ResourceRecord): string {
  const { name, ttlSeconds, rdata } = record;
  const type = typeName(record.type);
  return `${nameToText(name)}\t${ttlSeconds}\t${className(record.class)}\t${type}\t${rdataToText(record.type, rdata)}`;
}
