/**
 * User and password in a field. RFC 7617.
 *
 *   Authorization: Basic dXNlcjpwYTpzcw==             base64 of `user:pa:ss`, in UTF-8
 *   WWW-Authenticate: Basic realm="files", charset="UTF-8"
 *
 * A user has no colon, a password may. What departs from the format is no credentials: a decoder that skips over
 * what it does not know would let two spellings stand for one.
 */
import { isUtf8 } from 'node:buffer';
import type { HeaderFields } from '../types.ts';
import { equalsIgnoreCase } from '../wire/grammar.ts';

export interface BasicCredentials {
  readonly user: string;
  readonly password: string;
}

/** Undefined when there are none, several, or such as cannot be read. */
export function basicCredentials(headers: HeaderFields): BasicCredentials | undefined {
  const token = tokenOf(headers, 'basic');
  const text = token === undefined ? undefined : decode(token);
  const colon = text?.indexOf(':') ?? -1;
  if (text === undefined || colon < 0) return undefined;
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** The value of WWW-Authenticate. @param realm plain text of ours, without quotes and backslashes */
export function basicChallenge(realm: string): string {
  return `Basic realm="${realm}", charset="UTF-8"`;
}

/** Section 2: no control characters, in either of the two. */
function decode(token: string): string | undefined {
  const bytes = Buffer.from(token, 'base64');
  // Node skips over what is no base64; what it made of that would not come out the same.
  if (withoutPadding(bytes.toString('base64')) !== withoutPadding(token) || !isUtf8(bytes)) return undefined;
  for (const byte of bytes) if (byte < 0x20 || byte === 0x7f) return undefined;
  return bytes.toString('utf8');
}

function withoutPadding(base64: string): string {
  const end = base64.indexOf('=');
  return end < 0 ? base64 : base64.slice(0, end);
}

/**
 * What Authorization carries of this scheme, `scheme 1*SP token68` (RFC 9110 section 11.4); undefined when it is another
 * scheme, or the field is absent, malformed or there twice.
 */
function tokenOf(headers: HeaderFields, scheme: string): string | undefined {
  const fields = headers.getAll('authorization');
  const field = fields[0];
  if (fields.length !== 1 || field === undefined) return undefined;
  const space = field.indexOf(' ');
  if (space < 0 || !equalsIgnoreCase(field.slice(0, space), scheme)) return undefined;
  let from = space;
  while (field[from] === ' ') from++;
  const token = field.slice(from);
  return isToken68(token) ? token : undefined;
}

const TOKEN68 = new Set('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/');

function isToken68(text: string): boolean {
  let end = text.length;
  while (end > 0 && text[end - 1] === '=') end--;
  for (let at = 0; at < end; at++) if (!TOKEN68.has(text[at]!)) return false;
  return end > 0;
}
