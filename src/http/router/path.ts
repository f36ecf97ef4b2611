/**
 * The path of a request, percent-decoded once for matching. RFC 3986 sections 2.1 and 3.3.
 *
 *   as received    /a/x%2Fy/caf%C3%A9
 *   decoded        /a/x␀y/café            ␀ stands for an escaped slash, which never separates
 *
 * NUL can stand for it because no path may hold one: `%00` is refused, and a raw one never gets past the request
 * line. Nothing is normalised: no segment is removed or merged. What another program might resolve is refused.
 */
import { isUtf8 } from 'node:buffer';
import { hexDigit } from '../wire/grammar.ts';

/** An escaped slash in a decoded path. */
export const ESCAPED_SLASH = '\0';

const PERCENT = 0x25;
const SLASH = 0x2f;
const DOT = 0x2e;

/** Percent-decodes UTF-8; undefined for broken escapes, broken or overlong UTF-8, NUL, and what is not ASCII. */
export function percentDecode(text: string): string | undefined {
  return text.includes('%') ? decode(text, SLASH) : text;
}

/** Text of a path, decoded with `ESCAPED_SLASH`, or undefined for what `percentDecode` refuses. */
export function decodeText(text: string): string | undefined {
  return text.includes('%') ? decode(text, 0) : text;
}

/** The decoded path with `ESCAPED_SLASH`, or undefined when it must be refused, also for a `.` or `..` segment. */
export function decodePath(path: string): string | undefined {
  const decoded = decodeText(path);
  return decoded === undefined || hasDotSegment(decoded) ? undefined : decoded;
}

function decode(text: string, slash: number): string | undefined {
  const bytes = Buffer.allocUnsafe(text.length);
  let size = 0;
  for (let at = 0; at < text.length; at++) {
    let code = text.charCodeAt(at);
    if (code === PERCENT) {
      code = escapedByte(text, at);
      if (code <= 0) return undefined;
      if (code === SLASH) code = slash;
      at += 2;
    } else if (code === 0 || code > 0x7f) return undefined;
    bytes[size++] = code;
  }
  const decoded = bytes.subarray(0, size);
  return isUtf8(decoded) ? decoded.toString() : undefined;
}

/** The byte of the escape at `at`, negative when it is broken. */
function escapedByte(text: string, at: number): number {
  const high = hexDigit(text.charCodeAt(at + 1));
  const low = hexDigit(text.charCodeAt(at + 2));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/** Also behind an escaped slash: `..%2Fx` as a parameter would climb in whatever it is joined to. */
function hasDotSegment(path: string): boolean {
  for (let at = path.indexOf('.'); at >= 0; at = path.indexOf('.', at + 1)) {
    if (!isBoundary(path, at - 1)) continue;
    const end = path.charCodeAt(at + 1) === DOT ? at + 2 : at + 1;
    if (isBoundary(path, end)) return true;
  }
  return false;
}

function isBoundary(path: string, at: number): boolean {
  const code = path.charCodeAt(at);
  return code === SLASH || code === 0 || Number.isNaN(code);
}

/** A piece of a decoded path as its handler gets it. */
export function withSlashes(piece: string): string {
  return piece.includes(ESCAPED_SLASH) ? piece.replaceAll(ESCAPED_SLASH, '/') : piece;
}
