/**
 * The message after DATA: undoes dot-stuffing and finds the end, a byte at a time, with one state per CR, LF
 * and dot. RFC 5321 sections 4.1.1.4 and 4.5.2.
 *
 *                 other                 CR             LF
 *       ┌──────────────────▶ text ───────────▶ cr ───────────▶ line-start
 *   line-start                ▲                               (again)
 *       │ .                   │ other: the dot was stuffing
 *       └─────▶ dot ──────────┤
 *                │ CR         │ other: a CR of its own, which is a bare one
 *                └──▶ dot-cr ─┘
 *                       │ LF
 *                       └──▶ the end
 *
 * Only CR LF . CR LF ends a message. What else looks like an end (LF.LF, CR.CR, LF.CRLF …) is how one message
 * is smuggled into two; it is passed through as data, and noted, so that the caller can refuse the message.
 */

export type DataFault = 'bare-line-ending' | 'long-line';

export interface DataChunk {
  /** Message bytes, unstuffed: views into what was given. */
  readonly parts: readonly Buffer[];
  /** How many bytes of the input belong to the message; what follows is the next command. */
  readonly consumed: number;
  readonly ended: boolean;
}

type State = 'line-start' | 'text' | 'cr' | 'dot' | 'dot-cr';

const CR = 0x0d;
const LF = 0x0a;
const DOT = 0x2e;
const CR_BYTES = Buffer.of(CR);

export class DataReader {
  readonly #maxLineBytes: number;
  #state: State = 'line-start';
  #lineBytes = 0;
  #fault: DataFault | undefined;
  #sizeBytes = 0;

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** The first thing found wrong with the message. */
  get fault(): DataFault | undefined {
    return this.#fault;
  }

  /** Message bytes so far, unstuffed. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  read(input: Buffer): DataChunk {
    const parts: Buffer[] = [];
    // Bytes from `run` up to `at` belong to the message and are not yet in `parts`.
    let run = 0;
    const flush = (end: number): void => {
      if (end > run) this.#add(parts, input.subarray(run, end));
    };
    for (let at = 0; at < input.length; at++) {
      const byte = input[at] as number;
      switch (this.#state) {
        case 'line-start':
          this.#lineBytes = 0;
          if (byte === DOT) {
            flush(at);
            run = at + 1;
            this.#state = 'dot';
            continue;
          }
          break;
        case 'dot':
          if (byte === CR) {
            run = at + 1;
            this.#state = 'dot-cr';
            continue;
          }
          break;
        case 'dot-cr':
          if (byte === LF) {
            this.#state = 'line-start';
            return { parts, consumed: at + 1, ended: true };
          }
          this.#add(parts, CR_BYTES);
          run = at;
          this.#fault ??= 'bare-line-ending';
          break;
        case 'cr':
          if (byte === LF) {
            this.#state = 'line-start';
            continue;
          }
          this.#fault ??= 'bare-line-ending';
          break;
        case 'text':
          break;
      }
      this.#take(byte);
    }
    flush(input.length);
    return { parts, consumed: input.length, ended: false };
  }

  /** A byte within a line. */
  #take(byte: number): void {
    if (byte === CR) {
      this.#state = 'cr';
      return;
    }
    this.#state = 'text';
    if (byte === LF || byte === 0) this.#fault ??= 'bare-line-ending';
    if (++this.#lineBytes > this.#maxLineBytes) this.#fault ??= 'long-line';
  }

  #add(parts: Buffer[], bytes: Buffer): void {
    parts.push(bytes);
    this.#sizeBytes += bytes.length;
  }
}

/** Doubles dots at line starts and ends with CRLF.CRLF; every line ending becomes CRLF. For the client. */
export function stuffData(message: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(message.length * 2 + 5);
  let length = 0;
  let atLineStart = true;
  for (let at = 0; at < message.length; at++) {
    const byte = message[at] as number;
    const isBreak = byte === CR || byte === LF;
    if (isBreak) {
      if (byte === CR && message[at + 1] === LF) at++;
      out[length++] = CR;
      out[length++] = LF;
    } else {
      if (atLineStart && byte === DOT) out[length++] = DOT;
      out[length++] = byte;
    }
    atLineStart = isBreak;
  }
  if (!atLineStart) length += out.write('\r\n', length, 'latin1');
  length += out.write('.\r\n', length, 'latin1');
  return out.subarray(0, length);
}
