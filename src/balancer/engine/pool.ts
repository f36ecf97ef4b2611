/**
 * The servers of one pool: who is ready, who is next.
 *
 *            rise successes                    fall failures
 *   unknown ───────────────▶ up ◀──────────────▶ down          by checks and by failed connects
 *
 * `draining` lies across: a draining server gets nothing new whatever its health. A server that no check has
 * reached yet is used only when none is up. Without checks every server is up.
 */

export type HealthState = 'unknown' | 'up' | 'down';

export interface Transition {
  /** Wall-clock time, milliseconds since 1970. */
  readonly atMs: number;
  readonly pool: string;
  readonly server: string;
  readonly from: HealthState;
  readonly to: HealthState;
  readonly reason: string;
}

/** One server; its numbers are for the status page. */
export interface Server {
  readonly address: string;
  health: HealthState;
  draining: boolean;
  /** Why the last check or connect failed; undefined after a success. */
  failure: string | undefined;
  active: number;
  requests: number;
  failures: number;
  successesInRow: number;
  failuresInRow: number;
}

/** What a pool is made of. */
export interface PoolPlan {
  readonly servers: readonly string[];
  /** Successes until up and failures until down; absent when nothing checks. */
  readonly checks?: { readonly rise: number; readonly fall: number };
}

export class Pool {
  readonly name: string;
  readonly servers: readonly Server[];
  readonly #checks: PoolPlan['checks'];
  readonly #changed: (transition: Omit<Transition, 'atMs'>) => void;
  #cursor = 0;

  constructor(name: string, plan: PoolPlan, changed: (transition: Omit<Transition, 'atMs'>) => void) {
    this.name = name;
    this.#checks = plan.checks;
    this.#changed = changed;
    const health = plan.checks === undefined ? 'up' : 'unknown';
    this.servers = plan.servers.map((address) => newServer(address, health));
  }

  /** The next server in turn that is ready and not among `tried`; undefined when there is none. */
  pick(tried: ReadonlySet<Server> = NONE): Server | undefined {
    return this.#next('up', tried) ?? this.#next('unknown', tried);
  }

  #next(health: HealthState, tried: ReadonlySet<Server>): Server | undefined {
    const count = this.servers.length;
    for (let step = 0; step < count; step++) {
      const at = (this.#cursor + step) % count;
      const server = this.servers[at]!;
      if (server.health !== health || server.draining || tried.has(server)) continue;
      this.#cursor = (at + 1) % count;
      return server;
    }
    return undefined;
  }

  /** A check passed. */
  succeeded(server: Server): void {
    server.failuresInRow = 0;
    server.failure = undefined;
    server.successesInRow++;
    // The first success of a server that was never seen down is enough to begin with.
    const enough = server.health === 'unknown' ? 1 : (this.#checks?.rise ?? 1);
    if (server.health !== 'up' && server.successesInRow >= enough) this.#become(server, 'up', 'checks pass');
  }

  /** A check failed, or a connect for a request did. */
  failed(server: Server, reason: string): void {
    server.successesInRow = 0;
    server.failure = reason;
    server.failuresInRow++;
    const down = this.#checks !== undefined && server.failuresInRow >= this.#checks.fall;
    if (down && server.health !== 'down') this.#become(server, 'down', reason);
  }

  #become(server: Server, to: HealthState, reason: string): void {
    const from = server.health;
    server.health = to;
    this.#changed({ pool: this.name, server: server.address, from, to, reason });
  }

  /** Servers that get requests now. */
  get readyCount(): number {
    return this.servers.filter((server) => server.health === 'up' && !server.draining).length;
  }
}

const NONE: ReadonlySet<Server> = new Set();

function newServer(address: string, health: HealthState): Server {
  return {
    address,
    health,
    draining: false,
    failure: undefined,
    active: 0,
    requests: 0,
    failures: 0,
    successesInRow: 0,
    failuresInRow: 0,
  };
}
