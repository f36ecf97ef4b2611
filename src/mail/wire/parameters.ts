/**
 * Parameters of MAIL and RCPT: `keyword[=value]`, separated by spaces (RFC 5321 section 4.1.2).
 * An unknown one is refused with 555, never passed over.
 */
import { type Reply, refusal } from '../errors.ts';
import { MAX_ENVID_BYTES, MAX_ORCPT_BYTES } from '../limits.ts';

export interface MailParameters {
  /** SIZE, RFC 1870: octets the client expects to send. */
  readonly sizeBytes?: number;
  /** BODY, RFC 6152. */
  readonly body?: '7BIT' | '8BITMIME';
  /** RFC 6531. */
  readonly smtputf8?: boolean;
  /** RFC 3461: what a success or failure report returns, and the sender's own id. Kept with the message. */
  readonly ret?: 'FULL' | 'HDRS';
  readonly envid?: string;
}

export interface RcptParameters {
  /** RFC 3461. Kept with the message. */
  readonly notify?: readonly string[];
  readonly orcpt?: string;
}

type Parse<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly reply: Reply };
type Setter<Value> = (
  into: { -readonly [Key in keyof Value]: Value[Key] },
  value: string | undefined,
) => boolean;

const mailSetters: Readonly<Record<string, Setter<MailParameters>>> = {
  SIZE(into, value) {
    if (value === undefined || value.length > 20 || !isDigits(value)) return false;
    into.sizeBytes = Number(value);
    return true;
  },
  BODY(into, value) {
    const body = value?.toUpperCase();
    if (body !== '7BIT' && body !== '8BITMIME') return false;
    into.body = body;
    return true;
  },
  SMTPUTF8(into, value) {
    into.smtputf8 = true;
    return value === undefined;
  },
  RET(into, value) {
    const ret = value?.toUpperCase();
    if (ret !== 'FULL' && ret !== 'HDRS') return false;
    into.ret = ret;
    return true;
  },
  ENVID(into, value) {
    const envid = value === undefined ? undefined : decodeXtext(value);
    if (envid === undefined || envid.length > MAX_ENVID_BYTES) return false;
    into.envid = envid;
    return true;
  },
  // RFC 4954 section 5: taken only from trusted peers; we trust none, which the RFC allows us to say by ignoring.
  AUTH: (_into, value) => value !== undefined,
};

const rcptSetters: Readonly<Record<string, Setter<RcptParameters>>> = {
  NOTIFY(into, value) {
    const when = value?.toUpperCase().split(',') ?? [];
    const known = when.every((one) => ['SUCCESS', 'FAILURE', 'DELAY', 'NEVER'].includes(one));
    if (when.length === 0 || !known || (when.includes('NEVER') && when.length > 1)) return false;
    into.notify = when;
    return true;
  },
  ORCPT(into, value) {
    const semicolon = value?.indexOf(';') ?? -1;
    if (value === undefined || semicolon <= 0) return false;
    const address = decodeXtext(value.slice(semicolon + 1));
    if (address === undefined || address.length > MAX_ORCPT_BYTES) return false;
    into.orcpt = `${value.slice(0, semicolon)};${address}`;
    return true;
  },
};

export function parseMailParameters(text: string): Parse<MailParameters> {
  return parse(text, mailSetters);
}

export function parseRcptParameters(text: string): Parse<RcptParameters> {
  return parse(text, rcptSetters);
}

function parse<Value extends object>(
  text: string,
  setters: Readonly<Record<string, Setter<Value>>>,
): Parse<Value> {
  const value = {} as { -readonly [Key in keyof Value]: Value[Key] };
  const seen = new Set<string>();
  for (const part of text.split(' ')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const keyword = (equals < 0 ? part : part.slice(0, equals)).toUpperCase();
    const setter = Object.hasOwn(setters, keyword) ? setters[keyword] : undefined;
    if (setter === undefined) return { ok: false, reply: refusal('parameter', keyword) };
    const accepted = !seen.has(keyword) && setter(value, equals < 0 ? undefined : part.slice(equals + 1));
    if (!accepted) return { ok: false, reply: refusal('argument', keyword) };
    seen.add(keyword);
  }
  return { ok: true, value };
}

/** `+HH` for octets outside of printable ASCII, `+` and `=`. RFC 3461 section 4. @returns undefined when malformed */
export function decodeXtext(text: string): string | undefined {
  let out = '';
  for (let at = 0; at < text.length; at++) {
    const char = text[at] as string;
    if (char !== '+') {
      if (char <= ' ' || char > '~' || char === '=') return undefined;
      out += char;
      continue;
    }
    const code = hexByte(text.slice(at + 1, at + 3));
    // A decoded line break or NUL would be an injection into whatever the value is written to next.
    if (code === undefined || code < 0x20 || code === 0x7f) return undefined;
    out += String.fromCharCode(code);
    at += 2;
  }
  return out;
}

function hexByte(digits: string): number | undefined {
  const high = '0123456789ABCDEF'.indexOf(digits[0] ?? '?');
  const low = '0123456789ABCDEF'.indexOf(digits[1] ?? '?');
  return high < 0 || low < 0 ? undefined : high * 16 + low;
}

function isDigits(text: string): boolean {
  if (text === '') return false;
  for (const char of text) if (char < '0' || char > '9') return false;
  return true;
}
