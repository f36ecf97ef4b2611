/**
 * One event as it is sent. WHATWG HTML section 9.2.5.
 *
 *   id: 7.42          what the client names when it comes back
 *   event: spell      the type it listens for; `message` when absent
 *   retry: 3000       milliseconds before it comes back
 *   data: line one    one field per line of the data
 *   data: line two
 *                     an empty line ends the event
 *
 * A line ends at CR LF, CR or LF. A type or id with one of these would begin a field of its own choice, so it is
 * refused; data is cut at each of them, so that nothing in it can be taken for a field. The reader joins the
 * lines with LF: CR and CR LF in data arrive as LF.
 */
import { UnsendableError } from '../wire/encode-head.ts';

export interface ServerEvent {
  /** Text; anything else is the caller's to encode, as JSON mostly. */
  readonly data: string;
  /** The event's type. */
  readonly event?: string;
  readonly id?: string;
  /** How long the client waits before it reconnects, milliseconds. */
  readonly retryMs?: number;
}

/**
 * The event in the format of the stream, with the empty line that ends it.
 * @throws UnsendableError when type or id hold a line end, the id NUL, or `retryMs` is not a whole number
 */
export function formatEvent(event: ServerEvent): string {
  let text = '';
  if (event.id !== undefined) text += `id: ${checkedId(event.id)}\n`;
  if (event.event !== undefined) text += `event: ${checkedLine(event.event, 'type')}\n`;
  if (event.retryMs !== undefined) text += retryField(event.retryMs);
  return `${text}${prefixLines('data: ', event.data)}\n`;
}

/** `retry` alone is no event: it sets the client's wait and nothing more. */
export function formatRetry(retryMs: number): string {
  return `${retryField(retryMs)}\n`;
}

/** A comment, which a client skips; each line of `text` stays one. */
export function formatComment(text: string): string {
  return prefixLines(text === '' ? ':' : ': ', text);
}

function retryField(retryMs: number): string {
  if (!Number.isSafeInteger(retryMs) || retryMs < 0)
    throw new UnsendableError('the retry of an event is not a whole number of milliseconds');
  return `retry: ${retryMs}\n`;
}

function checkedLine(value: string, what: string): string {
  if (value.includes('\n') || value.includes('\r'))
    throw new UnsendableError(`the ${what} of an event holds a line end`);
  return value;
}

/** A client ignores an id with NUL, and would then resume from the wrong place. */
function checkedId(id: string): string {
  if (id.includes('\0')) throw new UnsendableError('the id of an event holds NUL');
  return checkedLine(id, 'id');
}

function prefixLines(prefix: string, text: string): string {
  let out = '';
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code !== 0x0a && code !== 0x0d) continue;
    out += `${prefix}${text.slice(from, at)}\n`;
    if (code === 0x0d && text.charCodeAt(at + 1) === 0x0a) at++;
    from = at + 1;
  }
  return `${out}${prefix}${text.slice(from)}\n`;
}
