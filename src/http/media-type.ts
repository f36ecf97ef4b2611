/** Media types as fields have them. RFC 9110 section 8.3. For those of files, see content/file-types.ts. */
import { parseParameterized } from './parameters.ts';
import type { HeaderFields } from './types.ts';
import { trimWhitespace } from './wire/grammar.ts';

export interface MediaType {
  /** `type/subtype`, in lower case. */
  readonly essence: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** What the Content-Type of a message says. Undefined when there is none, several, or one that cannot be read. */
export function mediaTypeOf(headers: HeaderFields): MediaType | undefined {
  const fields = headers.getAll('content-type');
  if (fields.length !== 1) return undefined;
  const parsed = parseParameterized(fields[0]!, 'message');
  if (parsed === undefined || parsed.value.split('/').length !== 2) return undefined;
  return { essence: parsed.value, parameters: parsed.parameters };
}

/** A Content-Type of our own without its parameters, lower case. */
export function essenceOf(contentType: string): string {
  const end = contentType.indexOf(';');
  return trimWhitespace(end < 0 ? contentType : contentType.slice(0, end)).toLowerCase();
}
