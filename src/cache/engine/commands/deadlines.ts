/** Times in arguments: seconds or milliseconds, from now or since 1970, become a deadline in milliseconds. */
import { invalidExpire } from '../../errors.ts';
import { integer } from '../numbers.ts';

export type ExpiryUnit = 'ex' | 'px' | 'exat' | 'pxat';

export function expiryUnit(word: string): ExpiryUnit | undefined {
  return word === 'ex' || word === 'px' || word === 'exat' || word === 'pxat' ? word : undefined;
}

/** Beyond this a deadline is not exact any more; it lies 285,000 years ahead. */
const LATEST = Number.MAX_SAFE_INTEGER;

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

function resolve(unit: ExpiryUnit, value: number | bigint, now: number, command: string): number {
  const milliseconds = Number(value) * (unit === 'ex' || unit === 'exat' ? 1_000 : 1);
  const deadline = unit === 'ex' || unit === 'px' ? milliseconds + now : milliseconds;
  if (Math.abs(milliseconds) > LATEST || deadline > LATEST) throw invalidExpire(command);
  return deadline;
}
