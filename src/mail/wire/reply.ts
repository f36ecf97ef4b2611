/**
 * Replies of RFC 5321 section 4.2, with the enhanced status codes of RFC 2034 at the start of each line:
 *
 *     250-2.1.0 first line CRLF        a hyphen: more follow
 *     250 2.1.0 last line CRLF         a space: the last
 */
import type { Reply } from '../errors.ts';

/** A reply's text may quote what a peer sent; line breaks and control characters in it must not become ours. */
function printable(text: string): string {
  let out = '';
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    out += code < 0x20 || code === 0x7f ? '?' : char;
  }
  return out;
}

export function encodeReply(reply: Reply): string {
  const prefix = reply.enhanced === undefined ? '' : `${reply.enhanced} `;
  const last = reply.lines.length - 1;
  return reply.lines
    .map((line, index) => `${reply.code}${index === last ? ' ' : '-'}${prefix}${printable(line)}\r\n`)
    .join('');
}

export type ReplyDecode =
  | { readonly kind: 'reply'; readonly reply: Reply; readonly consumed: number }
  | { readonly kind: 'need-more' }
  | { readonly kind: 'malformed'; readonly reason: string };

const LF = 0x0a;
const CR = 0x0d;

/**
 * Reads one reply, for the client. All lines must carry the same code; the fourth octet alone says whether
 * more follow.
 * @param maxBytes more than this without an end is malformed
 */
export function decodeReply(bytes: Buffer, maxBytes: number): ReplyDecode {
  const lines: string[] = [];
  let code: number | undefined;
  let at = 0;
  for (;;) {
    const end = bytes.indexOf(LF, at);
    if (end < 0) {
      return bytes.length > maxBytes
        ? { kind: 'malformed', reason: 'reply too long' }
        : { kind: 'need-more' };
    }
    if (end > maxBytes) return { kind: 'malformed', reason: 'reply too long' };
    const line = bytes.toString('utf8', at, end > at && bytes[end - 1] === CR ? end - 1 : end);
    const lineCode = Number(line.slice(0, 3));
    const separator = line[3] ?? ' ';
    const valid =
      Number.isInteger(lineCode) && lineCode >= 200 && lineCode <= 599 && ' -'.includes(separator);
    if (!valid) return { kind: 'malformed', reason: `not a reply: ${line.slice(0, 80)}` };
    if (code !== undefined && code !== lineCode) {
      return { kind: 'malformed', reason: `reply mixes ${code} and ${lineCode}` };
    }
    code = lineCode;
    lines.push(line.slice(4));
    at = end + 1;
    if (separator === ' ') return { kind: 'reply', reply: withEnhanced(code, lines), consumed: at };
  }
}

function withEnhanced(code: number, lines: string[]): Reply {
  const first = lines[0] ?? '';
  const space = first.indexOf(' ');
  const enhanced = space < 0 ? first : first.slice(0, space);
  if (!isEnhanced(enhanced)) return { code, lines };
  const stripped = lines.map((line) => (line.startsWith(enhanced) ? line.slice(enhanced.length + 1) : line));
  return { code, enhanced, lines: stripped };
}

/** class "." subject "." detail, RFC 3463 section 2. */
function isEnhanced(text: string): boolean {
  const parts = text.split('.');
  if (parts.length !== 3 || !['2', '4', '5'].includes(parts[0] ?? '')) return false;
  return parts.slice(1).every((part) => part.length >= 1 && part.length <= 3 && isDigits(part));
}

function isDigits(text: string): boolean {
  for (const char of text) if (char < '0' || char > '9') return false;
  return true;
}
