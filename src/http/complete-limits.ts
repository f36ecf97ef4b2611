/** Bounds as they hold: the standard ones, and those given in their place. */
import { OctetError } from '../core/errors.ts';

/** A bound that would be none. */
export class LimitError extends OctetError<'bad-limit'> {
  constructor(message: string) {
    super('bad-limit', message);
  }
}

/** By which something is divided. */
const DIVISORS: ReadonlySet<string> = new Set(['bodyBytesPerSecond']);

/**
 * One that is there but undefined is not given.
 * @throws LimitError for NaN, which nothing is more than, and for less than nothing
 */
export function completeLimits<Limits extends object>(standard: Limits, given: Partial<Limits> = {}): Limits {
  const complete = { ...standard };
  for (const name of Object.keys(standard) as (keyof Limits & string)[]) {
    const value: unknown = given[name];
    if (value === undefined) continue;
    const isBound = typeof value === 'number' && value >= 0 && !(value === 0 && DIVISORS.has(name));
    if (!isBound) throw new LimitError(`${name}: ${String(value)} bounds nothing`);
    complete[name] = value as Limits[typeof name];
  }
  return complete;
}
