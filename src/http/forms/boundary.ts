/** The boundary between the parts of a multipart form. RFC 2046 section 5.1.1. */
import { BOUNDARY_CHARACTERS } from '../limits.ts';

/** bchars but letters and digits. A boundary must not end in a space. RFC 2046 section 5.1.1. */
const BOUNDARY_MARKS = "'()+_,-./:=? ";

export function isBoundary(text: string): boolean {
  if (text.length === 0 || text.length > BOUNDARY_CHARACTERS || text.endsWith(' ')) return false;
  for (const character of text) {
    if (!isAlphanumeric(character.charCodeAt(0)) && !BOUNDARY_MARKS.includes(character)) return false;
  }
  return true;
}

function isAlphanumeric(code: number): boolean {
  const lower = code | 0x20;
  return (code >= 0x30 && code <= 0x39) || (lower >= 0x61 && lower <= 0x7a);
}
