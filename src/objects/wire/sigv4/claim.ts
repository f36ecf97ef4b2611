/**
 * What a request says about who signed it, in one of the two places SigV4 has for that:
 *
 *   Authorization: AWS4-HMAC-SHA256 Credential=<key id>/<scope>, SignedHeaders=<a;b>, Signature=<hex>
 *   ?X-Amz-Algorithm=…&X-Amz-Credential=…&X-Amz-Date=…&X-Amz-Expires=…&X-Amz-SignedHeaders=…&X-Amz-Signature=…
 *
 * Reading proves nothing; `authenticate.ts` does.
 */
import { S3Error } from '../../errors.ts';
import { formatAmzDate, parseAmzDate, parseHttpDate } from '../dates.ts';
import type { Fields } from '../fields.ts';
import type { Query } from '../query.ts';
import { ALGORITHM, type Scope, TERMINATOR } from './signing.ts';

export interface SignatureClaim {
  readonly place: 'header' | 'query';
  readonly accessKeyId: string;
  readonly scope: Scope;
  readonly amzDate: string;
  readonly requestTimeMs: number;
  /** Presigned URLs only. */
  readonly expiresSeconds?: number;
  /** Lower-case, ascending, without doubles, not empty. */
  readonly signedNames: readonly string[];
  readonly signature: string;
}

type MalformedCode = 'AuthorizationHeaderMalformed' | 'AuthorizationQueryParametersError';

const QUERY_NAMES = [
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Date',
  'X-Amz-Expires',
  'X-Amz-SignedHeaders',
  'X-Amz-Signature',
] as const;
const SIGNATURE_LENGTH = 64;

/**
 * @returns undefined for an anonymous request
 * @throws S3Error InvalidArgument for both places or another scheme, AuthorizationHeaderMalformed,
 *   AuthorizationQueryParametersError
 */
export function readSignatureClaim(fields: Fields, query: Query): SignatureClaim | undefined {
  const authorization = fields.get('authorization');
  const inQuery = hasQueryClaim(query);
  if (authorization !== undefined && inQuery) {
    throw new S3Error(
      'InvalidArgument',
      'Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string ' +
        'parameter or the Authorization header should be specified',
    );
  }
  if (authorization !== undefined) return readHeaderClaim(authorization, fields);
  return inQuery ? readQueryClaim(query) : undefined;
}

/** Any part of a presigned URL makes the request one, in any spelling, so that a damaged one is never anonymous. */
function hasQueryClaim(query: Query): boolean {
  const names = new Set(QUERY_NAMES.map((name) => name.toLowerCase()));
  for (const [name] of query) {
    if (names.has(name.toLowerCase())) return true;
    if (name === 'AWSAccessKeyId' || name === 'Signature') {
      throw new S3Error('InvalidRequest', `Signature Version 2 is not supported. Please use ${ALGORITHM}.`);
    }
  }
  return false;
}

function readHeaderClaim(authorization: string, fields: Fields): SignatureClaim {
  const space = authorization.indexOf(' ');
  const scheme = space < 0 ? authorization : authorization.slice(0, space);
  if (scheme === 'AWS') {
    throw new S3Error(
      'InvalidRequest',
      `The authorization mechanism you have provided is not supported. Please use ${ALGORITHM}.`,
    );
  }
  if (scheme !== ALGORITHM) throw new S3Error('InvalidArgument', 'Unsupported Authorization Type');
  const parts = readParts(authorization.slice(scheme.length));
  const time = readRequestTime(fields);
  return {
    place: 'header',
    ...readCredential(parts.Credential, 'AuthorizationHeaderMalformed'),
    ...time,
    signedNames: readSignedNames(parts.SignedHeaders, 'AuthorizationHeaderMalformed'),
    signature: readSignature(parts.Signature, 'AuthorizationHeaderMalformed'),
  };
}

interface AuthorizationParts {
  Credential: string;
  SignedHeaders: string;
  Signature: string;
}

/** `Name=value` three times, each once, with commas between. */
function readParts(text: string): AuthorizationParts {
  const found = new Map<string, string>();
  for (const piece of text.split(',')) {
    const part = piece.trim();
    const equals = part.indexOf('=');
    const name = part.slice(0, Math.max(equals, 0));
    if (equals < 0 || found.has(name)) throw new S3Error('AuthorizationHeaderMalformed');
    found.set(name, part.slice(equals + 1));
  }
  const take = (name: keyof AuthorizationParts): string => {
    const value = found.get(name);
    if (value === undefined) {
      throw new S3Error(
        'AuthorizationHeaderMalformed',
        `The authorization header is malformed; missing ${name}=.`,
      );
    }
    return value;
  };
  if (found.size > 3) throw new S3Error('AuthorizationHeaderMalformed');
  return {
    Credential: take('Credential'),
    SignedHeaders: take('SignedHeaders'),
    Signature: take('Signature'),
  };
}

function readRequestTime(fields: Fields): { amzDate: string; requestTimeMs: number } {
  const amzDate = fields.get('x-amz-date');
  const date = fields.get('date');
  const time =
    amzDate !== undefined ? parseAmzDate(amzDate) : date === undefined ? undefined : parseHttpDate(date);
  if (time === undefined) {
    throw new S3Error('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header');
  }
  return { amzDate: formatAmzDate(time), requestTimeMs: time };
}

function readQueryClaim(query: Query): SignatureClaim {
  const code = 'AuthorizationQueryParametersError';
  const take = (name: (typeof QUERY_NAMES)[number]): string => {
    const value = query.get(name);
    if (value === undefined) {
      throw new S3Error(
        code,
        `Query-string authentication version 4 requires the ${QUERY_NAMES.slice(0, -1).join(', ')} and ` +
          `${QUERY_NAMES.at(-1)} parameters.`,
      );
    }
    return value;
  };
  if (take('X-Amz-Algorithm') !== ALGORITHM) {
    throw new S3Error(code, `X-Amz-Algorithm only supports "${ALGORITHM}"`);
  }
  const requestTimeMs = parseAmzDate(take('X-Amz-Date'));
  if (requestTimeMs === undefined) {
    throw new S3Error(code, "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
  }
  return {
    place: 'query',
    ...readCredential(take('X-Amz-Credential'), code),
    amzDate: take('X-Amz-Date'),
    requestTimeMs,
    expiresSeconds: readExpires(take('X-Amz-Expires')),
    signedNames: readSignedNames(take('X-Amz-SignedHeaders'), code),
    signature: readSignature(take('X-Amz-Signature'), code),
  };
}

function readExpires(text: string): number {
  const digitsOnly = text !== '' && [...text].every((char) => char >= '0' && char <= '9');
  if (!digitsOnly || text.length > 9) {
    throw new S3Error('AuthorizationQueryParametersError', 'X-Amz-Expires should be a number');
  }
  return Number(text);
}

/** `<access key id>/<date>/<region>/<service>/aws4_request`; a key id may hold slashes. */
function readCredential(text: string, code: MalformedCode): { accessKeyId: string; scope: Scope } {
  const parts = text.split('/');
  const [date, region, service, terminator] = parts.slice(-4);
  const accessKeyId = parts.slice(0, -4).join('/');
  if (accessKeyId === '' || date === undefined || region === undefined || service === undefined) {
    throw new S3Error(
      code,
      'The Credential is malformed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
    );
  }
  if (terminator !== TERMINATOR) {
    throw new S3Error(code, `The Credential should be scoped with a valid terminator: "${TERMINATOR}".`);
  }
  return { accessKeyId, scope: { date, region, service } };
}

function readSignedNames(text: string, code: MalformedCode): string[] {
  const names = text.split(';');
  const wellFormed = names.every(
    (name, index) => name !== '' && name === name.toLowerCase() && (index === 0 || names[index - 1]! < name),
  );
  if (!wellFormed) {
    throw new S3Error(code, 'SignedHeaders must be lower-case names in ascending order with ";" between.');
  }
  return names;
}

function readSignature(text: string, code: MalformedCode): string {
  if (text.length !== SIGNATURE_LENGTH)
    throw new S3Error(code, 'The Signature is not 64 hexadecimal digits.');
  return text;
}
