/**
 * The framing `aws-chunked`, inside the HTTP body (and inside HTTP's own chunking, where that is used too):
 *
 *   10000;chunk-signature=<64 hex>\r\n        without `;chunk-signature=…` when chunks are not signed
 *   <65,536 bytes>\r\n
 *   0;chunk-signature=<64 hex>\r\n            the last chunk has no data
 *   x-amz-checksum-crc32:<base64>\r\n         trailer lines, if announced
 *   x-amz-trailer-signature:<64 hex>\r\n      when chunks are signed
 *   \r\n
 *
 * Some clients end a trailer line with a bare LF; the section ends at the first CR LF CR LF all the same.
 * Source: "Transferring Payload in Multiple Chunks (Chunked Upload)", Amazon S3 API Reference.
 *
 * This room knows the framing only: it proves neither signatures nor lengths (`session/payload.ts`).
 */
import { PROTOCOL_LIMITS } from '../limits.ts';

export type ChunkEvent =
  | { readonly kind: 'chunk'; readonly sizeBytes: number; readonly signature: string | undefined }
  | { readonly kind: 'data'; readonly bytes: Buffer }
  | { readonly kind: 'chunk-end' }
  | { readonly kind: 'end'; readonly trailers: readonly (readonly [name: string, value: string])[] };

export type ChunkResult =
  | { readonly kind: 'events'; readonly events: readonly ChunkEvent[] }
  | { readonly kind: 'malformed'; readonly reason: string };

type State =
  | { readonly kind: 'head' }
  | { readonly kind: 'data'; readonly leftBytes: number }
  | { readonly kind: 'data-end' }
  | { readonly kind: 'trailers' }
  | { readonly kind: 'done' }
  | { readonly kind: 'malformed'; readonly reason: string };

const CR = 0x0d;
const LF = 0x0a;
const CRLF_CRLF = Buffer.from('\r\n\r\n');
const SIGNATURE_PARAMETER = 'chunk-signature=';
/** 13 hexadecimal digits stay below 2^53. */
const MAX_SIZE_DIGITS = 13;

export class ChunkDecoder {
  #state: State = { kind: 'head' };
  /** Bytes of a line or of the trailers that are not whole yet; bounded by the limits of those. */
  #held: Buffer = Buffer.alloc(0);

  /** True once the final empty line was seen. */
  get done(): boolean {
    return this.#state.kind === 'done';
  }

  /** Takes the next bytes. After `malformed` every later call says so again. */
  push(bytes: Buffer): ChunkResult {
    const events: ChunkEvent[] = [];
    let rest: Buffer = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    this.#held = Buffer.alloc(0);
    while (rest.length > 0) {
      const left = this.#step(rest, events);
      if (left === undefined) {
        this.#held = Buffer.from(rest);
        break;
      }
      rest = left;
    }
    if (this.#state.kind === 'malformed') return { kind: 'malformed', reason: this.#state.reason };
    return { kind: 'events', events };
  }

  /** @returns the bytes after those taken, or undefined when more are needed */
  #step(bytes: Buffer, events: ChunkEvent[]): Buffer | undefined {
    switch (this.#state.kind) {
      case 'head':
        return this.#takeHead(bytes, events);
      case 'data':
        return this.#takeData(bytes, this.#state.leftBytes, events);
      case 'data-end':
        return this.#takeDataEnd(bytes, events);
      case 'trailers':
        return this.#takeTrailers(bytes, events);
      case 'done':
        return this.#fail('bytes after the end of the chunked body');
      case 'malformed':
        return Buffer.alloc(0);
    }
  }

  #fail(reason: string): Buffer {
    this.#state = { kind: 'malformed', reason };
    return Buffer.alloc(0);
  }

  #takeHead(bytes: Buffer, events: ChunkEvent[]): Buffer | undefined {
    const end = bytes.indexOf(LF);
    if (end < 0) {
      return bytes.length > PROTOCOL_LIMITS.chunkHeadBytes ? this.#fail('chunk head too long') : undefined;
    }
    if (end > PROTOCOL_LIMITS.chunkHeadBytes) return this.#fail('chunk head too long');
    if (bytes[end - 1] !== CR) return this.#fail('chunk head without CR LF');
    const head = parseHead(bytes.toString('latin1', 0, end - 1));
    if (head === undefined) return this.#fail('malformed chunk head');
    events.push({ kind: 'chunk', ...head });
    this.#state = head.sizeBytes === 0 ? { kind: 'trailers' } : { kind: 'data', leftBytes: head.sizeBytes };
    return bytes.subarray(end + 1);
  }

  #takeData(bytes: Buffer, leftBytes: number, events: ChunkEvent[]): Buffer {
    const data = bytes.subarray(0, leftBytes);
    events.push({ kind: 'data', bytes: data });
    const left = leftBytes - data.length;
    this.#state = left === 0 ? { kind: 'data-end' } : { kind: 'data', leftBytes: left };
    return bytes.subarray(data.length);
  }

  #takeDataEnd(bytes: Buffer, events: ChunkEvent[]): Buffer | undefined {
    if (bytes.length < 2)
      return bytes[0] === CR ? undefined : this.#fail('chunk data without CR LF after it');
    if (bytes[0] !== CR || bytes[1] !== LF) return this.#fail('chunk data without CR LF after it');
    events.push({ kind: 'chunk-end' });
    this.#state = { kind: 'head' };
    return bytes.subarray(2);
  }

  #takeTrailers(bytes: Buffer, events: ChunkEvent[]): Buffer | undefined {
    if (bytes[0] === CR && bytes[1] === LF) return this.#end(bytes.subarray(2), [], events);
    const end = bytes.indexOf(CRLF_CRLF);
    if (end < 0 || end > PROTOCOL_LIMITS.chunkTrailerBytes) {
      return bytes.length > PROTOCOL_LIMITS.chunkTrailerBytes ? this.#fail('trailers too long') : undefined;
    }
    const trailers = parseTrailers(bytes.toString('latin1', 0, end));
    if (trailers === undefined) return this.#fail('malformed trailer');
    return this.#end(bytes.subarray(end + CRLF_CRLF.length), trailers, events);
  }

  #end(rest: Buffer, trailers: [string, string][], events: ChunkEvent[]): Buffer {
    events.push({ kind: 'end', trailers });
    this.#state = { kind: 'done' };
    return rest;
  }
}

function parseHead(line: string): { sizeBytes: number; signature: string | undefined } | undefined {
  const semicolon = line.indexOf(';');
  const size = semicolon < 0 ? line : line.slice(0, semicolon);
  if (size === '' || size.length > MAX_SIZE_DIGITS || !isHex(size)) return undefined;
  const sizeBytes = Number.parseInt(size, 16);
  if (semicolon < 0) return { sizeBytes, signature: undefined };
  const parameter = line.slice(semicolon + 1);
  if (!parameter.startsWith(SIGNATURE_PARAMETER)) return undefined;
  return { sizeBytes, signature: parameter.slice(SIGNATURE_PARAMETER.length) };
}

function parseTrailers(section: string): [string, string][] | undefined {
  const trailers: [string, string][] = [];
  for (const rawLine of section.split('\n')) {
    const line = rawLine.endsWith('\r') ? rawLine.slice(0, -1) : rawLine;
    if (line === '') continue;
    const colon = line.indexOf(':');
    if (colon <= 0 || line.includes('\r')) return undefined;
    trailers.push([line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()]);
  }
  return trailers;
}

function isHex(text: string): boolean {
  return [...text].every(
    (char) => (char >= '0' && char <= '9') || (char >= 'a' && char <= 'f') || (char >= 'A' && char <= 'F'),
  );
}
