/**
 * When a failed try may be repeated on another server. RFC 9110 section 9.2.2.
 *
 *   nothing was sent                   any method: the server cannot have acted
 *   sent, no answer, no content        idempotent methods only
 *   anything else                      never
 *
 * And never past the budget, so that a failing pool is not hit harder for failing.
 */
import { RETRY_BUDGET_MINIMUM, RETRY_BUDGET_SHARE } from '../limits.ts';

const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

export interface FailedTry {
  readonly method: string;
  readonly hasContent: boolean;
  /** No byte of the request left. */
  readonly unsent: boolean;
  /** The connection went before an answer began. */
  readonly lost: boolean;
}

export function mayRetry(failed: FailedTry): boolean {
  if (failed.unsent) return true;
  return failed.lost && !failed.hasContent && IDEMPOTENT.has(failed.method);
}

/** Bounds the retries under way by the requests under way. */
export class RetryBudget {
  #requests = 0;
  #retries = 0;

  begin(): void {
    this.#requests++;
  }

  end(retried: boolean): void {
    this.#requests--;
    if (retried) this.#retries--;
  }

  /** Takes a place for one request's retries; false when the budget is spent. */
  take(): boolean {
    const allowed = Math.max(RETRY_BUDGET_MINIMUM, this.#requests * RETRY_BUDGET_SHARE);
    if (this.#retries >= allowed) return false;
    this.#retries++;
    return true;
  }
}
