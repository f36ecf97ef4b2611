/**
 * Messages: one header, four sections. RFC 1035 section 4.
 *
 *    0                               1
 *    0  1  2  3  4  5  6  7  8  9  0  1  2  3  4  5
 *   ┌───────────────────────────────────────────────┐
 *   │                      ID                       │
 *   ├──┬───────────┬──┬──┬──┬──┬──┬──┬──┬───────────┤
 *   │QR│  opcode   │AA│TC│RD│RA│ Z│AD│CD│   rcode   │
 *   ├──┴───────────┴──┴──┴──┴──┴──┴──┴──┴───────────┤
 *   │ questions · answers · authorities · additionals (four counts of 16 bits)
 *   └───────────────────────────────────────────────┘
 *
 * Decoding never throws: a message is decoded whole or it is malformed, and then its header, where there is
 * one, is still given, because the answer to it is FORMERR. RFC 9267 is the list of what goes wrong here.
 */
import { TYPE } from './codes.ts';
import { decodeEdns, type Edns, ednsBytes, encodeEdns } from './edns.ts';
import { canonical, type Name, ROOT } from './name.ts';
import { WireReader } from './reader.ts';
import { decodeRecordBody, encodeRecord, type ResourceRecord } from './record.ts';
import { WireWriter } from './writer.ts';

export const HEADER_BYTES = 12;

export interface Header {
  readonly id: number;
  /** QR: true in an answer. */
  readonly response: boolean;
  readonly opcode: number;
  readonly authoritative: boolean;
  readonly truncated: boolean;
  readonly recursionDesired: boolean;
  readonly recursionAvailable: boolean;
  /** AD, RFC 4035 section 3.2.3. */
  readonly authenticData: boolean;
  /** CD, RFC 4035 section 3.2.2. */
  readonly checkingDisabled: boolean;
  /** Twelve bits when the message has EDNS, else four. */
  readonly rcode: number;
}

export interface Question {
  readonly name: Name;
  readonly type: number;
  readonly class: number;
}

export interface Message extends Header {
  readonly questions: readonly Question[];
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  /** Without the OPT record, which is `edns`. */
  readonly additionals: readonly ResourceRecord[];
  readonly edns?: Edns;
}

export type Decoded =
  | { readonly kind: 'message'; readonly message: Message }
  /** `header` is missing when there are not even twelve octets. */
  | { readonly kind: 'malformed'; readonly header?: Header; readonly problem: string };

export function decodeMessage(bytes: Buffer): Decoded {
  const header = decodeHeader(bytes);
  if (header === undefined) return { kind: 'malformed', problem: 'a message is shorter than its header' };
  const reader = new WireReader(bytes, 4);
  const counts = [reader.u16(), reader.u16(), reader.u16(), reader.u16()] as const;
  const questions = decodeQuestions(reader, counts[0]);
  const answers = decodeRecords(reader, counts[1]);
  const authorities = decodeRecords(reader, counts[2]);
  const { records: additionals, edns, rcodeHigh } = decodeAdditionals(reader, counts[3]);
  if (reader.remaining > 0) reader.fail('octets follow the last record');
  if (reader.problem !== undefined) return { kind: 'malformed', header, problem: reader.problem };
  const message = {
    ...header,
    rcode: header.rcode | (rcodeHigh << 4),
    questions,
    answers,
    authorities,
    additionals,
  };
  return { kind: 'message', message: edns === undefined ? message : { ...message, edns } };
}

/** The fixed part alone, whatever follows; undefined when there are fewer than twelve octets. */
export function decodeHeader(bytes: Buffer): Header | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const flags = bytes.readUInt16BE(2);
  return {
    id: bytes.readUInt16BE(0),
    response: (flags & 0x8000) !== 0,
    opcode: (flags >> 11) & 15,
    authoritative: (flags & 0x0400) !== 0,
    truncated: (flags & 0x0200) !== 0,
    recursionDesired: (flags & 0x0100) !== 0,
    recursionAvailable: (flags & 0x0080) !== 0,
    authenticData: (flags & 0x0020) !== 0,
    checkingDisabled: (flags & 0x0010) !== 0,
    rcode: flags & 15,
  };
}

function decodeQuestions(reader: WireReader, count: number): Question[] {
  const questions: Question[] = [];
  while (questions.length < count && reader.problem === undefined) {
    questions.push({ name: reader.name(), type: reader.u16(), class: reader.u16() });
  }
  return questions;
}

function decodeRecords(reader: WireReader, count: number): ResourceRecord[] {
  const records: ResourceRecord[] = [];
  while (records.length < count && reader.problem === undefined) {
    const name = reader.name();
    const type = reader.u16();
    if (type === TYPE.OPT) reader.fail('an OPT record stands outside the additional section');
    records.push(decodeRecordBody(name, type, reader.u16(), reader));
  }
  return records;
}

function decodeAdditionals(reader: WireReader, count: number) {
  const records: ResourceRecord[] = [];
  let edns: Edns | undefined;
  let rcodeHigh = 0;
  for (let done = 0; done < count && reader.problem === undefined; done += 1) {
    const name = reader.name();
    const type = reader.u16();
    if (type !== TYPE.OPT) {
      records.push(decodeRecordBody(name, type, reader.u16(), reader));
    } else if (edns !== undefined || name !== ROOT) {
      reader.fail(name === ROOT ? 'two OPT records' : 'an OPT record has an owner name');
    } else {
      ({ edns, rcodeHigh } = decodeEdns(reader));
    }
  }
  return { records, edns, rcodeHigh };
}

export interface EncodeOptions {
  /** The message must fit in so many octets. */
  readonly maxBytes: number;
  /** How many records at the front of `additionals` must not be missing: glue without which a referral
   * leads nowhere. RFC 9471 section 3.1. Default 0. */
  readonly requiredAdditionals?: number;
}

/**
 * Encodes a message, leaving out whole RRsets from the end as needed. Missing answers, authorities and
 * required glue set TC; other additional records are simply left out (RFC 2181 section 9).
 */
export function encodeMessage(message: Message, options: EncodeOptions): Buffer {
  const reserved = ednsBytes(message.edns);
  const writer = new WireWriter(options.maxBytes);
  const body = new SectionWriter(writer, options.maxBytes - reserved);
  writer.u16(message.id);
  writer.u16(flagsOf(message));
  for (let count = 0; count < 4; count += 1) writer.u16(0);
  for (const question of message.questions) encodeQuestion(question, writer);
  const required = options.requiredAdditionals ?? 0;
  const answers = body.write(message.answers);
  const authorities = body.truncated ? 0 : body.write(message.authorities);
  const glue = body.truncated ? 0 : body.write(message.additionals.slice(0, required));
  const truncated = body.truncated || message.truncated;
  const extras = truncated ? 0 : body.write(message.additionals.slice(required));
  if (message.edns !== undefined) encodeEdns(message.edns, message.rcode, writer);
  const counts = [
    message.questions.length,
    answers,
    authorities,
    glue + extras + (message.edns === undefined ? 0 : 1),
  ];
  for (const [index, count] of counts.entries()) writer.patchU16(4 + index * 2, count);
  if (truncated) writer.patchU16(2, flagsOf(message) | 0x0200);
  return writer.bytes();
}

function flagsOf(header: Header): number {
  return (
    (header.response ? 0x8000 : 0) |
    (header.opcode << 11) |
    (header.authoritative ? 0x0400 : 0) |
    (header.truncated ? 0x0200 : 0) |
    (header.recursionDesired ? 0x0100 : 0) |
    (header.recursionAvailable ? 0x0080 : 0) |
    (header.authenticData ? 0x0020 : 0) |
    (header.checkingDisabled ? 0x0010 : 0) |
    (header.rcode & 15)
  );
}

function encodeQuestion(question: Question, writer: WireWriter): void {
  writer.compressedName(question.name);
  writer.u16(question.type);
  writer.u16(question.class);
}

/** Writes records RRset by RRset and takes back the one that does not fit. */
class SectionWriter {
  truncated = false;
  readonly #writer: WireWriter;
  readonly #limitBytes: number;

  constructor(writer: WireWriter, limitBytes: number) {
    this.#writer = writer;
    this.#limitBytes = limitBytes;
  }

  /** @returns how many records were written */
  write(records: readonly ResourceRecord[]): number {
    let mark = this.#writer.mark();
    let whole = 0;
    for (const [index, record] of records.entries()) {
      const previous = records[index - 1];
      if (previous === undefined || !sameRrset(previous, record)) {
        mark = this.#writer.mark();
        whole = index;
      }
      encodeRecord(record, this.#writer);
      if (this.#writer.full || this.#writer.at > this.#limitBytes) {
        this.#writer.rollback(mark);
        this.truncated = true;
        return whole;
      }
    }
    return records.length;
  }
}

function sameRrset(a: ResourceRecord, b: ResourceRecord): boolean {
  return a.type === b.type && (a.name === b.name || canonical(a.name) === canonical(b.name));
}

/** A query as a client sends it. */
export function makeQuery(
  id: number,
  question: Question,
  details: { recursionDesired: boolean; edns?: Edns },
): Message {
  const message: Message = {
    id,
    response: false,
    opcode: 0,
    authoritative: false,
    truncated: false,
    recursionDesired: details.recursionDesired,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: false,
    rcode: 0,
    questions: [question],
    answers: [],
    authorities: [],
    additionals: [],
  };
  return details.edns === undefined ? message : { ...message, edns: details.edns };
}
