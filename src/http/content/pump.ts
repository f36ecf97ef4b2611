/**
 * Bytes through a stream of node:zlib, with backpressure on both sides.
 *
 *   source ── feed ──▶ zlib ── for await ──▶ reader
 *      ▲                 │
 *      └── drain ────────┘       what is in between: one piece, and what the stream buffers of either side
 */
import type { ZlibStream } from './coding.ts';

export interface PumpOptions {
  /** Flushes so after each piece, for a reader that waits for every single one. */
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
  try {
    for await (const piece of source) {
      options.feeding?.(piece.length);
      if (stream.destroyed) return;
      const hasRoom = stream.write(piece);
      if (options.flush !== undefined) stream.flush(options.flush);
      if (!hasRoom) await drained(stream);
    }
    stream.end();
  } catch (error) {
    stream.destroy(error as Error);
  }
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
