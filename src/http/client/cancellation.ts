/**
 * Everything that may end a request from our side, as one signal: the caller's, the client's close, and the time for
 * the whole. Each phase listens to it; what it throws says which of them it was.
 */
import type { Clock, Timer } from '../../core/time/clock.ts';
import { HttpClientError } from '../errors.ts';

export class Cancellation {
  /** The caller's wish and the time for the whole; undefined when there is neither. The client's close, which ends
   * every connection by itself, is not in it: a signal for both costs more than a short request. */
  readonly own: AbortSignal | undefined;
  readonly #closing: AbortSignal;
  readonly #whole: AbortController | undefined;
  readonly #timer: Timer | undefined;
  #all: AbortSignal | undefined;
  #exchangesUnderWay = 0;
  #isAnswered = false;

  /** @param totalTimeoutMs until the last byte of the answer; undefined is for ever */
  constructor(
    clock: Clock,
    closing: AbortSignal,
    caller: AbortSignal | undefined,
    totalTimeoutMs: number | undefined,
  ) {
    this.#closing = closing;
    this.own = caller;
    if (totalTimeoutMs === undefined) return;
    const whole = new AbortController();
    this.#whole = whole;
    this.#timer = clock.schedule(totalTimeoutMs, () => whole.abort());
    this.own = caller === undefined ? whole.signal : AbortSignal.any([caller, whole.signal]);
  }

  /** With the client's close. */
  get signal(): AbortSignal {
    this.#all ??= this.own === undefined ? this.#closing : AbortSignal.any([this.#closing, this.own]);
    return this.#all;
  }

  get isCancelled(): boolean {
    return this.#closing.aborted || this.own?.aborted === true;
  }

  /** @param unsent whether no byte of the request had left */
  error(unsent: boolean): HttpClientError {
    if (this.#whole?.signal.aborted === true)
      return new HttpClientError('total-timeout', 'the request took too long', { unsent, retryable: true });
    const cause = this.own?.reason;
    return new HttpClientError('aborted', 'the request was aborted', { fault: 'local', cause, unsent });
  }

  /** @throws HttpClientError when cancelled */
  check(): void {
    if (this.isCancelled) throw this.error(true);
  }

  exchangeBegins(): void {
    this.#exchangesUnderWay++;
  }

  exchangeEnds(): void {
    this.#exchangesUnderWay--;
    if (this.#isAnswered) this.#endIfDone();
  }

  /** There will be no other exchange: the time for the whole ends with those under way. */
  last(): void {
    this.#isAnswered = true;
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (this.#exchangesUnderWay === 0) this.#timer?.cancel();
  }
}

/**
 * `work`, or the error of whatever ends it before: cancellation, or `timeoutMs` with the error of `late`. What `work`
 * brings after that goes to `tooLate`.
 * @throws HttpClientError of `late`, of the cancellation; whatever `work` throws
 */
export function within<Value>(
  clock: Clock,
  timeoutMs: number,
  cancellation: Cancellation,
  work: Promise<Value>,
  late: () => HttpClientError,
  tooLate: (value: Value) => void = () => undefined,
): Promise<Value> {
  const { promise, resolve, reject } = Promise.withResolvers<Value>();
  let isOver = false;
  const end = (): boolean => {
    if (isOver) return false;
    isOver = true;
    timer.cancel();
    cancellation.signal.removeEventListener('abort', onAbort);
    return true;
  };
  const onAbort = (): void => {
    if (end()) reject(cancellation.error(true));
  };
  const timer = clock.schedule(timeoutMs, () => {
    if (end()) reject(late());
  });
  if (cancellation.isCancelled) onAbort();
  else cancellation.signal.addEventListener('abort', onAbort, { once: true });
  work.then(
    (value) => (end() ? resolve(value) : tooLate(value)),
    (thrown) => {
      if (end()) reject(thrown);
    },
  );
  return promise;
}
