/**
 * What the fields of the last request on a connection said. Most clients send the same ones with each request, so they
 * are compared with the last before they are parsed: byte for byte, as only the same bytes mean the same.
 *
 *   GET /a HTTP/1.1 CRLF        parsed each time
 *   Host: … Accept: …  CRLF     the same as before? then parsed already
 *
 * A client whose fields differ each time (a length, a trace) is not asked again after a few requests.
 */
import { MEMO_LIMITS } from '../limits.ts';
import { type FieldLimits, type Fields, parseFields } from './fields.ts';
import { type MessageControl, readControl } from './framing.ts';
import type { Malformed } from './malformed.ts';

export interface ParsedFields {
  readonly kind: 'fields';
  readonly fields: Fields;
  readonly control: MessageControl;
}

interface Kept {
  readonly text: string;
  readonly version: '1.0' | '1.1';
  readonly parsed: ParsedFields;
}

export class FieldsMemo {
  #kept: Kept | undefined;
  #misses = 0;

  /** Parses the field lines in `text` from `from` up to `to`, as `parseFields` wants them, and what they say of framing. */
  parse(
    text: string,
    from: number,
    to: number,
    version: '1.0' | '1.1',
    limits: FieldLimits,
  ): ParsedFields | Malformed {
    if (this.#misses > MEMO_LIMITS.misses || to - from > MEMO_LIMITS.keptBytes)
      return parse(text, from, to, version, limits);
    const kept = this.#kept;
    if (kept !== undefined && kept.version === version && isAt(kept.text, text, from, to)) {
      this.#misses = 0;
      return kept.parsed;
    }
    this.#misses++;
    return this.#remember(text.slice(from, to), version, limits);
  }

  #remember(slice: string, version: '1.0' | '1.1', limits: FieldLimits): ParsedFields | Malformed {
    // A slice would keep all of the text alive that it is a part of.
    const text = Buffer.from(slice, 'latin1').toString('latin1');
    const parsed = parse(text, 0, text.length, version, limits);
    this.#kept = parsed.kind === 'fields' ? { text, version, parsed } : undefined;
    return parsed;
  }
}

/** Compiled code compares character by character in `startsWith`, which is quickest for few; a slice is compared as memory. */
const FEW = 32;

function isAt(known: string, text: string, from: number, to: number): boolean {
  const { length } = known;
  if (length !== to - from) return false;
  return length > FEW ? text.slice(from, to) === known : text.startsWith(known, from);
}

function parse(
  text: string,
  from: number,
  to: number,
  version: '1.0' | '1.1',
  limits: FieldLimits,
): ParsedFields | Malformed {
  const fields = parseFields(text, from, to, limits);
  if ('kind' in fields) return fields;
  const control = readControl(fields, version);
  return 'kind' in control ? control : { kind: 'fields', fields, control };
}
