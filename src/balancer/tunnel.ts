/**
 * Two connections joined after a switch of protocols: bytes go both ways untouched, a slow side holds the
 * other back, the end of one side's stream is passed on, and silence has a bound.
 */
import type { Connection } from '../core/net/network.ts';
import type { Clock, Timer } from '../core/time/clock.ts';

export interface TunnelOptions {
  readonly clock: Clock;
  readonly idleTimeoutMs: number;
  /** Told once, when both sides are gone. */
  readonly closed: () => void;
}

/** @param early bytes of each side that arrived with its switch */
export function joinConnections(
  client: Connection,
  server: Connection,
  early: { readonly client: Buffer; readonly server: Buffer },
  options: TunnelOptions,
): void {
  const tunnel = new Tunnel(client, server, options);
  tunnel.start(early);
}

class Tunnel {
  readonly #client: Connection;
  readonly #server: Connection;
  readonly #options: TunnelOptions;
  #lastMs: number;
  #timer: Timer | undefined;
  #openSides = 2;

  constructor(client: Connection, server: Connection, options: TunnelOptions) {
    this.#client = client;
    this.#server = server;
    this.#options = options;
    this.#lastMs = options.clock.monotonic();
  }

  start(early: { readonly client: Buffer; readonly server: Buffer }): void {
    this.#arm(this.#options.idleTimeoutMs);
    this.#attach(this.#client, this.#server);
    this.#attach(this.#server, this.#client);
    if (early.client.length > 0) this.#pass(early.client, this.#client, this.#server);
    if (early.server.length > 0) this.#pass(early.server, this.#server, this.#client);
  }

  #attach(from: Connection, to: Connection): void {
    from.attach({
      data: (chunk) => this.#pass(chunk, from, to),
      end: () => to.end(),
      // `from` takes bytes again: its partner may send.
      drain: () => to.resume(),
      close: () => this.#sideClosed(to),
    });
    from.resume();
  }

  #pass(chunk: Buffer, from: Connection, to: Connection): void {
    this.#lastMs = this.#options.clock.monotonic();
    if (!to.write(chunk)) from.pause();
  }

  #sideClosed(other: Connection): void {
    this.#openSides--;
    other.end();
    if (this.#openSides > 0) return;
    this.#timer?.cancel();
    this.#options.closed();
  }

  /** Looks again when the silence could be over its bound; traffic in between moves no timer. */
  #arm(delayMs: number): void {
    this.#timer = this.#options.clock.schedule(delayMs, () => {
      const leftMs = this.#lastMs + this.#options.idleTimeoutMs - this.#options.clock.monotonic();
      if (leftMs > 0) {
        this.#arm(leftMs);
      } else {
        this.#client.destroy();
        this.#server.destroy();
      }
    });
  }
}
