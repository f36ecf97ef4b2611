/**
 * Connecting to one of several addresses: Happy Eyeballs. RFC 8305 sections 4 and 5.
 *
 *   2001:db8::1   ├────────────────────────╳ refused, or given up
 *   192.0.2.1           ├──────────▶ connected: the others are let go
 *   2001:db8::2               ├────╳
 *                 │  250  │  250 │
 *
 * The families take turns, beginning with the resolver's first address. The next address is tried when the one
 * before has failed, or has not answered for `attemptDelayMs`. An address that failed lately is tried last.
 */
import type { Connection } from '../../core/net/network.ts';
import type { Clock, Timer } from '../../core/time/clock.ts';

/** Addresses that failed lately, for all names together. */
export class FailedAddresses {
  readonly #forgottenAtMs = new Map<string, number>();
  readonly #keepMs: number;
  readonly #max: number;

  constructor(keepMs: number, max: number) {
    this.#keepMs = keepMs;
    this.#max = max;
  }

  add(address: string, now: number): void {
    this.#forgottenAtMs.delete(address);
    const [oldest] = this.#forgottenAtMs.keys();
    if (this.#forgottenAtMs.size >= this.#max && oldest !== undefined) this.#forgottenAtMs.delete(oldest);
    this.#forgottenAtMs.set(address, now + this.#keepMs);
  }

  remove(address: string): void {
    this.#forgottenAtMs.delete(address);
  }

  has(address: string, now: number): boolean {
    const until = this.#forgottenAtMs.get(address);
    if (until === undefined) return false;
    if (until > now) return true;
    this.#forgottenAtMs.delete(address);
    return false;
  }
}

/** The order in which they are tried. RFC 8305 section 4. */
export function attemptOrder(
  addresses: readonly string[],
  hasFailed: (address: string) => boolean,
): readonly string[] {
  const distinct = [...new Set(addresses)];
  const isFirstFamily = sameFamilyAs(distinct[0] ?? '');
  const first = distinct.filter(isFirstFamily);
  const second = distinct.filter((address) => !isFirstFamily(address));
  const turns: string[] = [];
  for (let at = 0; at < Math.max(first.length, second.length); at++) {
    for (const family of [first, second]) if (family[at] !== undefined) turns.push(family[at]!);
  }
  return [
    ...turns.filter((address) => !hasFailed(address)),
    ...turns.filter((address) => hasFailed(address)),
  ];
}

function sameFamilyAs(address: string): (other: string) => boolean {
  const isV6 = address.includes(':');
  return (other) => other.includes(':') === isV6;
}

/** Connects to one address; `signal` ends the attempt. */
export type Attempt = (address: string, signal: AbortSignal) => Promise<Connection>;

export interface AttemptOptions {
  readonly clock: Clock;
  readonly attemptDelayMs: number;
  readonly signal: AbortSignal;
  /** Told of every attempt that failed, or was slower than one that began later. */
  readonly failed: (address: string) => void;
}

/**
 * The first connection that comes to be; later ones are destroyed.
 * @param addresses in order, at least one
 * @throws what the last attempt threw, or the signal's reason
 */
export function firstConnection(
  addresses: readonly string[],
  attempt: Attempt,
  options: AttemptOptions,
): Promise<Connection> {
  return new Attempts(addresses, attempt, options).promise;
}

class Attempts {
  readonly promise: Promise<Connection>;
  readonly #addresses: readonly string[];
  readonly #attempt: Attempt;
  readonly #options: AttemptOptions;
  readonly #underWay = new Map<AbortController, string>();
  readonly #settle: { resolve(connection: Connection): void; reject(error: unknown): void };
  #next = 0;
  #timer: Timer | undefined;
  #isOver = false;

  constructor(addresses: readonly string[], attempt: Attempt, options: AttemptOptions) {
    const { promise, resolve, reject } = Promise.withResolvers<Connection>();
    this.promise = promise;
    this.#settle = { resolve, reject };
    this.#addresses = addresses;
    this.#attempt = attempt;
    this.#options = options;
    options.signal.addEventListener('abort', this.#aborted, { once: true });
    if (options.signal.aborted) this.#aborted();
    else this.#start();
  }

  #start(): void {
    this.#timer?.cancel();
    const address = this.#addresses[this.#next++];
    if (address === undefined) return;
    if (this.#next < this.#addresses.length) {
      this.#timer = this.#options.clock.schedule(this.#options.attemptDelayMs, () => this.#start());
    }
    void this.#try(address);
  }

  async #try(address: string): Promise<void> {
    const giveUp = new AbortController();
    this.#underWay.set(giveUp, address);
    try {
      const connection = await this.#attempt(address, giveUp.signal);
      this.#underWay.delete(giveUp);
      // Whoever began before and has not answered yet is tried last next time.
      const slower = [...this.#underWay.values()];
      if (!this.#end()) return connection.destroy();
      for (const silent of slower) this.#options.failed(silent);
      this.#settle.resolve(connection);
    } catch (thrown) {
      this.#underWay.delete(giveUp);
      if (!this.#isOver) this.#failed(address, thrown);
    }
  }

  #failed(address: string, thrown: unknown): void {
    this.#options.failed(address);
    if (this.#next < this.#addresses.length) this.#start();
    else if (this.#underWay.size === 0 && this.#end()) this.#settle.reject(thrown);
  }

  readonly #aborted = (): void => {
    if (this.#end()) this.#settle.reject(this.#options.signal.reason);
  };

  /** @returns false when it was over already */
  #end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#timer?.cancel();
    this.#options.signal.removeEventListener('abort', this.#aborted);
    for (const giveUp of this.#underWay.keys()) giveUp.abort();
    this.#underWay.clear();
    return true;
  }
}
