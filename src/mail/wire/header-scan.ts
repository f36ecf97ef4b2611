/**
 * Finds header fields (RFC 5322 section 2.2) at the start of a message, for its summary: names compared
 * without case, folded lines joined, everything else left as it is.
 */

export interface HeaderField {
  /** Lower case. */
  readonly name: string;
  /** Unfolded, without surrounding white space. */
  readonly value: string;
}

const LF = 0x0a;
const CR = 0x0d;

/** The fields up to the empty line, or as far as `bytes` goes. A line that is no field ends the header. */
export function scanHeader(bytes: Buffer): HeaderField[] {
  const fields: { name: string; value: string }[] = [];
  let at = 0;
  while (at < bytes.length) {
    const lf = bytes.indexOf(LF, at);
    const end = lf < 0 ? bytes.length : lf;
    const line = bytes.toString('utf8', at, end > at && bytes[end - 1] === CR ? end - 1 : end);
    at = end + 1;
    if (line === '') break;
    const last = fields.at(-1);
    if ((line.startsWith(' ') || line.startsWith('\t')) && last !== undefined) {
      last.value = `${last.value} ${line.trim()}`.trim();
      continue;
    }
    const colon = line.indexOf(':');
    if (colon <= 0) break;
    fields.push({ name: line.slice(0, colon).trim().toLowerCase(), value: line.slice(colon + 1).trim() });
  }
  return fields;
}

/** The first field of that name. @param name lower case */
export function fieldOf(fields: readonly HeaderField[], name: string): string | undefined {
  return fields.find((field) => field.name === name)?.value;
}
