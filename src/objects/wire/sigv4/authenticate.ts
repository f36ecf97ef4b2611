/**
 * The one gate. Nothing behind it sees a request that did not come through it, and it has two exits only:
 * an identity, or a thrown refusal.
 *
 *   claim read ─▶ scope is ours ─▶ time is now ─▶ every field that counts is signed ─▶ signature equal
 *
 * The order is S3's; whatever is refused, an unknown key id costs no less work than a wrong secret.
 */
import { S3Error } from '../../errors.ts';
import { PROTOCOL_LIMITS } from '../../limits.ts';
import { formatIsoDate } from '../dates.ts';
import type { Fields } from '../fields.ts';
import type { Hashing } from '../hashing.ts';
import { type PayloadMode, parsePayloadMode, UNSIGNED_PAYLOAD } from '../payload-mode.ts';
import type { Query } from '../query.ts';
import type { SigningChain } from './chunk-signatures.ts';
import { readSignatureClaim, type SignatureClaim } from './claim.ts';
import { canonicalRequest, SERVICE, signature, signingKey, stringToSign } from './signing.ts';
import type { SigningKeys } from './signing-keys.ts';

export interface UnprovenRequest {
  readonly method: string;
  /** Decoded, as sent: with virtual-host style it does not hold the bucket. */
  readonly path: string;
  readonly query: Query;
  readonly fields: Fields;
}

export interface Authority {
  readonly hashing: Hashing;
  readonly region: string;
  /** The signing keys of an access key id, if there is such an id. */
  keysOf(accessKeyId: string): SigningKeys | undefined;
}

export type Identity =
  | { readonly kind: 'anonymous'; readonly payload: PayloadMode }
  | {
      readonly kind: 'key';
      readonly accessKeyId: string;
      readonly presigned: boolean;
      readonly payload: PayloadMode;
      readonly chain: SigningChain;
    };

/** Stands for the secret of a key id that does not exist, so that the refusal takes no less work. */
const NO_SECRET = 'no such access key';

/** @throws S3Error, whatever is wrong with the request's identity */
export function authenticate(request: UnprovenRequest, authority: Authority, nowMs: number): Identity {
  const claim = readSignatureClaim(request.fields, request.query);
  if (claim === undefined) return anonymous(request);
  requireScope(claim, authority.region);
  requireTime(claim, nowMs);
  requireSigned(claim, request.fields);
  refuseSessionToken(request);
  const payloadHash = readPayloadHash(claim, request);
  const payload = parsePayloadMode(payloadHash);
  if (claim.place === 'query' && payload.kind === 'chunked') {
    throw new S3Error('InvalidArgument', 'A presigned URL cannot carry a chunked payload.');
  }
  return {
    kind: 'key',
    accessKeyId: claim.accessKeyId,
    presigned: claim.place === 'query',
    payload,
    chain: proveSignature(claim, request, authority, payloadHash),
  };
}

/** A streaming mode needs a signature to begin from; a plain hash may still be checked. */
function anonymous(request: UnprovenRequest): Identity {
  const text = request.fields.get('x-amz-content-sha256');
  const payload: PayloadMode = text === undefined ? { kind: 'unsigned' } : parsePayloadMode(text);
  if (payload.kind === 'chunked' && payload.signedChunks) throw new S3Error('AccessDenied');
  return { kind: 'anonymous', payload };
}

function malformedCode(
  claim: SignatureClaim,
): 'AuthorizationHeaderMalformed' | 'AuthorizationQueryParametersError' {
  return claim.place === 'header' ? 'AuthorizationHeaderMalformed' : 'AuthorizationQueryParametersError';
}

function requireScope(claim: SignatureClaim, region: string): void {
  const { scope } = claim;
  if (scope.date !== claim.amzDate.slice(0, 8)) {
    throw new S3Error(
      malformedCode(claim),
      `The Credential's date "${scope.date}" is not the date of the request, "${claim.amzDate.slice(0, 8)}".`,
    );
  }
  if (scope.region !== region) {
    throw new S3Error(
      malformedCode(claim),
      `The authorization is malformed; the region '${scope.region}' is wrong; expecting '${region}'`,
      { elements: { Region: region } },
    );
  }
  if (scope.service !== SERVICE) {
    throw new S3Error(
      malformedCode(claim),
      `The authorization is malformed; incorrect service "${scope.service}". This endpoint belongs to "s3".`,
    );
  }
}

function requireTime(claim: SignatureClaim, nowMs: number): void {
  const server = { ServerTime: formatIsoDate(nowMs) };
  if (claim.expiresSeconds === undefined) {
    if (Math.abs(nowMs - claim.requestTimeMs) <= PROTOCOL_LIMITS.clockSkewMs) return;
    throw new S3Error('RequestTimeTooSkewed', undefined, {
      elements: {
        RequestTime: claim.amzDate,
        ...server,
        MaxAllowedSkewMilliseconds: String(PROTOCOL_LIMITS.clockSkewMs),
      },
    });
  }
  if (claim.expiresSeconds < 1 || claim.expiresSeconds > PROTOCOL_LIMITS.presignSeconds) {
    throw new S3Error(
      'AuthorizationQueryParametersError',
      `X-Amz-Expires must be between 1 and ${PROTOCOL_LIMITS.presignSeconds} seconds.`,
    );
  }
  if (claim.requestTimeMs - nowMs > PROTOCOL_LIMITS.clockSkewMs) {
    throw new S3Error('AccessDenied', 'Request is not valid yet', { elements: server });
  }
  const expiryMs = claim.requestTimeMs + claim.expiresSeconds * 1000;
  if (nowMs > expiryMs) {
    throw new S3Error('AccessDenied', 'Request has expired', {
      elements: {
        'X-Amz-Expires': String(claim.expiresSeconds),
        Expires: formatIsoDate(expiryMs),
        ...server,
      },
    });
  }
}

/**
 * A field that may change what the request does must be under the signature; else somebody who holds a
 * presigned PUT could add `x-amz-copy-source` to it and read any object.
 */
function requireSigned(claim: SignatureClaim, fields: Fields): void {
  const signed = new Set(claim.signedNames);
  const unsigned: string[] = [];
  for (const name of fields.keys()) {
    const counts = name.startsWith('x-amz-') || name === 'content-md5' || name === 'host';
    if (counts && !signed.has(name)) unsigned.push(name);
  }
  if (unsigned.length > 0 || !signed.has('host')) {
    throw new S3Error('AccessDenied', 'There were headers present in the request which were not signed', {
      elements: { HeadersNotSigned: unsigned.join(', ') || 'host' },
    });
  }
}

function refuseSessionToken(request: UnprovenRequest): void {
  if (request.fields.has('x-amz-security-token') || request.query.has('X-Amz-Security-Token')) {
    throw new S3Error('InvalidToken', 'Session tokens are not supported by this server.');
  }
}

function readPayloadHash(claim: SignatureClaim, request: UnprovenRequest): string {
  const field = request.fields.get('x-amz-content-sha256');
  if (claim.place === 'query') {
    return request.query.get('X-Amz-Content-Sha256') ?? field ?? UNSIGNED_PAYLOAD;
  }
  if (field === undefined) {
    throw new S3Error('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256');
  }
  return field;
}

function proveSignature(
  claim: SignatureClaim,
  request: UnprovenRequest,
  authority: Authority,
  payloadHash: string,
): SigningChain {
  const { hashing } = authority;
  const canonical = canonicalRequest({ ...request, signedNames: claim.signedNames, payloadHash });
  const toSign = stringToSign(hashing, claim.amzDate, claim.scope, canonical);
  const keys = authority.keysOf(claim.accessKeyId);
  const key = keys?.keyOf(claim.scope) ?? signingKey(hashing, NO_SECRET, claim.scope);
  const matches = hashing.equal(signature(hashing, key, toSign), claim.signature);
  if (keys === undefined) {
    throw new S3Error('InvalidAccessKeyId', undefined, { elements: { AWSAccessKeyId: claim.accessKeyId } });
  }
  if (!matches) throw signatureDoesNotMatch(claim, request.fields, canonical, toSign);
  return { scope: claim.scope, amzDate: claim.amzDate, signingKey: key, seed: claim.signature };
}

/** Tells what was hashed here, which holds no secret, so that a developer can lay it beside the client's. */
function signatureDoesNotMatch(
  claim: SignatureClaim,
  fields: Fields,
  canonical: string,
  toSign: string,
): S3Error {
  const absent = claim.signedNames.filter((name) => !fields.has(name));
  const message =
    absent.length === 0 ? undefined : `Signed headers are missing from the request: ${absent.join(', ')}.`;
  return new S3Error('SignatureDoesNotMatch', message, {
    elements: {
      AWSAccessKeyId: claim.accessKeyId,
      StringToSign: toSign,
      SignatureProvided: claim.signature,
      CanonicalRequest: canonical,
    },
  });
}
