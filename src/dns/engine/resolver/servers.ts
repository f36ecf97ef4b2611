/**
 * What is remembered of other servers: how fast they are, whether they are silent, whether EDNS upsets them.
 *
 * The wait for an answer follows RFC 6298: smoothed round trip plus four times its variation, doubled for each
 * silence in a row. A silent server moves to the back of the line and is never left out, so that an outage of
 * everything ends by itself.
 */
import type { Random } from '../../../core/random/random.ts';
import { type DnsLimits, SERVER_MEMORY_MS } from '../../limits.ts';
import type { ServerAddress } from './delegations.ts';

type ServerLimits = Pick<
  DnsLimits,
  'maxServersRemembered' | 'initialTimeoutMs' | 'minTimeoutMs' | 'maxTimeoutMs'
>;

interface Memory {
  smoothedMs: number;
  variationMs: number;
  silences: number;
  refusesEdns: boolean;
  readonly sinceMs: number;
}

/** Servers this close to the fastest share the load. */
const SAME_SPEED_MS = 30;

export class ServerMemory {
  readonly #limits: ServerLimits;
  readonly #random: Random;
  readonly #servers = new Map<string, Memory>();

  constructor(limits: ServerLimits, random: Random) {
    this.#limits = limits;
    this.#random = random;
  }

  /** The servers in the order to ask them: by speed, at random among equals, silent ones last. */
  order(servers: readonly ServerAddress[], nowMs: number): ServerAddress[] {
    return servers
      .map((server) => ({ server, cost: this.#cost(server, nowMs) + this.#random.below(SAME_SPEED_MS) }))
      .sort((a, b) => a.cost - b.cost)
      .map(({ server }) => server);
  }

  /** A server without history costs nothing, so that each is tried once. */
  #cost(server: ServerAddress, nowMs: number): number {
    const memory = this.#recall(server, nowMs);
    if (memory === undefined) return 0;
    return memory.smoothedMs + memory.silences * this.#limits.maxTimeoutMs;
  }

  timeoutMs(server: ServerAddress, nowMs: number): number {
    const { initialTimeoutMs, minTimeoutMs, maxTimeoutMs } = this.#limits;
    const memory = this.#recall(server, nowMs);
    const known = memory !== undefined && memory.smoothedMs > 0;
    const base = known ? memory.smoothedMs + 4 * memory.variationMs : initialTimeoutMs;
    return Math.min(maxTimeoutMs, Math.max(minTimeoutMs, base) * 2 ** (memory?.silences ?? 0));
  }

  answered(server: ServerAddress, roundTripMs: number, nowMs: number): void {
    const memory = this.#remember(server, nowMs);
    const first = memory.smoothedMs === 0;
    memory.variationMs = first
      ? roundTripMs / 2
      : 0.75 * memory.variationMs + 0.25 * Math.abs(memory.smoothedMs - roundTripMs);
    memory.smoothedMs = Math.max(
      0.001,
      first ? roundTripMs : 0.875 * memory.smoothedMs + 0.125 * roundTripMs,
    );
    memory.silences = 0;
  }

  silent(server: ServerAddress, nowMs: number): void {
    this.#remember(server, nowMs).silences += 1;
  }

  refusedEdns(server: ServerAddress, nowMs: number): void {
    this.#remember(server, nowMs).refusesEdns = true;
  }

  takesEdns(server: ServerAddress, nowMs: number): boolean {
    return !(this.#recall(server, nowMs)?.refusesEdns ?? false);
  }

  clear(): void {
    this.#servers.clear();
  }

  #recall(server: ServerAddress, nowMs: number): Memory | undefined {
    const memory = this.#servers.get(serverKey(server));
    return memory !== undefined && nowMs - memory.sinceMs < SERVER_MEMORY_MS ? memory : undefined;
  }

  #remember(server: ServerAddress, nowMs: number): Memory {
    const key = serverKey(server);
    const memory = this.#recall(server, nowMs) ?? {
      smoothedMs: 0,
      variationMs: 0,
      silences: 0,
      refusesEdns: false,
      sinceMs: nowMs,
    };
    this.#servers.delete(key);
    this.#servers.set(key, memory);
    if (this.#servers.size > this.#limits.maxServersRemembered) {
      this.#servers.delete(this.#servers.keys().next().value as string);
    }
    return memory;
  }
}

export function serverKey({ address, port }: ServerAddress): string {
  return `${address} ${port}`;
}
