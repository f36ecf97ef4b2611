/** Parameters and encodings that the listings share. */
import { S3Error } from '../errors.ts';
import type { Query } from './query.ts';
import { decodeUtf8, encodePath } from './uri-encoding.ts';

/** A whole number of the query, or of the fields, at most `maximum`. @throws S3Error InvalidArgument */
export function readCount(
  query: { get(name: string): string | undefined },
  name: string,
  maximum: number,
  otherwise: number = maximum,
): number {
  const text = query.get(name);
  if (text === undefined || text === '') return otherwise;
  const digits = [...text].every((char) => char >= '0' && char <= '9');
  if (!digits || text.length > 10 || Number(text) > 0x7fffffff) {
    throw new S3Error('InvalidArgument', `Provided ${name} not an integer or within integer range`, {
      elements: { ArgumentName: name, ArgumentValue: text },
    });
  }
  return Math.min(Number(text), maximum);
}

/** @returns true for `encoding-type=url`. @throws S3Error InvalidArgument for another one */
export function readEncodingType(query: Query): boolean {
  const text = query.get('encoding-type');
  if (text === undefined || text === 'url') return text !== undefined;
  throw new S3Error('InvalidArgument', 'Invalid Encoding Method specified in Request', {
    elements: { ArgumentName: 'encoding-type', ArgumentValue: text },
  });
}

/** An empty parameter counts as absent. */
export function readText(query: Query, name: string): string | undefined {
  return query.get(name) || undefined;
}

/** A key or prefix as the document has it. */
export function listedName(name: string, urlEncoded: boolean): string {
  return urlEncoded ? encodePath(name) : name;
}

/** Where the next page begins: after a key, or after everything with a common prefix. */
export interface Position {
  readonly kind: 'key' | 'prefix';
  readonly name: string;
}

const TOKEN_VERSION = '1';

/** Continuation tokens hold a position and nothing that a client may not see or choose. */
export function encodeToken(position: Position): string {
  return Buffer.from(TOKEN_VERSION + position.kind[0] + position.name, 'utf8').toString('base64url');
}

/** @throws S3Error InvalidArgument for a token that we did not make */
export function decodeToken(token: string): Position {
  const bytes = Buffer.from(token, 'base64url');
  const text = bytes.toString('base64url') === token ? decodeUtf8(bytes) : undefined;
  if (text?.startsWith(`${TOKEN_VERSION}k`)) return { kind: 'key', name: text.slice(2) };
  if (text?.startsWith(`${TOKEN_VERSION}p`)) return { kind: 'prefix', name: text.slice(2) };
  throw new S3Error('InvalidArgument', 'The continuation token provided is incorrect', {
    elements: { ArgumentName: 'continuation-token' },
  });
}
