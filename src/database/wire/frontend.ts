/**
 * What a client sends (manual, section 55.7, marked F): decoded for the server, encoded for the client.
 */
import { ByteReader, ShortRead } from '../../core/bytes/reader.ts';
import { ByteWriter } from '../../core/bytes/writer.ts';
import { MAX_PARAMETERS } from '../limits.ts';

/** 0 is text, 1 is binary. */
export type Format = 0 | 1;

export type FrontendMessage =
  | { readonly kind: 'query'; readonly sql: string }
  | {
      readonly kind: 'parse';
      readonly statement: string;
      readonly sql: string;
      readonly parameterTypes: readonly number[];
    }
  | {
      readonly kind: 'bind';
      readonly portal: string;
      readonly statement: string;
      /** None: all text. One: for all. Else one each. */
      readonly parameterFormats: readonly Format[];
      /** Null for NULL; views of the message. */
      readonly parameters: readonly (Buffer | null)[];
      readonly resultFormats: readonly Format[];
    }
  | { readonly kind: 'describe' | 'close'; readonly what: 'statement' | 'portal'; readonly name: string }
  /** `maxRows` 0 is all. */
  | { readonly kind: 'execute'; readonly portal: string; readonly maxRows: number }
  | { readonly kind: 'sync' | 'flush' | 'terminate' }
  /** PasswordMessage, SASLInitialResponse or SASLResponse: which one depends on what was asked. */
  | { readonly kind: 'password'; readonly body: Buffer }
  | { readonly kind: 'copy-data'; readonly data: Buffer }
  | { readonly kind: 'copy-done' }
  | { readonly kind: 'copy-fail'; readonly reason: string }
  | { readonly kind: 'function-call' };

export type FrontendDecode =
  | { readonly kind: 'message'; readonly message: FrontendMessage }
  | { readonly kind: 'malformed'; readonly reason: string };

export type StartupPacket =
  | {
      readonly kind: 'startup';
      readonly major: number;
      readonly minor: number;
      readonly parameters: ReadonlyMap<string, string>;
    }
  | { readonly kind: 'ssl-request' | 'gssenc-request' }
  | { readonly kind: 'cancel'; readonly processId: number; readonly secretKey: Buffer };

export type StartupDecode =
  | { readonly kind: 'packet'; readonly packet: StartupPacket }
  | { readonly kind: 'malformed'; readonly reason: string };

const CANCEL_CODE = 80_877_102;
const SSL_CODE = 80_877_103;
const GSSENC_CODE = 80_877_104;

/** @param body of the first packet, without its length */
export function decodeStartup(body: Buffer): StartupDecode {
  try {
    const reader = new ByteReader(body);
    const code = reader.uint32();
    if (code === SSL_CODE) return { kind: 'packet', packet: { kind: 'ssl-request' } };
    if (code === GSSENC_CODE) return { kind: 'packet', packet: { kind: 'gssenc-request' } };
    if (code === CANCEL_CODE) {
      const processId = reader.uint32();
      return {
        kind: 'packet',
        packet: { kind: 'cancel', processId, secretKey: reader.take(reader.remaining) },
      };
    }
    const parameters = new Map<string, string>();
    // What follows is known of version 3 only; of others the version is all there is to say.
    if (code >>> 16 !== 3)
      return {
        kind: 'packet',
        packet: { kind: 'startup', major: code >>> 16, minor: code & 0xffff, parameters },
      };
    for (let name = reader.cString(); name !== ''; name = reader.cString())
      parameters.set(name, reader.cString());
    if (reader.remaining > 0)
      return { kind: 'malformed', reason: 'invalid startup packet layout: expected terminator as last byte' };
    return {
      kind: 'packet',
      packet: { kind: 'startup', major: code >>> 16, minor: code & 0xffff, parameters },
    };
  } catch (error) {
    if (error instanceof ShortRead) return { kind: 'malformed', reason: 'invalid startup packet' };
    throw error;
  }
}

/** @param type the message's type byte. Unknown types are malformed. */
export function decodeFrontend(type: number, body: Buffer): FrontendDecode {
  const reader = new ByteReader(body);
  try {
    const message = readMessage(String.fromCharCode(type), reader);
    if (typeof message === 'string') return { kind: 'malformed', reason: message };
    if (reader.remaining > 0)
      return { kind: 'malformed', reason: 'invalid message format: bytes after its end' };
    return { kind: 'message', message };
  } catch (error) {
    if (error instanceof ShortRead) return { kind: 'malformed', reason: 'insufficient data left in message' };
    throw error;
  }
}

/** @returns the message, or what is wrong with it */
function readMessage(type: string, reader: ByteReader): FrontendMessage | string {
  switch (type) {
    case 'Q':
      return { kind: 'query', sql: reader.cString() };
    case 'P':
      return readParse(reader);
    case 'B':
      return readBind(reader);
    case 'D':
      return readTarget('describe', reader);
    case 'C':
      return readTarget('close', reader);
    case 'E':
      return { kind: 'execute', portal: reader.cString(), maxRows: Math.max(0, reader.int32()) };
    case 'S':
      return { kind: 'sync' };
    case 'H':
      return { kind: 'flush' };
    case 'X':
      return { kind: 'terminate' };
    case 'p':
      return { kind: 'password', body: reader.take(reader.remaining) };
    case 'd':
      return { kind: 'copy-data', data: reader.take(reader.remaining) };
    case 'c':
      return { kind: 'copy-done' };
    case 'f':
      return { kind: 'copy-fail', reason: reader.cString() };
    case 'F':
      reader.skip(reader.remaining);
      return { kind: 'function-call' };
    default:
      return `invalid frontend message type ${type.charCodeAt(0)}`;
  }
}

function readParse(reader: ByteReader): FrontendMessage {
  const statement = reader.cString();
  const sql = reader.cString();
  const parameterTypes = Array.from({ length: reader.uint16() }, () => reader.uint32());
  return { kind: 'parse', statement, sql, parameterTypes };
}

function readBind(reader: ByteReader): FrontendMessage | string {
  const portal = reader.cString();
  const statement = reader.cString();
  const parameterFormats = readFormats(reader);
  if (parameterFormats === undefined) return 'unsupported format code';
  const parameters = Array.from({ length: reader.uint16() }, () => {
    const length = reader.int32();
    // -1 is NULL; any other negative length is refused by `take`.
    return length === -1 ? null : reader.take(length);
  });
  const resultFormats = readFormats(reader);
  if (resultFormats === undefined) return 'unsupported format code';
  return { kind: 'bind', portal, statement, parameterFormats, parameters, resultFormats };
}

function readFormats(reader: ByteReader): Format[] | undefined {
  const formats = Array.from({ length: reader.uint16() }, () => reader.uint16());
  return formats.every((format) => format === 0 || format === 1) ? (formats as Format[]) : undefined;
}

function readTarget(kind: 'describe' | 'close', reader: ByteReader): FrontendMessage | string {
  const letter = reader.uint8();
  const name = reader.cString();
  if (letter === 0x53) return { kind, what: 'statement', name };
  if (letter === 0x50) return { kind, what: 'portal', name };
  return `invalid ${kind.toUpperCase()} message subtype ${letter}`;
}

/** Builds what a client sends, any number of messages in one buffer. */
export class FrontendWriter {
  readonly #out = new ByteWriter(1_024);

  take(): Buffer {
    return this.#out.take();
  }

  /** Version 3.0. */
  startup(parameters: Readonly<Record<string, string>>): void {
    const at = this.#out.reserve(4);
    this.#out.uint16(3).uint16(0);
    for (const [name, value] of Object.entries(parameters)) this.#out.cString(name).cString(value);
    this.#out.uint8(0);
    this.#out.patchUint32(at, this.#out.length - at);
  }

  sslRequest(): void {
    this.#out.uint32(8).uint32(SSL_CODE);
  }

  password(password: string): void {
    this.#message('p', (out) => out.cString(password));
  }

  saslInitial(mechanism: string, response: string): void {
    this.#message('p', (out) => out.cString(mechanism).int32(Buffer.byteLength(response)).utf8(response));
  }

  saslResponse(response: string): void {
    this.#message('p', (out) => out.utf8(response));
  }

  query(sql: string): void {
    this.#message('Q', (out) => out.cString(sql));
  }

  parse(statement: string, sql: string): void {
    this.#message('P', (out) => out.cString(statement).cString(sql).uint16(0));
  }

  /** Parameters and results in text form. @throws RangeError for more than 65,535 parameters */
  bind(portal: string, statement: string, parameters: readonly (string | null)[]): void {
    if (parameters.length > MAX_PARAMETERS) throw new RangeError(`more than ${MAX_PARAMETERS} parameters`);
    this.#message('B', (out) => {
      out.cString(portal).cString(statement).uint16(0).uint16(parameters.length);
      for (const parameter of parameters) {
        if (parameter === null) out.int32(-1);
        else out.int32(Buffer.byteLength(parameter)).utf8(parameter);
      }
      out.uint16(0);
    });
  }

  describePortal(portal: string): void {
    this.#message('D', (out) => out.latin1('P').cString(portal));
  }

  execute(portal: string): void {
    this.#message('E', (out) => out.cString(portal).int32(0));
  }

  sync(): void {
    this.#message('S', () => undefined);
  }

  terminate(): void {
    this.#message('X', () => undefined);
  }

  #message(type: string, body: (out: ByteWriter) => void): void {
    this.#out.latin1(type);
    const at = this.#out.reserve(4);
    body(this.#out);
    this.#out.patchUint32(at, this.#out.length - at);
  }
}
