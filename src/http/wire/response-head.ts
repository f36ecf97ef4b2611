/**
 * The head of a response.
 *
 *   HTTP-version SP 3DIGIT [ SP reason-phrase ] CRLF          RFC 9112 section 4
 *
 * The space before an empty reason is often left out, which is harmless and accepted.
 */
import type { HttpLimits } from '../limits.ts';
import { badLineEnding, type Fields, parseFields } from './fields.ts';
import { type Framing, NO_CONTENT, readControl, UNTIL_CLOSE } from './framing.ts';
import { isFieldValue } from './grammar.ts';
import { type Malformed, malformed } from './malformed.ts';
import { versionOf } from './request-head.ts';

export interface ResponseHead {
  readonly kind: 'response';
  readonly status: number;
  readonly reason: string;
  readonly version: '1.0' | '1.1';
  readonly fields: Fields;
  readonly framing: Framing;
  /** Content-Length as sent, also where there is no content (HEAD, 304). */
  readonly declaredBytes: number | undefined;
  readonly keepAlive: boolean;
  /** The protocol switched to, with status 101. */
  readonly upgrade: string | undefined;
}

export type ResponseHeadLimits = Pick<HttpLimits, 'fieldCount' | 'fieldBytes' | 'bodyBytes'>;

/**
 * @param text latin1; from `from` up to `to` it holds the head, each line with its CRLF, without the empty line
 * @param method of the request this answers: HEAD has no content
 */
export function parseResponseHead(
  text: string,
  from: number,
  to: number,
  method: string,
  limits: ResponseHeadLimits,
): ResponseHead | Malformed {
  const lineEnd = text.indexOf('\r\n', from);
  const line = text.slice(from, lineEnd);
  if (line.includes('\n') || line.includes('\r')) return badLineEnding();
  const version = versionOf(line, 0, Math.min(line.length, 8));
  if (typeof version !== 'string') return version;
  const status = statusOf(line);
  const reason = line.slice(13);
  if (status < 0 || !isFieldValue(reason))
    return malformed('bad-status-line', 'the status line is malformed', 502);

  const fields = parseFields(text, lineEnd + 2, to, limits);
  if ('kind' in fields) return fields;
  const control = readControl(fields, version);
  if ('kind' in control) return control;
  const framing = framingOf(status, method, control.framing);
  if (framing.kind === 'malformed') return framing;
  if (framing.kind === 'length' && framing.sizeBytes > limits.bodyBytes)
    return malformed('content-too-large', 'the content is too large', 413);
  const declared = control.framing;
  return {
    kind: 'response',
    status,
    reason,
    version,
    fields,
    framing,
    declaredBytes: declared?.kind === 'length' ? declared.sizeBytes : undefined,
    keepAlive: framing.kind !== 'until-close' && control.keepAlive,
    upgrade: status === 101 ? control.upgrade : undefined,
  };
}

function statusOf(line: string): number {
  if (line[8] !== ' ' || (line.length > 12 && line[12] !== ' ') || line.length < 12) return -1;
  let status = 0;
  for (let at = 9; at < 12; at++) {
    const digit = line.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    status = status * 10 + digit;
  }
  return status >= 100 && status <= 599 ? status : -1;
}

/** RFC 9112 section 6.3; content where there must be none is refused instead of read past. */
function framingOf(status: number, method: string, declared: Framing | undefined): Framing | Malformed {
  if (status < 200 || status === 204) {
    const empty = declared === undefined || (declared.kind === 'length' && declared.sizeBytes === 0);
    return empty ? NO_CONTENT : malformed('unexpected-content', 'content with a status that has none', 502);
  }
  if (method === 'HEAD' || status === 304) return NO_CONTENT;
  return declared ?? UNTIL_CLOSE;
}
