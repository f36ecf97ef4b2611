/**
 * Glob patterns of KEYS, SCAN, PSUBSCRIBE and CONFIG GET.
 *
 *   ?  one byte      *  any bytes      [abc] [a-z] [^a]  one of these      \x  x itself
 *
 * Matching keeps one point to return to, the last star: time is at most pattern length times text length,
 * whatever the pattern (patterns with many stars made recursive matchers run for minutes, CVE-2022-36021).
 */

export function globMatches(pattern: string, text: string, ignoreCase = false): boolean {
  if (ignoreCase) return matches(pattern.toLowerCase(), text.toLowerCase());
  return pattern === '*' || matches(pattern, text);
}

function matches(pattern: string, text: string): boolean {
  let at = 0;
  let from = 0;
  let starAt = -1;
  let starFrom = 0;
  while (from < text.length) {
    if (pattern[at] === '*') {
      starAt = ++at;
      starFrom = from;
      continue;
    }
    const next = at < pattern.length ? matchOne(pattern, at, text.charCodeAt(from)) : -1;
    if (next >= 0) {
      at = next;
      from++;
    } else if (starAt >= 0) {
      at = starAt;
      from = ++starFrom;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at >= pattern.length;
}

/** Where the pattern goes on when its element at `at` accepts `code`, else -1. */
function matchOne(pattern: string, at: number, code: number): number {
  const char = pattern[at]!;
  if (char === '?') return at + 1;
  if (char === '[') return matchClass(pattern, at + 1, code);
  if (char === '\\' && at + 1 < pattern.length) return pattern.charCodeAt(at + 1) === code ? at + 2 : -1;
  return pattern.charCodeAt(at) === code ? at + 1 : -1;
}

/** A class that is never closed ends with the pattern. */
function matchClass(pattern: string, start: number, code: number): number {
  let at = start;
  const negated = pattern[at] === '^';
  if (negated) at++;
  let found = false;
  while (at < pattern.length && pattern[at] !== ']') {
    if (pattern[at] === '\\' && at + 1 < pattern.length) at++;
    const low = pattern.charCodeAt(at);
    if (pattern[at + 1] === '-' && at + 2 < pattern.length) {
      const high = pattern.charCodeAt(at + 2);
      if (code >= Math.min(low, high) && code <= Math.max(low, high)) found = true;
      at += 3;
    } else {
      if (code === low) found = true;
      at++;
    }
  }
  return found === negated ? -1 : Math.min(at + 1, pattern.length);
}

/** True for a pattern that can match only itself. */
export function isLiteral(pattern: string): boolean {
  return !/[*?[\]\\]/.test(pattern);
}
