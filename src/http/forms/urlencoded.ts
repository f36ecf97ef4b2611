/**
 * `application/x-www-form-urlencoded`, the format of queries and of plain forms. WHATWG URL section 5.
 *
 *   form = [ pair ] *( "&" [ pair ] )      pair = name [ "=" value ]      + is a space, %XX a byte
 *
 * The format has no errors: an empty pair is skipped, a `%` without two digits is a `%`, and bytes that are not
 * UTF-8 become U+FFFD. Only the bounds refuse. `;` separates nothing, as caches and servers that disagreed on it
 * could be poisoned (CVE-2021-23336).
 */
import { HttpError } from '../errors.ts';
import { DEFAULT_FORM_LIMITS, type FormLimits } from '../limits.ts';
import { mediaTypeOf } from '../media-type.ts';
import type { HttpRequest } from '../types.ts';
import { hexDigit } from '../wire/grammar.ts';
import { FormFields } from './form-fields.ts';
import { type FormRefusal, formError, isFormRefusal, refuseForm } from './refusal.ts';

const AMPERSAND = 0x26;
const EQUALS = 0x3d;
const PLUS = 0x2b;
const PERCENT = 0x25;
const SPACE = 0x20;

export type UrlencodedLimits = Pick<FormLimits, 'parameters' | 'urlencodedBytes'>;

/**
 * The pairs of a form's bytes, or of a query, `request.query`. WHATWG URL section 5.1.
 * @returns a refusal, 413, when there are more pairs or bytes than `limits` allow
 */
export function parseUrlencoded(
  form: Buffer | string,
  limits: UrlencodedLimits = DEFAULT_FORM_LIMITS,
): FormFields | FormRefusal {
  const bytes = typeof form === 'string' ? Buffer.from(form, 'utf8') : form;
  if (bytes.length > limits.urlencodedBytes)
    return refuseForm('form-too-large', `the form is longer than ${limits.urlencodedBytes} bytes`, 413);
  const flat: string[] = [];
  for (let from = 0; from < bytes.length; ) {
    const found = bytes.indexOf(AMPERSAND, from);
    const to = found < 0 ? bytes.length : found;
    if (to > from) {
      if (flat.length === limits.parameters * 2)
        return refuseForm(
          'too-many-parameters',
          `the form has more than ${limits.parameters} parameters`,
          413,
        );
      pushPair(bytes.subarray(from, to), flat);
    }
    from = to + 1;
  }
  return new FormFields(flat);
}

function pushPair(pair: Buffer, flat: string[]): void {
  const equals = pair.indexOf(EQUALS);
  if (equals < 0) flat.push(decode(pair), '');
  else flat.push(decode(pair.subarray(0, equals)), decode(pair.subarray(equals + 1)));
}

function decode(bytes: Buffer): string {
  if (!bytes.includes(PERCENT) && !bytes.includes(PLUS)) return bytes.toString('utf8');
  const out = Buffer.allocUnsafe(bytes.length);
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    const code = bytes[at]!;
    const escaped = code === PERCENT ? escapedByte(bytes, at) : -1;
    if (escaped >= 0) at += 2;
    out[length++] = escaped >= 0 ? escaped : code === PLUS ? SPACE : code;
  }
  return out.toString('utf8', 0, length);
}

/** The byte that `%XX` at `at` stands for, or -1 when that is no escape. */
function escapedByte(bytes: Buffer, at: number): number {
  if (at + 2 >= bytes.length) return -1;
  const high = hexDigit(bytes[at + 1]!);
  const low = hexDigit(bytes[at + 2]!);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/** What stays itself: WHATWG URL section 1.3, the application/x-www-form-urlencoded percent-encode set. */
const PLAIN = new Set('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789*-._');

/** The pairs as a form's content or a query. WHATWG URL section 5.2. */
export function formatUrlencoded(pairs: Iterable<readonly [name: string, value: string]>): string {
  const parts: string[] = [];
  for (const [name, value] of pairs) parts.push(`${encode(name)}=${encode(value)}`);
  return parts.join('&');
}

function encode(text: string): string {
  let out = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    const character = String.fromCharCode(byte);
    if (PLAIN.has(character)) out += character;
    else out += byte === SPACE ? '+' : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}

/**
 * The form that a request carries.
 * @throws HttpError 415 when it carries something else, 413 when it is over a bound
 */
export async function readUrlencoded(
  request: Pick<HttpRequest, 'headers' | 'body'>,
  limits: UrlencodedLimits = DEFAULT_FORM_LIMITS,
): Promise<FormFields> {
  const type = mediaTypeOf(request.headers);
  if (type?.essence !== 'application/x-www-form-urlencoded')
    throw new HttpError(415, 'the content must be application/x-www-form-urlencoded');
  const form = parseUrlencoded(await request.body.bytes(limits.urlencodedBytes), limits);
  if (isFormRefusal(form)) throw formError(form);
  return form;
}
