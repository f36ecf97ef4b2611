/** The type of a form and, for multipart, its boundary. RFC 9110 section 8.3, RFC 2046 section 5.1.1. */
import { BOUNDARY_CHARACTERS } from '../limits.ts';
import type { HeaderFields } from '../types.ts';
import { parseParameterized } from './parameters.ts';

export interface MediaType {
  /** `type/subtype`, in lower case. */
  readonly essence: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** Undefined when there is no Content-Type, several, or one that cannot be read. */
export function mediaTypeOf(headers: HeaderFields): MediaType | undefined {
  const fields = headers.getAll('content-type');
  if (fields.length !== 1) return undefined;
  const parsed = parseParameterized(fields[0]!, 'any');
  if (parsed === undefined || parsed.value.split('/').length !== 2) return undefined;
  return { essence: parsed.value, parameters: parsed.parameters };
}

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
