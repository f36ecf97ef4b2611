/**
 * Entity tags. RFC 9110 section 8.8.3.
 *
 *   entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE         etagc: visible ASCII without DQUOTE, and obs-text
 *
 *   "a"      strong: the same tag means the same bytes
 *   W/"a"    weak: the same tag means the same for whoever uses it
 *
 * Coded on the fly, a representation is another one and needs a tag of its own. Of the two ways we take the suffix
 * that the example of section 8.8.3.3 uses, `"a"` → `"a--gzip"`, and not the weak tag: a weak tag never matches in
 * If-Match, so that a client that reads with gzip (every browser) could not write conditionally any more. The
 * other side of it: strong promises equal bytes, and another version of zlib may code the same text differently.
 * Only pieces of two transfers put together could show that, and ranges of what is coded on the fly are not sent.
 */

const SUFFIX = '--';

/**
 * The tags of a list, one by one; it ends at the first thing that is none. Commas may stand inside the quotes.
 * RFC 9110 section 13.1.1.
 */
export function* tagsOf(list: string): Generator<string, void, void> {
  for (let at = nextElement(list, 0); at < list.length; at = nextElement(list, at)) {
    const open = list.startsWith('W/', at) ? at + 2 : at;
    const close = endOfTag(list, open);
    if (close < 0) return;
    yield list.slice(at, close);
    at = close;
  }
}

function nextElement(list: string, from: number): number {
  let at = from;
  while (at < list.length && isSeparator(list.charCodeAt(at))) at++;
  return at;
}

function isSeparator(code: number): boolean {
  return code === 0x2c || code === 0x20 || code === 0x09;
}

/** Where the tag whose quotes open at `open` has ended, or -1. */
function endOfTag(list: string, open: number): number {
  if (list[open] !== '"') return -1;
  for (let at = open + 1; at < list.length; at++) {
    const code = list.charCodeAt(at);
    if (code === 0x22) return at + 1;
    if (code <= 0x20 || code === 0x7f) return -1;
  }
  return -1;
}

export function isWeak(tag: string): boolean {
  return tag.startsWith('W/');
}

/** Strong comparison: both strong, and the same. RFC 9110 section 8.8.3.2. */
export function strongEqual(left: string, right: string): boolean {
  return left === right && !isWeak(left);
}

/** Weak comparison: the same between the quotes. */
export function weakEqual(left: string, right: string): boolean {
  return opaque(left) === opaque(right);
}

function opaque(tag: string): string {
  return isWeak(tag) ? tag.slice(2) : tag;
}

/** The tag of the same representation under a coding. A weak one stays: what it promises still holds. */
export function codedTag(tag: string, coding: string): string {
  return isWeak(tag) || !tag.endsWith('"') ? tag : `${tag.slice(0, -1)}${SUFFIX}${coding}"`;
}

/** The tag without the suffix of one of these codings; undefined when it has none. */
export function uncodedTag(tag: string, codings: readonly string[]): string | undefined {
  for (const coding of codings) {
    const end = `${SUFFIX}${coding}"`;
    if (tag.endsWith(end)) return `${tag.slice(0, -end.length)}"`;
  }
  return undefined;
}
