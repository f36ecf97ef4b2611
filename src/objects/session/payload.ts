/**
 * The body of one request: framing taken off, and everything the client claimed about it proven.
 *
 *   bytes ─▶ aws-chunked ─▶ data ─▶ length, MD5, SHA-256, checksum ─▶ proof
 *                  └──────▶ chunk signatures, trailers
 *
 * Data comes out before the proof is complete, so whoever takes it writes it aside and publishes nothing
 * until `finish` returned.
 */
import { assert } from '../../core/assert.ts';
import type { BodyProof } from '../engine/engine.ts';
import { S3Error } from '../errors.ts';
import { ChunkDecoder, type ChunkEvent } from '../wire/aws-chunked.ts';
import {
  type ChecksumAlgorithm,
  type ClaimedChecksum,
  checksumField,
  claimChecksum,
  claimedChecksum,
  claimedMd5,
  trailerAlgorithm,
} from '../wire/checksums.ts';
import type { Fields } from '../wire/fields.ts';
import type { Hashing, RunningHash } from '../wire/hashing.ts';
import type { PayloadMode } from '../wire/payload-mode.ts';
import type { Identity } from '../wire/sigv4/authenticate.ts';
import { chunkSignature, type SigningChain, trailerSignature } from '../wire/sigv4/chunk-signatures.ts';

/** What the head of a request says about its body. */
export interface PayloadClaims {
  readonly mode: PayloadMode;
  /** For signed chunks. */
  readonly chain: SigningChain | undefined;
  /** Of the data, without framing. */
  readonly sizeBytes: number | undefined;
  readonly checksum: ClaimedChecksum | undefined;
  /** The checksum that a trailer will bring. */
  readonly trailer: ChecksumAlgorithm | undefined;
  readonly md5: string | undefined;
}

const TRAILER_SIGNATURE = 'x-amz-trailer-signature';

/**
 * @param contentLength of the HTTP body, framing included; undefined when it is chunked by HTTP
 * @throws S3Error for claims that contradict each other or are malformed
 */
export function readPayloadClaims(
  fields: Fields,
  identity: Identity,
  contentLength: number | undefined,
): PayloadClaims {
  const mode = identity.payload;
  const chunked = mode.kind === 'chunked';
  const trailer = trailerAlgorithm(fields.get('x-amz-trailer'));
  if (trailer !== undefined && !(chunked && mode.trailer)) {
    throw new S3Error('InvalidRequest', 'x-amz-trailer needs a payload with a trailer.');
  }
  return {
    mode,
    chain: identity.kind === 'key' ? identity.chain : undefined,
    sizeBytes: chunked ? readDecodedLength(fields) : contentLength,
    checksum: claimedChecksum(fields),
    trailer,
    md5: claimedMd5(fields),
  };
}

/** @throws S3Error MissingContentLength, InvalidArgument */
function readDecodedLength(fields: Fields): number {
  const text = fields.get('x-amz-decoded-content-length');
  if (text === undefined) throw new S3Error('MissingContentLength');
  const digits = text !== '' && text.length <= 15 && [...text].every((char) => char >= '0' && char <= '9');
  if (digits) return Number(text);
  throw new S3Error('InvalidArgument', 'x-amz-decoded-content-length is not a length.');
}

export class PayloadVerifier {
  readonly #claims: PayloadClaims;
  readonly #hashing: Hashing;
  readonly #algorithm: ChecksumAlgorithm;
  readonly #md5: RunningHash;
  readonly #checksum: RunningHash;
  /** Only where the client claims another algorithm than the one asked for. */
  readonly #asked: RunningHash | undefined;
  readonly #sha256: RunningHash | undefined;
  readonly #chunks: ChunkVerifier | undefined;
  #sizeBytes = 0;

  /** @param asked the checksum to compute, beside the one that the client claims */
  constructor(hashing: Hashing, claims: PayloadClaims, asked: ChecksumAlgorithm) {
    this.#hashing = hashing;
    this.#claims = claims;
    this.#algorithm = claims.checksum?.algorithm ?? claims.trailer ?? asked;
    this.#md5 = hashing.start('MD5');
    this.#checksum = hashing.start(this.#algorithm);
    this.#asked = this.#algorithm === asked ? undefined : hashing.start(asked);
    this.#sha256 = claims.mode.kind === 'signed' ? hashing.start('SHA256') : undefined;
    this.#chunks = claims.mode.kind === 'chunked' ? new ChunkVerifier(hashing, claims) : undefined;
  }

  /**
   * Takes received bytes. @returns the data among them
   * @throws S3Error IncompleteBody when more data comes than was declared, SignatureDoesNotMatch, …
   */
  push(bytes: Buffer): Buffer[] {
    const pieces = this.#chunks === undefined ? [bytes] : this.#chunks.push(bytes);
    for (const piece of pieces) this.#take(piece);
    return pieces;
  }

  #take(piece: Buffer): void {
    this.#sizeBytes += piece.length;
    if (this.#claims.sizeBytes !== undefined && this.#sizeBytes > this.#claims.sizeBytes) {
      throw incompleteBody(this.#sizeBytes, this.#claims.sizeBytes);
    }
    this.#md5.update(piece);
    this.#checksum.update(piece);
    this.#asked?.update(piece);
    this.#sha256?.update(piece);
  }

  /** All bytes came. @throws S3Error for every claim that does not hold */
  finish(): BodyProof {
    const { sizeBytes, mode, md5 } = this.#claims;
    const trailing = this.#chunks?.finish();
    if (sizeBytes !== undefined && this.#sizeBytes !== sizeBytes) {
      throw incompleteBody(this.#sizeBytes, sizeBytes);
    }
    if (mode.kind === 'signed') this.#requireSha256(mode.sha256);
    const actualMd5 = this.#md5.digest();
    if (md5 !== undefined && !this.#hashing.equal(md5, actualMd5.toString('base64'))) {
      throw new S3Error('BadDigest', 'The Content-MD5 you specified did not match what we received.', {
        elements: { ExpectedDigest: md5, CalculatedDigest: actualMd5.toString('base64') },
      });
    }
    const value = this.#checksum.digest().toString('base64');
    const claimed = this.#claims.checksum ?? trailing;
    if (claimed !== undefined && claimed.value !== value) {
      throw new S3Error(
        'BadDigest',
        `The ${claimed.algorithm} you specified did not match the calculated checksum.`,
      );
    }
    return {
      sizeBytes: this.#sizeBytes,
      md5: actualMd5,
      checksum: { algorithm: this.#algorithm, type: 'FULL_OBJECT', value },
      asked: this.#asked?.digest().toString('base64') ?? value,
    };
  }

  #requireSha256(expected: string): void {
    const actual = this.#sha256!.digest().toString('hex');
    if (this.#hashing.equal(actual, expected)) return;
    throw new S3Error('XAmzContentSHA256Mismatch', undefined, {
      elements: { ClientComputedContentSHA256: expected, S3ComputedContentSHA256: actual },
    });
  }
}

function incompleteBody(received: number, declared: number): S3Error {
  return new S3Error('IncompleteBody', undefined, {
    elements: { NumberBytesExpected: String(declared), NumberBytesProvided: String(received) },
  });
}

/** The `aws-chunked` layer: framing, the chain of signatures, the trailer. */
class ChunkVerifier {
  readonly #hashing: Hashing;
  readonly #decoder = new ChunkDecoder();
  readonly #chain: SigningChain | undefined;
  readonly #announced: ChecksumAlgorithm | undefined;
  /** The signature before: of the request, then of each chunk. */
  #previous: string;
  #chunk: { readonly hash: RunningHash; readonly signature: string } | undefined;
  #trailing: ClaimedChecksum | undefined;

  constructor(hashing: Hashing, claims: PayloadClaims) {
    assert(claims.mode.kind === 'chunked', 'a chunk verifier needs a chunked payload');
    this.#hashing = hashing;
    this.#chain = claims.mode.signedChunks ? claims.chain : undefined;
    assert(this.#chain !== undefined || !claims.mode.signedChunks, 'signed chunks need a signed request');
    this.#announced = claims.trailer;
    this.#previous = claims.chain?.seed ?? '';
  }

  push(bytes: Buffer): Buffer[] {
    const result = this.#decoder.push(bytes);
    if (result.kind === 'malformed') {
      throw new S3Error('IncompleteBody', `The aws-chunked body is malformed: ${result.reason}.`);
    }
    const data: Buffer[] = [];
    for (const event of result.events) this.#take(event, data);
    return data;
  }

  #take(event: ChunkEvent, data: Buffer[]): void {
    switch (event.kind) {
      case 'chunk':
        this.#beginChunk(event.signature);
        if (event.sizeBytes === 0) this.#endChunk();
        return;
      case 'data':
        this.#chunk?.hash.update(event.bytes);
        data.push(event.bytes);
        return;
      case 'chunk-end':
        this.#endChunk();
        return;
      case 'end':
        this.#takeTrailers(event.trailers);
    }
  }

  #beginChunk(signature: string | undefined): void {
    if (this.#chain === undefined) return;
    if (signature === undefined) throw chunkMismatch();
    this.#chunk = { hash: this.#hashing.start('SHA256'), signature };
  }

  #endChunk(): void {
    if (this.#chain === undefined || this.#chunk === undefined) return;
    const dataHash = this.#chunk.hash.digest().toString('hex');
    const expected = chunkSignature(this.#hashing, this.#chain, this.#previous, dataHash);
    if (!this.#hashing.equal(expected, this.#chunk.signature)) throw chunkMismatch();
    this.#previous = expected;
    this.#chunk = undefined;
  }

  #takeTrailers(received: readonly (readonly [name: string, value: string])[]): void {
    const trailers = this.#provenTrailers(received);
    const name = this.#announced === undefined ? undefined : checksumField(this.#announced);
    const [first, ...more] = trailers;
    if (more.length > 0 || first?.[0] !== name) {
      throw new S3Error('InvalidRequest', 'The trailer is not the one that x-amz-trailer announced.');
    }
    if (first !== undefined && this.#announced !== undefined) {
      this.#trailing = claimChecksum(this.#announced, first[1]);
    }
  }

  /** @returns the trailers without the signature over them */
  #provenTrailers(
    received: readonly (readonly [name: string, value: string])[],
  ): readonly (readonly [name: string, value: string])[] {
    const signature = received.find(([name]) => name === TRAILER_SIGNATURE);
    const trailers = received.filter((trailer) => trailer !== signature);
    if (this.#chain === undefined) {
      if (signature !== undefined) throw new S3Error('InvalidRequest', 'The trailer must not be signed.');
      return trailers;
    }
    if (trailers.length === 0 && signature === undefined) return trailers;
    const expected = trailerSignature(this.#hashing, this.#chain, this.#previous, trailers);
    if (signature === undefined || !this.#hashing.equal(expected, signature[1])) {
      throw new S3Error('SignatureDoesNotMatch', 'The trailer signature does not match.');
    }
    return trailers;
  }

  finish(): ClaimedChecksum | undefined {
    if (!this.#decoder.done) {
      throw new S3Error('IncompleteBody', 'The aws-chunked body ended before its last chunk.');
    }
    return this.#trailing;
  }
}

function chunkMismatch(): S3Error {
  return new S3Error('SignatureDoesNotMatch', 'The chunk signature does not match.');
}
