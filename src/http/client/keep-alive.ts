/**
 * What a server says about how long it keeps a connection: `Keep-Alive: timeout=5, max=100`. No standard has it
 * any more (it was in RFC 2068 section 19.7.1), but Node, Apache and nginx send it, and a client that heeds it does
 * not lose the race between its next request and the server's close.
 */
import { decimal, equalsIgnoreCase, listElements } from '../wire/grammar.ts';

export interface KeepAliveHint {
  /** The server closes an idle connection after this. */
  readonly timeoutMs: number | undefined;
  /** Requests that the connection still serves. */
  readonly max: number | undefined;
}

/** Parameters that are no numbers are passed over: it is a hint. */
export function parseKeepAlive(value: string): KeepAliveHint {
  let timeoutMs: number | undefined;
  let max: number | undefined;
  for (const parameter of listElements(value)) {
    const equals = parameter.indexOf('=');
    const name = parameter.slice(0, Math.max(0, equals));
    const number = decimal(parameter.slice(equals + 1));
    if (number < 0) continue;
    if (equalsIgnoreCase(name, 'timeout')) timeoutMs = number * 1_000;
    else if (equalsIgnoreCase(name, 'max')) max = number;
  }
  return { timeoutMs, max };
}

/**
 * How long an idle connection may be kept.
 * @param marginMs what a request may take to arrive; of a very short time half is taken
 */
export function idleTimeMs(hint: KeepAliveHint | undefined, idleTimeoutMs: number, marginMs: number): number {
  if (hint?.max === 0) return 0;
  if (hint?.timeoutMs === undefined) return idleTimeoutMs;
  return Math.min(idleTimeoutMs, Math.max(hint.timeoutMs - marginMs, hint.timeoutMs / 2));
}
