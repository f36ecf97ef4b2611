/** Timeouts of commands that wait. */
import { failure } from '../../errors.ts';
import { parseFloatStrict } from '../numbers.ts';

/** Seconds, fractions allowed, as milliseconds; 0 waits for ever. @throws ERR */
export function timeoutMs(text: string): number {
  const seconds = parseFloatStrict(text);
  if (seconds === undefined || !Number.isFinite(seconds))
    throw failure('timeout is not a float or out of range');
  if (seconds < 0) throw failure('timeout is negative');
  const milliseconds = Math.ceil(seconds * 1_000);
  if (milliseconds > Number.MAX_SAFE_INTEGER) throw failure('timeout is out of range');
  return milliseconds;
}
