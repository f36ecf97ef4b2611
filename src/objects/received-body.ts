/**
 * The body of an HTTP request on its way to an operation: read with a deadline on silence, proven by
 * `session/payload.ts`, counted.
 */
import { assert } from '../core/assert.ts';
import { codeOf } from '../core/errors.ts';
import type { Clock } from '../core/time/clock.ts';
import type { BodyProof, IncomingBody } from './engine/engine.ts';
import { S3Error } from './errors.ts';
import { type PayloadClaims, PayloadVerifier } from './session/payload.ts';
import type { ChecksumAlgorithm } from './wire/checksums.ts';
import type { Hashing } from './wire/hashing.ts';

export interface ReceivedBodyOptions {
  readonly source: AsyncIterable<Buffer>;
  readonly claims: PayloadClaims;
  readonly hashing: Hashing;
  readonly clock: Clock;
  readonly idleTimeoutMs: number;
  readonly counted: (bytes: number) => void;
}

export class ReceivedBody implements IncomingBody {
  readonly #options: ReceivedBodyOptions;
  #proof: BodyProof | undefined;

  constructor(options: ReceivedBodyOptions) {
    this.#options = options;
  }

  get declaredBytes(): number | undefined {
    return this.#options.claims.sizeBytes;
  }

  get claimedAlgorithm(): ChecksumAlgorithm | undefined {
    const { checksum, trailer } = this.#options.claims;
    return checksum?.algorithm ?? trailer;
  }

  async *read(asked: ChecksumAlgorithm): AsyncGenerator<Buffer, void> {
    const { claims, hashing, source, counted } = this.#options;
    const verifier = new PayloadVerifier(hashing, claims, asked);
    for await (const bytes of this.#timed(source)) {
      for (const piece of verifier.push(bytes)) {
        counted(piece.length);
        yield piece;
      }
    }
    this.#proof = verifier.finish();
  }

  proof(): BodyProof {
    assert(this.#proof !== undefined, 'a body is proven only when it was read to its end');
    return this.#proof;
  }

  /** All of it. @throws S3Error MaxMessageLengthExceeded */
  async document(limitBytes: number): Promise<Buffer> {
    if ((this.declaredBytes ?? 0) > limitBytes) throw new S3Error('MaxMessageLengthExceeded');
    const pieces: Buffer[] = [];
    let sizeBytes = 0;
    for await (const piece of this.read(this.claimedAlgorithm ?? 'CRC32')) {
      sizeBytes += piece.length;
      if (sizeBytes > limitBytes) throw new S3Error('MaxMessageLengthExceeded');
      pieces.push(piece);
    }
    return Buffer.concat(pieces);
  }

  /** @throws S3Error RequestTimeout when the client sends nothing for too long */
  async *#timed(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
    const { clock, idleTimeoutMs } = this.#options;
    const iterator = source[Symbol.asyncIterator]();
    try {
      for (;;) {
        const result = await beforeSilence(clock, idleTimeoutMs, iterator.next());
        if (result.done === true) return;
        yield result.value;
      }
    } finally {
      // Not awaited: a source that fell silent never answers.
      iterator.return?.().catch(() => undefined);
    }
  }
}

async function beforeSilence<T>(clock: Clock, timeoutMs: number, next: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = clock.schedule(timeoutMs, () => reject(new S3Error('RequestTimeout')));
  try {
    return await Promise.race([next, promise]);
  } catch (thrown) {
    throw isBroken(thrown) ? new S3Error('IncompleteBody', undefined, { cause: thrown }) : thrown;
  } finally {
    timer.cancel();
  }
}

/** The HTTP library says that the rest of the body will not come. */
function isBroken(thrown: unknown): boolean {
  return codeOf(thrown)?.startsWith('http-') ?? false;
}
