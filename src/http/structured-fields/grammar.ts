/** The character classes of RFC 9651, on top of those of RFC 9110. */
import { TOKEN } from '../wire/grammar.ts';

export function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

export function isLowercase(code: number): boolean {
  return code >= 0x61 && code <= 0x7a;
}

function isLetter(code: number): boolean {
  return isLowercase(code | 0x20);
}

/** lcalpha or `*`. Section 3.1.2. */
export function beginsKey(code: number): boolean {
  return isLowercase(code) || code === 0x2a;
}

/** lcalpha, DIGIT, `_`, `-`, `.` or `*`. */
export function continuesKey(code: number): boolean {
  return beginsKey(code) || isDigit(code) || code === 0x5f || code === 0x2d || code === 0x2e;
}

/** ALPHA or `*`. Section 3.3.4. */
export function beginsToken(code: number): boolean {
  return isLetter(code) || code === 0x2a;
}

/** tchar, `:` or `/`. */
export function continuesToken(code: number): boolean {
  return (code < 0x80 && TOKEN[code] === 1) || code === 0x3a || code === 0x2f;
}

/** VCHAR or SP: what strings and display strings are made of. */
export function isPrintable(code: number): boolean {
  return code >= 0x20 && code < 0x7f;
}

/** ALPHA, DIGIT, `+` or `/`: base64 without its padding. */
export function isBase64(code: number): boolean {
  return isLetter(code) || isDigit(code) || code === 0x2b || code === 0x2f;
}
