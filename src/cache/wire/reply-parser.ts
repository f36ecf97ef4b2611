/**
 * Replies as a client receives them: RESP2 and RESP3, bytes of any cut become values.
 *
 * Aggregates are kept on a stack of frames, each of which knows how many elements it still lacks, so a reply
 * that arrives in a thousand parts is read once. Depth, elements and lengths are bounded.
 *
 *   + $ =  string        : number, bigint beyond 2^53     ( bigint        , number
 *   - !    ReplyError    # boolean      _ $-1 *-1 null     * ~ > array     % array of pairs, as Map
 *
 * An attribute (`|`) is read and dropped. A push (`>`) is marked, for it answers no command.
 */
import { ReceiveBuffer } from '../../core/bytes/receive-buffer.ts';
import type { ReplyLimits } from '../limits.ts';

/** An error reply: its line without the `-`. */
export class ReplyError {
  readonly line: string;

  constructor(line: string) {
    this.line = line;
  }
}

export type Reply =
  | string
  | number
  | bigint
  | boolean
  | null
  | ReplyError
  | readonly Reply[]
  | ReadonlyMap<string, Reply>;

export type ReplyStep =
  | { readonly reply: Reply; readonly isPush: boolean }
  | { readonly malformed: string }
  | undefined;

type FrameKind = 'array' | 'map' | 'push' | 'attribute';

interface Frame {
  readonly kind: FrameKind;
  readonly items: Reply[];
  missing: number;
}

const LF = 10;

/** Read no value, but an aggregate was opened or closed, or an attribute dropped. */
const CONTINUE = Symbol('continue');
const MORE = Symbol('more');

type Token = Reply | typeof CONTINUE | typeof MORE | Malformed;

class Malformed {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

export class ReplyParser {
  readonly #limits: ReplyLimits;
  readonly #encoding: 'utf8' | 'latin1';
  readonly #received = new ReceiveBuffer();
  readonly #stack: Frame[] = [];
  #broken: { readonly malformed: string } | undefined;

  /** `encoding` of bulk strings: text, or one character per byte. */
  constructor(limits: ReplyLimits, encoding: 'utf8' | 'latin1') {
    this.#limits = limits;
    this.#encoding = encoding;
  }

  feed(chunk: Buffer): void {
    this.#received.append(chunk);
  }

  next(): ReplyStep {
    if (this.#broken !== undefined) return this.#broken;
    for (;;) {
      const token = this.#token();
      if (token === MORE) return undefined;
      if (token instanceof Malformed) {
        this.#broken = { malformed: token.message };
        return this.#broken;
      }
      if (token === CONTINUE) continue;
      const step = this.#place(token);
      if (step !== undefined) return step;
    }
  }

  /** Puts a value into the aggregate it belongs to, and whatever that completes into the next. */
  #place(value: Reply): ReplyStep {
    let placed = value;
    for (;;) {
      const frame = this.#stack.at(-1);
      if (frame === undefined) return { reply: placed, isPush: false };
      frame.items.push(placed);
      if (--frame.missing > 0) return undefined;
      this.#stack.pop();
      if (frame.kind === 'attribute') return undefined;
      if (frame.kind === 'push' && this.#stack.length === 0) return { reply: frame.items, isPush: true };
      placed = frame.kind === 'map' ? mapOf(frame.items) : frame.items;
    }
  }

  #token(): Token {
    const bytes = this.#received.view();
    if (bytes.length === 0) return MORE;
    const end = bytes.indexOf(LF);
    if (end < 0) return bytes.length > this.#limits.maxLineBytes ? new Malformed('a line is too long') : MORE;
    if (end === 0 || bytes[end - 1] !== 13) return new Malformed('a line does not end with CRLF');
    const type = String.fromCharCode(bytes[0]!);
    const line = bytes.toString('latin1', 1, end - 1);
    if (type === '$' || type === '!' || type === '=') return this.#bulk(type, line, bytes, end + 1);
    this.#received.consume(end + 1);
    return this.#simple(type, line);
  }

  #simple(type: string, line: string): Token {
    switch (type) {
      case '+':
        return line;
      case '-':
        return new ReplyError(line);
      case ':':
        return integerOf(line);
      case '(':
        return isInteger(line) ? BigInt(line) : new Malformed('not a big number');
      case ',':
        return doubleOf(line);
      case '#':
        return line === 't' || line === 'f' ? line === 't' : new Malformed('not a boolean');
      case '_':
        return null;
      case '*':
      case '~':
        return this.#open('array', line, 1);
      case '>':
        return this.#open('push', line, 1);
      case '%':
        return this.#open('map', line, 2);
      case '|':
        return this.#open('attribute', line, 2);
      default:
        return new Malformed(`unknown type ${JSON.stringify(type)}`);
    }
  }

  #open(kind: FrameKind, line: string, perEntry: number): Token {
    if (line === '-1' && kind === 'array') return null;
    const length = lengthOf(line);
    if (length === undefined || length > this.#limits.maxElements)
      return new Malformed('bad length of an aggregate');
    if (length === 0) return kind === 'map' ? new Map() : kind === 'attribute' ? CONTINUE : [];
    if (this.#stack.length >= this.#limits.maxDepth) return new Malformed('aggregates are nested too deep');
    this.#stack.push({ kind, items: [], missing: length * perEntry });
    return CONTINUE;
  }

  #bulk(type: string, line: string, bytes: Buffer, start: number): Token {
    if (line === '-1' && type === '$') {
      this.#received.consume(start);
      return null;
    }
    const length = lengthOf(line);
    if (length === undefined || length > this.#limits.maxBulkBytes)
      return new Malformed('bad length of a string');
    const end = start + length;
    if (bytes.length < end + 2) return MORE;
    if (bytes[end] !== 13 || bytes[end + 1] !== LF) return new Malformed('a string does not end with CRLF');
    const skipped = type === '=' ? Math.min(4, length) : 0;
    const text = bytes.toString(this.#encoding, start + skipped, end);
    this.#received.consume(end + 2);
    return type === '!' ? new ReplyError(text) : text;
  }
}

function lengthOf(line: string): number | undefined {
  const length = Number(line);
  return isInteger(line) && length >= 0 && Number.isSafeInteger(length) ? length : undefined;
}

function isInteger(line: string): boolean {
  const first = line[0] === '-' || line[0] === '+' ? 1 : 0;
  if (line.length === first) return false;
  for (let i = first; i < line.length; i++) {
    const code = line.charCodeAt(i);
    if (code < 48 || code > 57) return false;
  }
  return true;
}

function integerOf(line: string): Token {
  if (!isInteger(line)) return new Malformed('not an integer');
  const value = Number(line);
  return Number.isSafeInteger(value) ? value : BigInt(line);
}

function doubleOf(line: string): Token {
  if (line === 'inf') return Number.POSITIVE_INFINITY;
  if (line === '-inf') return Number.NEGATIVE_INFINITY;
  if (line === 'nan') return Number.NaN;
  const value = Number(line);
  return line === '' || Number.isNaN(value) ? new Malformed('not a double') : value;
}

function mapOf(items: readonly Reply[]): ReadonlyMap<string, Reply> {
  const map = new Map<string, Reply>();
  for (let i = 0; i < items.length; i += 2) map.set(String(items[i]), items[i + 1]!);
  return map;
}
