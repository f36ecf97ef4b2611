/**
 * The head of a response in HTTP/2: the same response that HTTP/1.1 would send, less what is about the connection.
 */
import type { HeaderList } from '../types.ts';
import { UnsendableError } from '../wire/encode-head.ts';
import { decimal, isFieldValue, isToken, trimWhitespace } from '../wire/grammar.ts';
import { isConnectionField } from './request-head.ts';

export interface OutgoingHead {
  /** Names and values in turn, `:status` first. */
  readonly flat: string[];
  /** From Content-Length, or of the content given whole. */
  readonly sizeBytes: number | undefined;
}

/**
 * @param sizeBytes of content that is given whole, undefined when it is not known
 * @param date for responses that have none of their own
 * @throws UnsendableError
 */
export function encodeResponseHead(
  status: number,
  headers: HeaderList,
  sizeBytes: number | undefined,
  date: string,
): OutgoingHead {
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new UnsendableError('the status is not 200 to 599; HTTP/2 has no switch to another protocol');
  }
  const fields = encodeFieldPairs(headers);
  const declared = declaredBytes(fields);
  if (sizeBytes !== undefined && sizeBytes > 0 && declared !== undefined && declared !== sizeBytes) {
    throw new UnsendableError('Content-Length differs from the content');
  }
  const flat = [':status', String(status)];
  if (!fields.some((name, at) => at % 2 === 0 && name === 'date')) flat.push('date', date);
  flat.push(...fields);
  if (declared === undefined && sizeBytes !== undefined && mayHaveContent(status)) {
    flat.push('content-length', String(sizeBytes));
  }
  return { flat, sizeBytes: declared ?? sizeBytes };
}

/** RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5. */
export function mayHaveContent(status: number): boolean {
  return status !== 204 && status !== 205 && status !== 304;
}

/** Names in lower case and values in turn; fields of the connection are left out. @throws UnsendableError */
export function encodeFieldPairs(headers: HeaderList): string[] {
  const flat: string[] = [];
  for (const [name, value] of headers) {
    if (!isToken(name)) throw new UnsendableError('a field name is not a token');
    if (!isFieldValue(value)) throw new UnsendableError(`the value of field ${name} is not sendable`);
    const lower = name.toLowerCase();
    if (lower === 'transfer-encoding')
      throw new UnsendableError('Transfer-Encoding is not the sender’s to set');
    if (!isConnectionField(lower)) flat.push(lower, trimWhitespace(value));
  }
  return flat;
}

function declaredBytes(fields: readonly string[]): number | undefined {
  let declared: number | undefined;
  for (let at = 0; at < fields.length; at += 2) {
    if (fields[at] !== 'content-length') continue;
    const value = decimal(fields[at + 1]!);
    if (value < 0 || declared !== undefined)
      throw new UnsendableError('Content-Length is not one plain number');
    declared = value;
  }
  return declared;
}
