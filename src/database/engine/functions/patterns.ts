/**
 * LIKE and regular expressions.
 *
 * LIKE is matched by a two-pointer walk that backs up to the last % only: at worst text × pattern steps.
 * Regular expressions are PostgreSQL's ARE, carried over to JavaScript's where both mean the same; what
 * differs is refused (2201B), and so is nesting of repeats that could take exponential time.
 */
import { DatabaseError, notSupported } from '../../errors.ts';

/** Characters of text a pattern is tried on: a bound on backtracking. */
const MAX_PATTERN_LENGTH = 10_000;

/** @throws DatabaseError 22025 when the pattern ends in the escaping character */
export function like(text: string, pattern: string, escaping = '\\'): boolean {
  const [p, literal] = compileLike(pattern, escaping);
  let t = 0;
  let i = 0;
  let star = -1;
  let mark = 0;
  while (t < text.length) {
    if (i < p.length && p[i] === '%' && !literal[i]) {
      star = i++;
      mark = t;
    } else if (i < p.length && (p[i] === text[t] || (p[i] === '_' && !literal[i]))) {
      t += p[i] === '_' && !literal[i] ? characterLength(text, t) : 1;
      i++;
    } else if (star >= 0) {
      i = star + 1;
      mark += characterLength(text, mark);
      t = mark;
    } else return false;
  }
  while (i < p.length && p[i] === '%' && !literal[i]) i++;
  return i === p.length;
}

function characterLength(text: string, at: number): number {
  return (text.charCodeAt(at) & 0xfc00) === 0xd800 ? 2 : 1;
}

function compileLike(pattern: string, escaping: string): [units: string[], literal: boolean[]] {
  const units: string[] = [];
  const literal: boolean[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const escaped = escaping !== '' && pattern[i] === escaping;
    if (escaped && ++i >= pattern.length)
      throw new DatabaseError('22025', 'LIKE pattern must not end with escaping character');
    units.push(pattern[i]!);
    literal.push(escaped);
  }
  return [units, literal];
}

/** The text before the first wildcard, for a range of an index; undefined when there is none to use. */
export function likePrefix(pattern: string): { readonly prefix: string; readonly exact: boolean } {
  const [units, literal] = compileLike(pattern, '\\');
  const end = units.findIndex((unit, i) => !literal[i] && (unit === '%' || unit === '_'));
  return { prefix: units.slice(0, end < 0 ? units.length : end).join(''), exact: end < 0 };
}

/** @throws DatabaseError 2201B */
export function compileRegex(pattern: string, flags: string): RegExp {
  const source = translateRegex(pattern);
  try {
    return new RegExp(source, `u${flags}`);
  } catch {
    throw new DatabaseError('2201B', `invalid regular expression: ${pattern}`);
  }
}

const CLASSES: Readonly<Record<string, string>> = {
  alpha: '\\p{L}',
  digit: '0-9',
  alnum: '\\p{L}0-9',
  upper: '\\p{Lu}',
  lower: '\\p{Ll}',
  space: '\\s',
  blank: ' \\t',
  punct: '!-\\/:-@\\[-`\\{-~',
  xdigit: '0-9a-fA-F',
  word: '\\p{L}0-9_',
};

function translateRegex(pattern: string): string {
  if (pattern.length > MAX_PATTERN_LENGTH)
    throw new DatabaseError('2201B', 'invalid regular expression: too long');
  if (pattern.startsWith('***')) throw notSupported('a regular expression director');
  refuseNestedRepeats(pattern);
  let out = '';
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i]!;
    if (c === '\\') {
      out += translateEscape(pattern[++i] ?? '');
    } else if (c === '[') {
      const end = bracketEnd(pattern, i);
      out += translateBracket(pattern.slice(i, end));
      i = end - 1;
    } else if (c === '{' && !/^\{\d+(,\d*)?\}/.test(pattern.slice(i))) out += '\\{';
    else if (c === '}' && !/\{\d+(,\d*)?$/.test(out)) out += '\\}';
    else if (c === ']') out += '\\]';
    else out += c;
  }
  return out;
}

function translateEscape(c: string): string {
  switch (c) {
    case 'm':
      return '(?<![\\p{L}0-9_])(?=[\\p{L}0-9_])';
    case 'M':
      return '(?<=[\\p{L}0-9_])(?![\\p{L}0-9_])';
    case 'y':
      return '\\b';
    case 'Y':
      return '\\B';
    case 'A':
      return '^';
    case 'Z':
      return '$';
    case '':
      throw new DatabaseError('2201B', 'invalid regular expression: invalid escaping \\ sequence');
    default:
      if (/[dswDSW1-9]/.test(c) || /[nrtfv]/.test(c)) return `\\${c}`;
      if (/[A-Za-z0]/.test(c))
        throw new DatabaseError('2201B', 'invalid regular expression: invalid escaping \\ sequence');
      return /[\^$\\.*+?()[\]{}|/]/.test(c) ? `\\${c}` : c;
  }
}

/** Offset after the bracket expression that begins at `start`. */
function bracketEnd(pattern: string, start: number): number {
  let i = start + 1;
  if (pattern[i] === '^') i++;
  if (pattern[i] === ']') i++;
  while (i < pattern.length && pattern[i] !== ']') {
    if (pattern.startsWith('[:', i)) i = pattern.indexOf(':]', i) + 1;
    else if (pattern[i] === '\\') i++;
    i++;
  }
  if (i >= pattern.length)
    throw new DatabaseError('2201B', 'invalid regular expression: brackets [] not balanced');
  return i + 1;
}

function translateBracket(bracket: string): string {
  const negated = bracket[1] === '^';
  const body = bracket.slice(negated ? 2 : 1, -1);
  const translated = body
    .replace(/^\]/, '\\]')
    .replace(/\[:(\w+):\]/g, (_, name: string) => {
      const found = CLASSES[name];
      if (found === undefined)
        throw new DatabaseError('2201B', 'invalid regular expression: invalid character class');
      return found;
    })
    .replace(/(?<!\\)\[/g, '\\[');
  return `[${negated ? '^' : ''}${translated}]`;
}

/** `(a+)+` can take exponential time in a backtracking matcher. */
function refuseNestedRepeats(pattern: string): void {
  const repeats: boolean[] = [false];
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i]!;
    if (c === '\\') i++;
    else if (c === '[') i = bracketEnd(pattern, i) - 1;
    else if (c === '(') repeats.push(false);
    else if (c === ')') {
      const inner = repeats.pop() ?? false;
      const repeated = '*+{'.includes(pattern[i + 1] ?? ' ');
      if (inner && repeated) throw notSupported('a repeat inside a repeat in a regular expression');
      if (repeats.length > 0 && (inner || repeated)) repeats[repeats.length - 1] = true;
    } else if ('*+{'.includes(c)) repeats[repeats.length - 1] = true;
  }
}
