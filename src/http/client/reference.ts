/**
 * A URI reference against its base, without changing what it holds: an absolute reference stays byte for byte as it
 * is, so that signatures over paths survive a redirection.
 *
 *   https://host/path?query#fragment      absolute            RFC 3986 section 4.3
 *   //host/path                           same scheme         section 4.2
 *   /path   path   ../path   ?query   #fragment               section 5.2
 */

/** @param base an absolute http or https URL @returns an absolute URL, as far as the reference is a good one */
export function resolveReference(base: string, reference: string): string {
  if (hasScheme(reference)) return reference;
  const authorityAt = base.indexOf('//');
  const scheme = base.slice(0, authorityAt);
  if (reference.startsWith('//')) return scheme + reference;
  const pathAt = firstOf(base, '/?#', authorityAt + 2);
  const origin = base.slice(0, pathAt);
  const queryAt = firstOf(base, '?#', pathAt);
  const fragmentAt = firstOf(base, '#', queryAt);
  if (reference === '' || reference[0] === '#') return base.slice(0, fragmentAt) + reference;
  if (reference[0] === '?') return base.slice(0, queryAt) + reference;
  const pathEnd = firstOf(reference, '?#', 0);
  const path = reference.slice(0, pathEnd);
  const directory = base.slice(pathAt, base.lastIndexOf('/', queryAt - 1) + 1);
  const merged = path.startsWith('/') ? path : `${queryAt > pathAt ? directory : '/'}${path}`;
  return origin + removeDotSegments(merged) + reference.slice(pathEnd);
}

/** scheme ":" RFC 3986 section 3.1; what it may be is for others to say. */
function hasScheme(reference: string): boolean {
  const end = firstOf(reference, ':/?#', 0);
  return end > 0 && reference[end] === ':';
}

/** RFC 3986 section 5.2.4; `path` begins with a slash. */
function removeDotSegments(path: string): string {
  const kept: string[] = [];
  const segments = path.slice(1).split('/');
  for (const [at, segment] of segments.entries()) {
    const isLast = at === segments.length - 1;
    if (segment === '..') kept.pop();
    else if (segment !== '.') kept.push(segment);
    // A dot at the end leaves the directory, with its slash.
    if (isLast && (segment === '.' || segment === '..')) kept.push('');
  }
  return `/${kept.join('/')}`;
}

function firstOf(text: string, wanted: string, from: number): number {
  let at = from;
  while (at < text.length && !wanted.includes(text[at]!)) at++;
  return at;
}
