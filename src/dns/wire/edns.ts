/**
 * EDNS(0), RFC 6891: the OPT pseudo-record in the additional section, its header fields bent to new use.
 *
 *   ┌──────────┬──────────┬────────────────┬──────────────┬─────────┬────┬──────────┬────────┬─────────┐
 *   │ name: 0  │ type 41  │ UDP size     2 │ upper rcode 1│version 1│ DO │ zero  15b│length 2│ options │
 *   └──────────┴──────────┴────────────────┴──────────────┴─────────┴────┴──────────┴────────┴─────────┘
 *                           (in CLASS)       └──────────── (in TTL) ──────────────┘
 *   option: ┌ code 2 ┬ length 2 ┬ data ┐ …
 */
import { OPTION, TYPE } from './codes.ts';
import type { WireReader } from './reader.ts';
import type { WireWriter } from './writer.ts';

export interface EdnsOption {
  readonly code: number;
  readonly data: Buffer;
}

export interface Edns {
  /** The largest UDP message the sender takes, in octets. */
  readonly udpBytes: number;
  readonly version: number;
  /** The DO bit: the sender wants DNSSEC records. RFC 3225. */
  readonly dnssecOk: boolean;
  readonly options: readonly EdnsOption[];
}

const DO_BIT = 0x8000;
const HEADER_BYTES = 11;

/** The reader stands after name and type. `rcodeHigh` is the upper eight bits of the response code. */
export function decodeEdns(reader: WireReader): { edns: Edns; rcodeHigh: number } {
  const udpBytes = reader.u16();
  const rcodeHigh = reader.u8();
  const version = reader.u8();
  const flags = reader.u16();
  const length = reader.u16();
  const options = decodeOptions(reader, length);
  return { edns: { udpBytes, version, dnssecOk: (flags & DO_BIT) !== 0, options }, rcodeHigh };
}

function decodeOptions(reader: WireReader, length: number): EdnsOption[] {
  const options: EdnsOption[] = [];
  if (length > reader.remaining) reader.fail('EDNS options are cut off');
  const messageEnd = reader.end;
  reader.end = Math.min(messageEnd, reader.at + length);
  while (reader.remaining > 0) {
    const code = reader.u16();
    options.push({ code, data: Buffer.from(reader.take(reader.u16())) });
  }
  reader.end = messageEnd;
  if (reader.problem !== undefined) reader.fail(reader.problem);
  return options;
}

export function encodeEdns(edns: Edns, rcode: number, writer: WireWriter): void {
  writer.u8(0);
  writer.u16(TYPE.OPT);
  writer.u16(edns.udpBytes);
  writer.u8(rcode >> 4);
  writer.u8(edns.version);
  writer.u16(edns.dnssecOk ? DO_BIT : 0);
  writer.u16(ednsBytes(edns) - HEADER_BYTES);
  for (const { code, data } of edns.options) {
    writer.u16(code);
    writer.u16(data.length);
    writer.put(data);
  }
}

/** Octets that the OPT record will take, to be kept free while the rest of the message is written. */
export function ednsBytes(edns: Edns | undefined): number {
  if (edns === undefined) return 0;
  return edns.options.reduce((total, { data }) => total + 4 + data.length, HEADER_BYTES);
}

/** Why an answer is what it is. RFC 8914. */
export interface ExtendedError {
  readonly infoCode: number;
  readonly text: string;
}

export function extendedErrorOption({ infoCode, text }: ExtendedError): EdnsOption {
  const data = Buffer.alloc(2 + Buffer.byteLength(text));
  data.writeUInt16BE(infoCode, 0);
  data.write(text, 2);
  return { code: OPTION.EXTENDED_ERROR, data };
}

/** The extended errors that a message carries. */
export function extendedErrorsOf(edns: Edns | undefined): ExtendedError[] {
  return (edns?.options ?? [])
    .filter(({ code, data }) => code === OPTION.EXTENDED_ERROR && data.length >= 2)
    .map(({ data }) => ({ infoCode: data.readUInt16BE(0), text: data.toString('utf8', 2) }));
}
