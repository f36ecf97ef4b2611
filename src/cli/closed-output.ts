/**
 * Who reads our output may stop reading: `octet env | head -1`. Without a listener Node would end with a
 * stack trace.
 */
import { codeOf } from '../core/errors.ts';
import { EXIT } from './exit.ts';

/** For commands that only print: with nobody reading there is nothing left to do. */
export function endWhenNobodyReads(): void {
  process.stdout.on('error', end);
}

/** For commands that serve: they do so also unheard. */
export function goOnWhenNobodyReads(): void {
  process.stdout.off('error', end).on('error', ignoreClosed);
  process.stderr.on('error', ignoreClosed);
}

function end(error: Error): void {
  ignoreClosed(error);
  process.exit(EXIT.ok);
}

function ignoreClosed(error: Error): void {
  if (codeOf(error) !== 'EPIPE') throw error;
}
