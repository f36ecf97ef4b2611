/** Signing, for our own client: the header form, and presigned URLs. */
import { formatAmzDate } from '../dates.ts';
import { collectFields } from '../fields.ts';
import type { Hashing } from '../hashing.ts';
import { UNSIGNED_PAYLOAD } from '../payload-mode.ts';
import { Query } from '../query.ts';
import { encodePath, encodeUri } from '../uri-encoding.ts';
import { ALGORITHM, canonicalRequest, formatScope, SERVICE, signature, stringToSign } from './signing.ts';
import type { SigningKeys } from './signing-keys.ts';

export interface SigningCredentials {
  readonly accessKeyId: string;
  readonly keys: SigningKeys;
  readonly region: string;
}

export interface RequestToSign {
  readonly method: string;
  /** Name and port as the Host field will have them. */
  readonly host: string;
  /** Decoded. */
  readonly path: string;
  readonly query: Query;
  /** All are signed; without Host, x-amz-date, x-amz-content-sha256 and Authorization. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Lower-case hexadecimal SHA-256 of the body, or UNSIGNED-PAYLOAD. */
  readonly payloadHash: string;
}

/** @returns the fields to send, `headers` and Host among them */
export function signRequest(
  hashing: Hashing,
  credentials: SigningCredentials,
  request: RequestToSign,
  nowMs: number,
): [name: string, value: string][] {
  const amzDate = formatAmzDate(nowMs);
  const headers: [string, string][] = [
    ['host', request.host],
    ...request.headers.map(([name, value]): [string, string] => [name.toLowerCase(), value]),
    ['x-amz-content-sha256', request.payloadHash],
    ['x-amz-date', amzDate],
  ];
  const fields = collectFields(headers);
  const signedNames = [...fields.keys()].sort();
  const scope = { date: amzDate.slice(0, 8), region: credentials.region, service: SERVICE };
  const canonical = canonicalRequest({ ...request, fields, signedNames });
  const key = credentials.keys.keyOf(scope);
  const signed = signature(hashing, key, stringToSign(hashing, amzDate, scope, canonical));
  headers.push([
    'authorization',
    `${ALGORITHM} Credential=${credentials.accessKeyId}/${formatScope(scope)}, ` +
      `SignedHeaders=${signedNames.join(';')}, Signature=${signed}`,
  ]);
  return headers;
}

/** @returns path and query of a URL that does `request` for `expiresSeconds` (1 to 604,800) from `nowMs` */
export function presignTarget(
  hashing: Hashing,
  credentials: SigningCredentials,
  request: Pick<RequestToSign, 'method' | 'host' | 'path' | 'query'>,
  nowMs: number,
  expiresSeconds: number,
): string {
  const amzDate = formatAmzDate(nowMs);
  const scope = { date: amzDate.slice(0, 8), region: credentials.region, service: SERVICE };
  const query = new Query(
    new Map([
      ...request.query,
      ['X-Amz-Algorithm', ALGORITHM],
      ['X-Amz-Credential', `${credentials.accessKeyId}/${formatScope(scope)}`],
      ['X-Amz-Date', amzDate],
      ['X-Amz-Expires', String(expiresSeconds)],
      ['X-Amz-SignedHeaders', 'host'],
    ]),
  );
  const canonical = canonicalRequest({
    ...request,
    query,
    fields: new Map([['host', request.host]]),
    signedNames: ['host'],
    payloadHash: UNSIGNED_PAYLOAD,
  });
  const key = credentials.keys.keyOf(scope);
  const signed = signature(hashing, key, stringToSign(hashing, amzDate, scope, canonical));
  return `${encodePath(request.path)}?${query.canonical()}&${encodeUri('X-Amz-Signature')}=${signed}`;
}
