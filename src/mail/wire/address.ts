/**
 * Paths and mailboxes of RFC 5321 section 4.1.2, with the internationalised forms of RFC 6531 section 3.3.
 *
 *     <@relay.test,@other.test:local@example.com>
 *      └ source route: read and forgotten ┘└ mailbox
 *
 * The local part keeps its case (it is the receiving domain's to interpret), loses quotes it does not need,
 * and the domain is lower-cased.
 */
import { MAX_DOMAIN_BYTES, MAX_LOCAL_PART_BYTES, MAX_PATH_BYTES } from '../limits.ts';

export interface Mailbox {
  /** Unquoted. */
  readonly localPart: string;
  /** Lower case; an address literal keeps its brackets. Empty only for `<postmaster>`. */
  readonly domain: string;
}

export type PathParse =
  /** `mailbox` is undefined for the null path `<>`. */
  | {
      readonly ok: true;
      readonly mailbox: Mailbox | undefined;
      readonly rest: string;
      readonly ascii: boolean;
    }
  | { readonly ok: false; readonly reason: string };

/** The address as it is written on the wire and in headers, quoted where it must be. */
export function formatMailbox(mailbox: Mailbox): string {
  const local = isDotString(mailbox.localPart) ? mailbox.localPart : quote(mailbox.localPart);
  return mailbox.domain === '' ? local : `${local}@${mailbox.domain}`;
}

/** Reads `<path>` at the start of `text`; `rest` is what follows it, without leading spaces. */
export function parsePath(text: string): PathParse {
  if (!text.startsWith('<')) return { ok: false, reason: 'a path is written in angle brackets' };
  const end = closingBracket(text);
  if (end < 0) return { ok: false, reason: 'unclosed angle bracket' };
  const inside = text.slice(1, end);
  const after = text.slice(end + 1);
  if (after !== '' && !after.startsWith(' ')) return { ok: false, reason: 'unexpected text after the path' };
  const rest = after.trimStart();
  if (inside === '') return { ok: true, mailbox: undefined, rest, ascii: true };
  if (Buffer.byteLength(inside) > MAX_PATH_BYTES) return { ok: false, reason: 'path too long' };
  const routed = withoutRoute(inside);
  if (routed === undefined) return { ok: false, reason: 'malformed source route' };
  const mailbox = parseMailbox(routed);
  if (typeof mailbox === 'string') return { ok: false, reason: mailbox };
  return { ok: true, mailbox, rest, ascii: isAscii(inside) };
}

/** @returns the mailbox, or why `text` is none. `postmaster` may stand without a domain. */
export function parseMailbox(text: string): Mailbox | string {
  const at = separator(text);
  if (at < 0) {
    return text.toLowerCase() === 'postmaster' ? { localPart: text, domain: '' } : 'address without domain';
  }
  const localPart = parseLocalPart(text.slice(0, at));
  if (localPart === undefined) return 'malformed local part';
  if (localPart === '' || Buffer.byteLength(localPart) > MAX_LOCAL_PART_BYTES)
    return 'local part empty or too long';
  const domain = text.slice(at + 1).toLowerCase();
  if (Buffer.byteLength(domain) > MAX_DOMAIN_BYTES) return 'domain too long';
  if (!isDomain(domain) && !isLiteral(domain)) return 'malformed domain';
  return { localPart, domain };
}

/** The bracket that closes the path: not one inside a quoted local part. */
function closingBracket(text: string): number {
  let quoted = false;
  for (let at = 1; at < text.length; at++) {
    const char = text[at];
    if (quoted && char === '\\') at++;
    else if (char === '"') quoted = !quoted;
    else if (!quoted && char === '>') return at;
    else if (!quoted && char === '<') return -1;
  }
  return -1;
}

/** RFC 5321 appendix C: a source route must be accepted and should be ignored. */
function withoutRoute(path: string): string | undefined {
  if (!path.startsWith('@')) return path;
  const colon = path.indexOf(':');
  if (colon < 0) return undefined;
  const hops = path.slice(0, colon).split(',');
  return hops.every((hop) => hop.startsWith('@') && isDomain(hop.slice(1).toLowerCase()))
    ? path.slice(colon + 1)
    : undefined;
}

/** Where the domain begins: the last @ outside of quotes and brackets. */
function separator(text: string): number {
  let quoted = false;
  let found = -1;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (quoted && char === '\\') at++;
    else if (char === '"') quoted = !quoted;
    else if (!quoted && char === '@') {
      // An unquoted local part holds no @, so a second one makes the address ambiguous.
      if (found >= 0) return -1;
      found = at;
    }
  }
  return quoted ? -1 : found;
}

function parseLocalPart(text: string): string | undefined {
  if (!text.startsWith('"')) return isDotString(text) ? text : undefined;
  if (text.length < 2 || !text.endsWith('"')) return undefined;
  let out = '';
  for (let at = 1; at < text.length - 1; at++) {
    let char = text[at] as string;
    if (char === '\\') {
      at++;
      if (at >= text.length - 1) return undefined;
      char = text[at] as string;
    } else if (char === '"') return undefined;
    if (char < ' ' || char === '\x7f') return undefined;
    out += char;
  }
  return out;
}

const ATEXT_SPECIALS = "!#$%&'*+-/=?^_`{|}~";

/** Atoms joined by single dots. */
function isDotString(text: string): boolean {
  return text.split('.').every((atom) => atom !== '' && [...atom].every(isAtext));
}

function isAtext(char: string): boolean {
  return isLetterOrDigit(char) || ATEXT_SPECIALS.includes(char) || char > '\x7f';
}

function isLetterOrDigit(char: string): boolean {
  return (char >= 'a' && char <= 'z') || (char >= 'A' && char <= 'Z') || (char >= '0' && char <= '9');
}

/** Labels of letters, digits, inner hyphens, and underscores, which real host names have. */
export function isDomain(text: string): boolean {
  if (text === '') return false;
  return text.split('.').every((label) => {
    if (label === '' || label.length > 63 || label.startsWith('-') || label.endsWith('-')) return false;
    return [...label].every((char) => isLetterOrDigit(char) || char === '-' || char === '_' || char > '\x7f');
  });
}

/** [192.0.2.1], [IPv6:2001:db8::1]. RFC 5321 section 4.1.3. */
function isLiteral(text: string): boolean {
  if (!text.startsWith('[') || !text.endsWith(']') || text.length < 4) return false;
  return [...text.slice(1, -1)].every(
    (char) => isLetterOrDigit(char) || char === '.' || char === ':' || char === '-',
  );
}

export function isAscii(text: string): boolean {
  for (const char of text) if (char > '\x7f') return false;
  return true;
}

function quote(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
