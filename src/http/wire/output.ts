/**
 * Bytes of one connection on their way out: what all messages of one turn have to say, taken in one go.
 *
 *   head, chunk sizes, short text     grow together as one text while they are written
 *   bytes, long text                  stand by themselves
 *   take()                            small neighbours joined, large parts as they are
 */

/** Parts at least this long are written by themselves instead of being copied together. */
const COALESCE_BYTES = 16_384;

const NOTHING: readonly [] = [];

export class Output {
  /** What there is to write: the parts, then the text. */
  #parts: (string | Uint8Array)[] = [];
  #text = '';
  #length = 0;

  /** Bytes that `take` would give. */
  get length(): number {
    return this.#length;
  }

  /** Heads and the like, one byte per character. */
  text(text: string): void {
    this.#text += text;
    this.#length += text.length;
  }

  /** Content; text has one byte per character. */
  content(bytes: string | Uint8Array): void {
    if (typeof bytes === 'string' && bytes.length < COALESCE_BYTES) {
      this.text(bytes);
      return;
    }
    if (this.#text !== '') this.#parts.push(this.#text);
    this.#text = '';
    this.#parts.push(bytes);
    this.#length += bytes.length;
  }

  /** What there is to write; strings are latin1. Empty when there is nothing. */
  take(): readonly (string | Uint8Array)[] {
    if (this.#length === 0) return NOTHING;
    const parts = this.#parts;
    const text = this.#text;
    this.#text = '';
    this.#length = 0;
    if (parts.length === 0) return [text];
    this.#parts = [];
    if (text !== '') parts.push(text);
    return parts.length === 1 ? parts : coalesce(parts);
  }
}

function coalesce(parts: readonly (string | Uint8Array)[]): (string | Uint8Array)[] {
  const joined: (string | Uint8Array)[] = [];
  let run: (string | Uint8Array)[] = [];
  for (const part of parts) {
    if (part.length < COALESCE_BYTES) {
      run.push(part);
      continue;
    }
    if (run.length > 0) joined.push(join(run));
    run = [];
    joined.push(part);
  }
  if (run.length > 0) joined.push(join(run));
  return joined;
}

function join(parts: readonly (string | Uint8Array)[]): string | Uint8Array {
  if (parts.length === 1) return parts[0]!;
  if (parts.every((part) => typeof part === 'string')) return parts.join('');
  let size = 0;
  for (const part of parts) size += part.length;
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const part of parts) {
    if (typeof part === 'string') bytes.write(part, at, 'latin1');
    else bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
