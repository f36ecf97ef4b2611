/**
 * What the server spent its time on, for the browser's network panel. W3C Server Timing.
 *
 *   Server-Timing: db;dur=53.2;desc="read \"spells\"", cache
 */
import { UnsendableError } from '../wire/encode-head.ts';
import { isToken, QUOTED_TEXT } from '../wire/grammar.ts';

export interface TimingMetric {
  /** A token. */
  readonly name: string;
  readonly durationMs?: number;
  /** Text in latin1. */
  readonly description?: string;
}

/**
 * The value of the field.
 * @throws UnsendableError when a name is no token, a duration negative or not finite, or a description not
 * expressible in a quoted string (RFC 9110 section 5.6.4)
 */
export function formatServerTiming(metrics: readonly TimingMetric[]): string {
  return metrics.map(formatMetric).join(', ');
}

function formatMetric({ name, durationMs, description }: TimingMetric): string {
  if (!isToken(name)) throw new UnsendableError('the name of a timing metric is not a token');
  const duration = durationMs === undefined ? '' : `;dur=${formatDuration(durationMs)}`;
  return `${name}${duration}${description === undefined ? '' : `;desc=${quoted(description)}`}`;
}

/** Microseconds are enough, and no exponent, which some readers take for the end of the number. */
function formatDuration(durationMs: number): string {
  if (!(durationMs >= 0 && durationMs <= Number.MAX_SAFE_INTEGER))
    throw new UnsendableError('a timing duration is not a number of milliseconds');
  const [whole = '0', fraction = ''] = durationMs.toFixed(3).split('.');
  return Number(fraction) === 0 ? whole : `${whole}.${fraction}`;
}

function quoted(text: string): string {
  let out = '"';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (character === '"' || character === '\\') out += `\\${character}`;
    else if (code <= 0xff && QUOTED_TEXT[code] === 1) out += character;
    else throw new UnsendableError('a timing description has a character that no field has');
  }
  return `${out}"`;
}
