/**
 * The root of every error that Octet raises on purpose.
 *
 * Each service derives one class per file `errors.ts` with a closed union of codes in its protocol's own
 * terms (an rcode, a SQLSTATE, an SMTP code, an AMQP reply code, an S3 code) and one function that turns
 * the error into that protocol's reply. Anything thrown that is not an `OctetError` is a bug of ours.
 */

/** Whose fault it was: `local` is our caller's or our own, `remote` is the peer's. */
export type Fault = 'local' | 'remote';

export interface ErrorDetails {
  readonly fault?: Fault;
  /** True when the same request may succeed later, unchanged. */
  readonly retryable?: boolean;
  readonly cause?: unknown;
}

export class OctetError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly fault: Fault;
  readonly retryable: boolean;

  constructor(code: Code, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.fault = details.fault ?? 'local';
    this.retryable = details.retryable ?? false;
  }
}

/** The message of anything that was thrown, for a log line or a reply. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The `code` of anything that was thrown (`EADDRINUSE`, `ENOSPC`, one of ours), or undefined. */
export function codeOf(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}
