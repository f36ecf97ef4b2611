/**
 * The chain of chunk signatures of STREAMING-AWS4-HMAC-SHA256-PAYLOAD: each chunk signs the signature before
 * it, beginning with that of the request, so that chunks can be neither changed, dropped, added nor reordered.
 * Source: "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks" and
 * "Including trailing headers".
 */
import type { Hashing } from '../hashing.ts';
import { formatScope, type Scope, signature } from './signing.ts';

const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** What a verified request leaves for the verification of its body. */
export interface SigningChain {
  readonly scope: Scope;
  readonly amzDate: string;
  readonly signingKey: Uint8Array;
  /** The signature of the request itself. */
  readonly seed: string;
}

/** @param dataHash lower-case hexadecimal SHA-256 of the chunk's data */
export function chunkSignature(
  hashing: Hashing,
  chain: SigningChain,
  previous: string,
  dataHash: string,
): string {
  const scope = formatScope(chain.scope);
  return signature(
    hashing,
    chain.signingKey,
    `AWS4-HMAC-SHA256-PAYLOAD\n${chain.amzDate}\n${scope}\n${previous}\n${EMPTY_SHA256}\n${dataHash}`,
  );
}

/** @param trailers in the order sent, without the signature's own line */
export function trailerSignature(
  hashing: Hashing,
  chain: SigningChain,
  previous: string,
  trailers: readonly (readonly [name: string, value: string])[],
): string {
  const canonical = trailers.map(([name, value]) => `${name}:${value}\n`).join('');
  return signature(
    hashing,
    chain.signingKey,
    `AWS4-HMAC-SHA256-TRAILER\n${chain.amzDate}\n${formatScope(chain.scope)}\n${previous}\n` +
      hashing.sha256Hex(canonical),
  );
}
