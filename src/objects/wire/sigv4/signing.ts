/**
 * Signature Version 4, the part that client and server share.
 *
 *   canonical request ──sha256──▶ string to sign ──hmac──▶ signature
 *                                                    ▲
 *   secret ─hmac date─ hmac region─ hmac service─ hmac "aws4_request" = signing key
 *
 * Source: "Create a signed AWS API request" and "Authenticating Requests (AWS Signature Version 4)",
 * Amazon S3 API Reference.
 */
import type { Fields } from '../fields.ts';
import type { Hashing } from '../hashing.ts';
import type { Query } from '../query.ts';
import { encodePath } from '../uri-encoding.ts';

export const ALGORITHM = 'AWS4-HMAC-SHA256';
export const SERVICE = 's3';
export const TERMINATOR = 'aws4_request';

/** What a signing key is bound to: `20130524/us-east-1/s3/aws4_request`. */
export interface Scope {
  /** YYYYMMDD */
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

export function formatScope(scope: Scope): string {
  return `${scope.date}/${scope.region}/${scope.service}/${TERMINATOR}`;
}

export interface CanonicalInput {
  readonly method: string;
  /** Decoded; each of its bytes is encoded once here, whatever spelling the request had. */
  readonly path: string;
  readonly query: Query;
  readonly fields: Fields;
  /** Lower-case names, in ascending order. */
  readonly signedNames: readonly string[];
  /** The value of x-amz-content-sha256. */
  readonly payloadHash: string;
}

/** The canonical request; every character of it is one byte (latin1). X-Amz-Signature is left out. */
export function canonicalRequest(input: CanonicalInput): string {
  const fieldLines = input.signedNames.map((name) => `${name}:${trimSpaces(input.fields.get(name) ?? '')}\n`);
  return [
    input.method,
    encodePath(input.path),
    input.query.canonical('X-Amz-Signature'),
    fieldLines.join(''),
    input.signedNames.join(';'),
    input.payloadHash,
  ].join('\n');
}

/** Removes spaces and tabs at the ends and makes one space of each run of them inside. */
export function trimSpaces(value: string): string {
  let out = '';
  let gap = false;
  for (let index = 0; index < value.length; index++) {
    const char = value[index]!;
    if (char === ' ' || char === '\t') {
      gap = out !== '';
      continue;
    }
    if (gap) out += ' ';
    gap = false;
    out += char;
  }
  return out;
}

/** @param amzDate `YYYYMMDDTHHMMSSZ` */
export function stringToSign(hashing: Hashing, amzDate: string, scope: Scope, canonical: string): string {
  return `${ALGORITHM}\n${amzDate}\n${formatScope(scope)}\n${hashing.sha256Hex(canonical)}`;
}

export function signingKey(hashing: Hashing, secret: string, scope: Scope): Buffer {
  const date = hashing.hmacSha256(Buffer.from(`AWS4${secret}`, 'utf8'), scope.date);
  const region = hashing.hmacSha256(date, scope.region);
  return hashing.hmacSha256(hashing.hmacSha256(region, scope.service), TERMINATOR);
}

/** Lower-case hexadecimal. */
export function signature(hashing: Hashing, key: Uint8Array, toSign: string): string {
  return hashing.hmacSha256(key, toSign).toString('hex');
}
