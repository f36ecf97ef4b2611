/**
 * Bytes through a stream of node:zlib, with backpressure on both sides.
 *
 *   source ── feed ──▶ zlib ── for await ──▶ reader
 *      ▲                 │
 *      └── drain ────────┘       what is in between: one piece, and what the stream buffers of either side
 */
import { turn } from '../../core/time/turn.ts';
import type { ZlibStream } from './coding.ts';

export interface PumpOptions {
  /** Flushes so whenever the source has given something and then makes the reader wait: who waits gets what there is. */
  readonly flush?: number;
  /** Told of the length of every piece, before it goes in or is found to come after the end. */
  readonly feeding?: (bytes: number) => void;
}

/**
 * What comes out of `stream` when `source` goes in. The reader may stop early; then both are let go.
 * @throws whatever the source or the stream throws
 */
export async function* pump(
  source: AsyncIterable<Uint8Array>,
  stream: ZlibStream,
  options: PumpOptions = {},
): AsyncGenerator<Buffer, void, void> {
  const fed = feed(source, stream, options);
  try {
    for await (const piece of stream) yield piece as Buffer;
    await fed;
  } finally {
    stream.destroy();
  }
}

/** Never rejects: what goes wrong with the source reaches the reader through the stream. */
async function feed(
  source: AsyncIterable<Uint8Array>,
  stream: ZlibStream,
  options: PumpOptions,
): Promise<void> {
  const { flush, feeding } = options;
  const pieces = flush === undefined ? source : noticed(source, () => stream.flush(flush));
  try {
    for await (const piece of pieces) {
      feeding?.(piece.length);
      if (stream.destroyed) return;
      if (!stream.write(piece)) await drained(stream);
    }
    stream.end();
  } catch (error) {
    stream.destroy(error as Error);
  }
}

/** What `source` gives; `waiting` is called when after a piece there is none for a turn of the event loop. */
async function* noticed(
  source: AsyncIterable<Uint8Array>,
  waiting: () => void,
): AsyncGenerator<Uint8Array, void, void> {
  const pieces = source[Symbol.asyncIterator]();
  try {
    for (let given = 0; ; given++) {
      const next = pieces.next();
      if (given > 0 && (await isLate(next))) waiting();
      const { done, value } = await next;
      if (done === true) return;
      yield value;
    }
  } finally {
    await pieces.return?.();
  }
}

function isLate(next: Promise<unknown>): Promise<boolean> {
  return Promise.race([next.then(() => false), turn().then(() => true)]);
}

function drained(stream: ZlibStream): Promise<void> {
  if (stream.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const settle = (): void => {
      stream.off('drain', settle);
      stream.off('close', settle);
      resolve();
    };
    stream.on('drain', settle);
    stream.on('close', settle);
  });
}
