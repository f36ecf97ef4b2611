/**
 * A network in memory: hosts with addresses, links between them with delay, loss and cuts, streams that keep
 * their order and datagrams that do not. TLS is a flag. One seed decides all that happens by chance.
 *
 *   host 'api' 127.1.0.1 ───link───┐
 *                                  ├── host 'database' 127.1.0.3
 *   host 'mail' 127.1.0.2 ──link───┘
 *
 * Every address is one of loopback, so that services start with their development settings. To a process
 * `localhost`, 127.0.0.1 and 0.0.0.0 are its own host.
 */
import type { SeededRandom } from '../random/seeded-random.ts';
import type { Clock } from '../time/clock.ts';
import { NetError } from './errors.ts';
import type { Endpoint, Network } from './network.ts';
import { type Acceptor, type Fabric, SimulatedInterface } from './simulated-interface.ts';
import { type LinkConditions, PERFECT_LINK, SimulatedLink } from './simulated-link.ts';

const FIRST_EPHEMERAL_PORT = 49_152;
const OWN_NAMES = new Set(['localhost', '127.0.0.1', '0.0.0.0', '::1', '::']);

export interface SimulatedFabricOptions {
  readonly clock: Clock;
  /** Without it nothing happens by chance: the least delay, no loss. */
  readonly random?: SeededRandom;
  /** Of the links that are not given others. Default `PERFECT_LINK`. */
  readonly conditions?: Partial<LinkConditions>;
  /** Addresses of hosts by name; others are given one of 127.1.0.0/16. */
  readonly addresses?: Readonly<Record<string, string>>;
  /** Told of everything that arrives, in order. */
  readonly trace?: (event: string) => void;
}

export class SimulatedFabric {
  readonly #options: SimulatedFabricOptions;
  readonly #conditions: LinkConditions;
  readonly #addresses = new Map<string, string>();
  readonly #interfaces = new Map<string, SimulatedInterface>();
  readonly #links = new Map<string, SimulatedLink>();
  /** Names of hosts without power. */
  readonly #down = new Set<string>();
  readonly #fabric: Fabric;
  #lastId = 0;
  #lastPort = FIRST_EPHEMERAL_PORT;

  constructor(options: SimulatedFabricOptions) {
    this.#options = options;
    this.#conditions = { ...PERFECT_LINK, ...options.conditions };
    this.#fabric = {
      wire: options.clock,
      acceptors: new Map<string, Acceptor>(),
      sockets: new Map(),
      nextId: () => ++this.#lastId,
      nextPort: () => ++this.#lastPort,
      trace: options.trace,
      addressOf: (host, from) => this.#addressOf(host, from),
      linkBetween: (from, to) => this.#linkOf(from, to),
    };
  }

  /** The address of a host, which is made when first named. */
  address(host: string): string {
    let address = this.#addresses.get(host);
    if (address === undefined) {
      const number = this.#addresses.size + 1;
      address = this.#options.addresses?.[host] ?? `127.1.${number >> 8}.${number & 0xff}`;
      this.#addresses.set(host, address);
    }
    return address;
  }

  /** A new process of `host` starts: the machine has power, and the process this interface. */
  attach(host: string, clock: Clock): SimulatedInterface {
    const made = new SimulatedInterface(this.#fabric, this.address(host), clock);
    this.#interfaces.set(host, made);
    if (!this.#down.delete(host)) return made;
    for (const link of this.#linksOf(host)) link.heal(`no power: ${host}`);
    return made;
  }

  /** The process of `host` has been killed. */
  orphan(host: string): void {
    this.#interfaces.get(host)?.orphan();
  }

  /** `host` is without power until a process is attached again. */
  powerOff(host: string): void {
    this.#interfaces.get(host)?.vanish();
    this.#down.add(host);
    for (const link of this.#linksOf(host)) link.cut(`no power: ${host}`);
  }

  setConditions(one: string, other: string, conditions: Partial<LinkConditions>): void {
    const link = this.#link(one, other);
    link.conditions = { ...link.conditions, ...conditions };
  }

  /** Nothing passes between the two until healed. */
  partition(one: string, other: string): void {
    this.#link(one, other).cut('partition');
  }

  heal(one: string, other: string): void {
    this.#link(one, other).heal('partition');
  }

  healAll(): void {
    for (const link of this.#links.values()) link.heal('partition');
  }

  /**
   * What is open between the two stays open for both, and nothing passes on it any more, as when a router in
   * between has forgotten them; new connections are not concerned.
   */
  halfOpen(one: string, other: string): void {
    for (const connection of this.#between(one, other)) connection.lose();
  }

  /** Breaks one or all of the connections between the two, in the middle of whatever is under way. */
  reset(one: string, other: string, which: 'all' | 'any' = 'all'): void {
    if (this.#link(one, other).isCut) return;
    const open = this.#between(one, other);
    const chosen = which === 'any' && open.length > 0 ? [this.#pick(open)] : open;
    for (const connection of chosen) connection.reset();
  }

  /** What `host` has open now, in words. */
  open(host: string): string[] {
    const own = this.#interfaces.get(host);
    if (own === undefined) return [];
    const connections = [...own.connections].map(
      ({ id, local, remote }) =>
        `connection #${id} from port ${local.port} to ${this.#nameOf(remote.address)}:${remote.port}`,
    );
    return [...[...own.ports].map((port) => `listening on ${port}`), ...connections];
  }

  #between(one: string, other: string) {
    const remote = this.address(other);
    const open = [...(this.#interfaces.get(one)?.connections ?? [])];
    return open.filter((connection) => connection.remote.address === remote);
  }

  #pick<Item>(items: readonly Item[]): Item {
    return this.#options.random?.pick(items) ?? (items[0] as Item);
  }

  #addressOf(host: string, from: SimulatedInterface): string | undefined {
    if (OWN_NAMES.has(host)) return from.address;
    const named = this.#addresses.get(host);
    if (named !== undefined) return named;
    for (const address of this.#addresses.values()) if (address === host) return address;
    return undefined;
  }

  #nameOf(address: string): string {
    for (const [name, known] of this.#addresses) if (known === address) return name;
    return address;
  }

  #link(one: string, other: string): SimulatedLink {
    return this.#linkOf(this.address(one), this.address(other));
  }

  #linkOf(one: string, other: string): SimulatedLink {
    const key = one < other ? `${one} ${other}` : `${other} ${one}`;
    let link = this.#links.get(key);
    if (link === undefined) {
      // A process speaks to itself without a cable.
      const conditions = one === other ? { ...this.#conditions, lossRate: 0 } : this.#conditions;
      link = new SimulatedLink(conditions, this.#options.random);
      this.#links.set(key, link);
      for (const host of this.#down) {
        if (one !== other && (this.address(host) === one || this.address(host) === other))
          link.cut(`no power: ${host}`);
      }
    }
    return link;
  }

  #linksOf(host: string): SimulatedLink[] {
    const address = this.address(host);
    const touching = [...this.#links].filter(([key]) => key.split(' ').includes(address));
    return touching.map(([, link]) => link);
  }
}

export interface SimulatedNetworkOptions {
  readonly clock: Clock;
  /** One way, in milliseconds. Default 0: delivered in the next turn of the event loop. */
  readonly latencyMs?: number;
  /** Asked for each datagram; true drops it. Default: never. */
  readonly dropDatagram?: (from: Endpoint, to: Endpoint) => boolean;
}

export interface SimulatedNetwork extends Network {
  /** While true no connection can be made, what is in flight waits, datagrams vanish. */
  partitioned: boolean;
  /** Every open connection breaks at once, as when a cable is pulled and both ends notice. */
  breakAll(): void;
}

/** One host that speaks to itself: for a test of one server and its clients. */
export function createSimulatedNetwork(options: SimulatedNetworkOptions): SimulatedNetwork {
  const { clock, latencyMs = 0, dropDatagram } = options;
  const fabric = new SimulatedFabric({
    clock,
    conditions: { latencyMs: [latencyMs, latencyMs] },
    addresses: { localhost: '127.0.0.1' },
  });
  const own = fabric.attach('localhost', clock);
  let isPartitioned = false;
  return {
    get partitioned() {
      return isPartitioned;
    },
    set partitioned(cut) {
      isPartitioned = cut;
      if (cut) fabric.partition('localhost', 'localhost');
      else fabric.heal('localhost', 'localhost');
    },
    breakAll() {
      for (const connection of [...own.connections])
        connection.destroy(new NetError('connection-lost', 'the simulated network broke'));
    },
    listen: (listenOptions, accept) => own.listen(listenOptions, accept),
    connect: (connectOptions) => own.connect(connectOptions),
    async udp(udpOptions) {
      const socket = await own.udp(udpOptions);
      return {
        endpoint: socket.endpoint,
        send(bytes, to) {
          if (!dropDatagram?.(socket.endpoint, to)) socket.send(bytes, to);
        },
        close: () => socket.close(),
      };
    },
  };
}
