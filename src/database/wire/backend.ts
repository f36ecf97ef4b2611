/**
 * What a server sends (manual, section 55.7, marked B): encoded for the server, decoded for the client.
 */
import { ByteReader, ShortRead } from '../../core/bytes/reader.ts';
import { ByteWriter } from '../../core/bytes/writer.ts';
import type { DatabaseError } from '../errors.ts';
import type { Format } from './frontend.ts';
import { type NoticeFields, readNotice, writeNotice } from './notice.ts';

export interface FieldDescription {
  readonly name: string;
  /** 0 when the column is not one of a table. */
  readonly tableOid: number;
  readonly columnNumber: number;
  readonly typeOid: number;
  /** Negative: of variable length. */
  readonly typeSize: number;
  /** -1: none. */
  readonly typeModifier: number;
  readonly format: Format;
}

/** `I` idle, `T` in a transaction, `E` in a failed one. */
export type TransactionStatus = 'I' | 'T' | 'E';

export type BackendMessage =
  | { readonly kind: 'authentication'; readonly request: number; readonly data: Buffer }
  | { readonly kind: 'parameter-status'; readonly name: string; readonly value: string }
  | { readonly kind: 'backend-key'; readonly processId: number; readonly secretKey: Buffer }
  | { readonly kind: 'ready'; readonly status: TransactionStatus }
  | { readonly kind: 'row-description'; readonly fields: readonly FieldDescription[] }
  /** Null for NULL; views of the message. */
  | { readonly kind: 'data-row'; readonly values: readonly (Buffer | null)[] }
  | { readonly kind: 'command-complete'; readonly tag: string }
  | { readonly kind: 'error' | 'notice'; readonly fields: NoticeFields }
  | {
      readonly kind:
        | 'parse-complete'
        | 'bind-complete'
        | 'close-complete'
        | 'no-data'
        | 'empty-query'
        | 'portal-suspended';
    }
  /** COPY, NOTIFY, and what later versions add. */
  | { readonly kind: 'other'; readonly type: number };

export type BackendDecode =
  | { readonly kind: 'message'; readonly message: BackendMessage }
  | { readonly kind: 'malformed'; readonly reason: string };

/** AuthenticationXXX requests. */
export const AUTHENTICATION = {
  ok: 0,
  cleartext: 3,
  md5: 5,
  sasl: 10,
  saslContinue: 11,
  saslFinal: 12,
} as const;

const plainKinds = {
  '1': 'parse-complete',
  '2': 'bind-complete',
  '3': 'close-complete',
  n: 'no-data',
  I: 'empty-query',
  s: 'portal-suspended',
} as const;

export function decodeBackend(type: number, body: Buffer): BackendDecode {
  try {
    return {
      kind: 'message',
      message: readMessage(String.fromCharCode(type), type, new ByteReader(body), body),
    };
  } catch (error) {
    if (error instanceof ShortRead) return { kind: 'malformed', reason: 'insufficient data left in message' };
    throw error;
  }
}

function readMessage(letter: string, type: number, reader: ByteReader, body: Buffer): BackendMessage {
  switch (letter) {
    case 'R':
      return { kind: 'authentication', request: reader.uint32(), data: reader.take(reader.remaining) };
    case 'S':
      return { kind: 'parameter-status', name: reader.cString(), value: reader.cString() };
    case 'K':
      return { kind: 'backend-key', processId: reader.uint32(), secretKey: reader.take(reader.remaining) };
    case 'Z':
      return { kind: 'ready', status: String.fromCharCode(reader.uint8()) as TransactionStatus };
    case 'T':
      return {
        kind: 'row-description',
        fields: Array.from({ length: reader.uint16() }, () => readField(reader)),
      };
    case 'D':
      return { kind: 'data-row', values: Array.from({ length: reader.uint16() }, () => readValue(reader)) };
    case 'C':
      return { kind: 'command-complete', tag: reader.cString() };
    case 'E':
      return { kind: 'error', fields: readNotice(body) };
    case 'N':
      return { kind: 'notice', fields: readNotice(body) };
    case '1':
    case '2':
    case '3':
    case 'n':
    case 'I':
    case 's':
      return { kind: plainKinds[letter] };
    default:
      return { kind: 'other', type };
  }
}

function readField(reader: ByteReader): FieldDescription {
  return {
    name: reader.cString(),
    tableOid: reader.uint32(),
    columnNumber: reader.uint16(),
    typeOid: reader.uint32(),
    typeSize: reader.int16(),
    typeModifier: reader.int32(),
    format: reader.uint16() as Format,
  };
}

function readValue(reader: ByteReader): Buffer | null {
  const length = reader.int32();
  return length === -1 ? null : reader.take(length);
}

/** Gathers what a server sends in answer to one read, for one write. */
export class BackendWriter {
  readonly #out = new ByteWriter(4_096);

  get length(): number {
    return this.#out.length;
  }

  take(): Buffer {
    return this.#out.take();
  }

  authenticationOk(): void {
    this.#message('R', (out) => out.uint32(AUTHENTICATION.ok));
  }

  authenticationSasl(mechanisms: readonly string[]): void {
    this.#message('R', (out) => {
      out.uint32(AUTHENTICATION.sasl);
      for (const mechanism of mechanisms) out.cString(mechanism);
      out.uint8(0);
    });
  }

  authenticationSaslContinue(data: string): void {
    this.#message('R', (out) => out.uint32(AUTHENTICATION.saslContinue).utf8(data));
  }

  authenticationSaslFinal(data: string): void {
    this.#message('R', (out) => out.uint32(AUTHENTICATION.saslFinal).utf8(data));
  }

  /** A client of protocol 3.x, x > 0, or with `_pq_.` options learns what we speak. */
  negotiateProtocolVersion(minor: number, unknownOptions: readonly string[]): void {
    this.#message('v', (out) => {
      out.uint32(minor).uint32(unknownOptions.length);
      for (const option of unknownOptions) out.cString(option);
    });
  }

  parameterStatus(name: string, value: string): void {
    this.#message('S', (out) => out.cString(name).cString(value));
  }

  backendKey(processId: number, secretKey: Uint8Array): void {
    this.#message('K', (out) => out.uint32(processId).bytes(secretKey));
  }

  ready(status: TransactionStatus): void {
    this.#message('Z', (out) => out.latin1(status));
  }

  rowDescription(fields: readonly FieldDescription[]): void {
    this.#message('T', (out) => {
      out.uint16(fields.length);
      for (const field of fields) {
        out.cString(field.name).uint32(field.tableOid).uint16(field.columnNumber).uint32(field.typeOid);
        out.int16(field.typeSize).int32(field.typeModifier).uint16(field.format);
      }
    });
  }

  parameterDescription(types: readonly number[]): void {
    this.#message('t', (out) => {
      out.uint16(types.length);
      for (const type of types) out.uint32(type);
    });
  }

  /** A string is sent as UTF-8, in text format; bytes as they are. */
  dataRow(values: readonly (string | Uint8Array | null)[]): void {
    this.#message('D', (out) => {
      out.uint16(values.length);
      for (const value of values) {
        if (value === null) out.int32(-1);
        else if (typeof value === 'string') out.int32(Buffer.byteLength(value)).utf8(value);
        else out.int32(value.length).bytes(value);
      }
    });
  }

  commandComplete(tag: string): void {
    this.#message('C', (out) => out.cString(tag));
  }

  parseComplete(): void {
    this.#empty('1');
  }

  bindComplete(): void {
    this.#empty('2');
  }

  closeComplete(): void {
    this.#empty('3');
  }

  noData(): void {
    this.#empty('n');
  }

  emptyQuery(): void {
    this.#empty('I');
  }

  portalSuspended(): void {
    this.#empty('s');
  }

  /** @param sql the statement that the error's position counts in */
  error(error: DatabaseError, sql?: string): void {
    this.#message('E', (out) => writeNotice(out, error, sql));
  }

  notice(notice: DatabaseError): void {
    this.#message('N', (out) => writeNotice(out, notice, undefined));
  }

  #empty(type: string): void {
    this.#message(type, () => undefined);
  }

  #message(type: string, body: (out: ByteWriter) => void): void {
    this.#out.latin1(type);
    const at = this.#out.reserve(4);
    body(this.#out);
    this.#out.patchUint32(at, this.#out.length - at);
  }
}
