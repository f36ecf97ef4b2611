/**
 * The path of a request as the name of a file below a folder, or a refusal. RFC 3986 section 3.3, and the attacks
 * that every file server has met.
 *
 *   /assets/fonts/a%20b.woff2     prefix /assets/   →  fonts/a b.woff2
 *   /assets/fonts/                                  →  the folder fonts
 *
 * Split first and decoded after that, once: an escape never becomes a separator, and `%252e` stays the name `%2e`.
 * A segment is refused when it is empty, `.` or `..`, or has a slash, a backslash, a control character or anything
 * that only Windows gives a meaning: `:` (drives and streams), wildcards and quotes, a dot or blank at the end, the
 * names of devices, the short alias `NAME~1`. It is refused on every system, so that a site behaves alike on all.
 */
import { CONTENT_LIMITS } from '../limits.ts';
import { percentDecode } from '../router/index.ts';

export type FilePath =
  | { readonly kind: 'file' | 'folder'; readonly segments: readonly string[] }
  /** 400 for what is no path, 404 for what no file here is called. */
  | { readonly kind: 'refused'; readonly status: 400 | 404 };

/** @param rest the path behind the prefix, as received: undecoded, without query, without a slash at its start */
export function readFilePath(rest: string, dotFiles: boolean): FilePath {
  const parts = rest.split('/');
  const last = parts.pop()!;
  const kind = last === '' ? 'folder' : 'file';
  if (kind === 'file') parts.push(last);
  const segments: string[] = [];
  for (const part of parts) {
    const segment = percentDecode(part);
    if (segment === undefined || segment === '.' || segment === '..') return { kind: 'refused', status: 400 };
    if (!isName(segment) || (segment.startsWith('.') && !dotFiles)) return { kind: 'refused', status: 404 };
    segments.push(segment);
  }
  return { kind, segments };
}

/** The same path as it is written in a Location: every segment escaped, so that nothing in it is a separator. */
export function writeFilePath(segments: readonly string[]): string {
  return segments.map(encodeURIComponent).join('/');
}

/** What no name may have on Windows; the slash nowhere. */
const FORBIDDEN = new Set('/\\:*?"<>|');
const DEVICES: ReadonlySet<string> = new Set(['con', 'prn', 'aux', 'nul', 'conin$', 'conout$']);
const NUMBERED_DEVICES: ReadonlySet<string> = new Set(['com', 'lpt']);

function isName(segment: string): boolean {
  if (segment === '' || Buffer.byteLength(segment) > CONTENT_LIMITS.pathSegmentBytes) return false;
  for (const character of segment) {
    if (character < ' ' || character === '\x7f' || FORBIDDEN.has(character)) return false;
  }
  return !segment.endsWith('.') && !segment.endsWith(' ') && !isDevice(segment) && !isShortAlias(segment);
}

/** With any extension, and with a superscript digit: `aux.txt`, `COM1`, `lpt³.log`. */
function isDevice(segment: string): boolean {
  const stem = (segment.split('.', 1)[0] as string).trimEnd().toLowerCase();
  if (DEVICES.has(stem)) return true;
  return stem.length === 4 && NUMBERED_DEVICES.has(stem.slice(0, 3)) && '0123456789¹²³'.includes(stem[3]!);
}

/** `GIT~1` is what Windows may call `.git`. */
function isShortAlias(segment: string): boolean {
  const at = segment.indexOf('~');
  const digit = segment.charCodeAt(at + 1);
  return at >= 0 && digit >= 0x30 && digit <= 0x39;
}
