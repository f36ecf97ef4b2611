/** Times in arguments: seconds or milliseconds, from now or since 1970, become a deadline in milliseconds. */
import { invalidExpire } from '../../errors.ts';
import { integer, MAX_INT64, MIN_INT64 } from '../numbers.ts';

export type ExpiryUnit = 'ex' | 'px' | 'exat' | 'pxat';

export function expiryUnit(word: string): ExpiryUnit | undefined {
  return word === 'ex' || word === 'px' || word === 'exat' || word === 'pxat' ? word : undefined;
}

/** The deadline of an option that must lie ahead. @throws ERR invalid expire time in '...' command */
export function deadlineFrom(unit: ExpiryUnit, text: string, now: number, command: string): number {
  const value = integer(text);
  if (value <= 0) throw invalidExpire(command);
  return resolve(unit, value, now, command);
}

/** The deadline of EXPIRE and its relatives, which may lie in the past. @throws as above */
export function anyDeadlineFrom(unit: ExpiryUnit, text: string, now: number, command: string): number {
  return resolve(unit, integer(text), now, command);
}

/** A deadline is 64 bits in the field; ours is a double, exact for the next 285,000 years. */
function resolve(unit: ExpiryUnit, value: number | bigint, now: number, command: string): number {
  const milliseconds = BigInt(value) * (unit === 'ex' || unit === 'exat' ? 1_000n : 1n);
  const deadline = unit === 'ex' || unit === 'px' ? milliseconds + BigInt(Math.floor(now)) : milliseconds;
  if (milliseconds > MAX_INT64 || milliseconds < MIN_INT64 || deadline > MAX_INT64)
    throw invalidExpire(command);
  return Number(deadline);
}
