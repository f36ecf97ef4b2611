/** Asks each server of a pool for its health, on connections of its own, until it is stopped. */
import { messageOf } from '../core/errors.ts';
import type { Host } from '../core/lifecycle.ts';
import type { Timer } from '../core/time/clock.ts';
import type { HttpClient } from '../http/index.ts';
import type { Pool, Server } from './engine/pool.ts';
import { HEALTH_JITTER_SHARE, MAX_HEALTH_BODY_BYTES } from './limits.ts';
import type { HealthOptions } from './options.ts';

const CLOSE = [
  ['Connection', 'close'],
  ['User-Agent', 'octet-balancer'],
] as const;

export class HealthChecker {
  readonly #pool: Pool;
  readonly #options: Required<HealthOptions>;
  readonly #host: Pick<Host, 'clock' | 'random'>;
  readonly #client: HttpClient;
  readonly #timers = new Map<Server, Timer>();
  readonly #stopping = new AbortController();

  constructor(pool: Pool, options: HealthOptions, host: Pick<Host, 'clock' | 'random'>, client: HttpClient) {
    this.#pool = pool;
    this.#options = { intervalMs: 2_000, timeoutMs: 1_000, rise: 2, fall: 3, ...options };
    this.#host = host;
    this.#client = client;
  }

  start(): void {
    for (const server of this.#pool.servers) void this.#check(server);
  }

  stop(): void {
    this.#stopping.abort();
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  async #check(server: Server): Promise<void> {
    const failure = await this.#ask(server);
    if (this.#stopping.signal.aborted) return;
    if (failure === undefined) this.#pool.succeeded(server);
    else this.#pool.failed(server, failure);
    this.#timers.set(
      server,
      this.#host.clock.schedule(this.#nextMs(), () => void this.#check(server)),
    );
  }

  #nextMs(): number {
    const spread = this.#options.intervalMs * HEALTH_JITTER_SHARE;
    return this.#options.intervalMs - spread + this.#host.random.below(Math.max(1, Math.floor(spread * 2)));
  }

  /** What is wrong, or undefined. A redirect is an answer and is not followed. */
  async #ask(server: Server): Promise<string | undefined> {
    const { timeoutMs, path } = this.#options;
    const late = new AbortController();
    const timer = this.#host.clock.schedule(timeoutMs, () => late.abort());
    const signal = AbortSignal.any([late.signal, this.#stopping.signal]);
    try {
      const response = await this.#client.request({
        url: `http://${server.address}${path}`,
        headers: CLOSE,
        timeoutMs,
        signal,
      });
      await response.body.bytes(MAX_HEALTH_BODY_BYTES);
      return response.status < 400 ? undefined : `health check: status ${response.status}`;
    } catch (thrown) {
      return late.signal.aborted
        ? `health check: nothing in ${timeoutMs} ms`
        : `health check: ${messageOf(thrown)}`;
    } finally {
      timer.cancel();
    }
  }
}
