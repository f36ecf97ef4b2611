/**
 * The simulated network as one process of one host sees it. A process has its own: when it ends, its operating
 * system closes what it had open, and nothing it still tries has an effect.
 */
import type { Clock, Timer } from '../time/clock.ts';
import { NetError } from './errors.ts';
import { CLIENT_CLOSE_TIMEOUT_MS, DEFAULT_DRAIN_TIMEOUT_MS, DEFAULT_MAX_BUFFERED_BYTES } from './limits.ts';
import type {
  Connection,
  ConnectionLimits,
  ConnectOptions,
  Endpoint,
  Listener,
  ListenOptions,
  Network,
  UdpOptions,
  UdpSocket,
} from './network.ts';
import { SimulatedConnection } from './simulated-connection.ts';
import type { SimulatedLink } from './simulated-link.ts';
import { afterDelay } from './simulated-stream.ts';

/** A first segment that is not answered is sent again after this long, then after twice as long, and so on. */
const CONNECT_AGAIN_MS = 1_000;

/** Takes connections: what a listener is to those who connect. */
export interface Acceptor {
  readonly owner: SimulatedInterface;
  readonly limits: ConnectionLimits;
  readonly secure: boolean;
  readonly alpn: readonly string[];
  accept(end: SimulatedConnection): void;
}

/** What all interfaces of a network share. */
export interface Fabric {
  readonly wire: Clock;
  readonly acceptors: Map<string, Acceptor>;
  readonly sockets: Map<string, { readonly owner: SimulatedInterface; readonly options: UdpOptions }>;
  nextId(): number;
  nextPort(): number;
  readonly trace: ((event: string) => void) | undefined;
  /** @returns the address of what `from` calls `host`, undefined when nobody has that name */
  addressOf(host: string, from: SimulatedInterface): string | undefined;
  linkBetween(from: string, to: string): SimulatedLink;
}

export class SimulatedInterface implements Network {
  readonly address: string;
  readonly #fabric: Fabric;
  readonly #clock: Clock;
  readonly #connections = new Set<SimulatedConnection>();
  readonly #ports = new Set<string>();
  #isGone = false;

  constructor(fabric: Fabric, address: string, clock: Clock) {
    this.#fabric = fabric;
    this.address = address;
    this.#clock = clock;
  }

  get connections(): ReadonlySet<SimulatedConnection> {
    return this.#connections;
  }

  /** `tcp 127.1.0.1:5432`, `udp …`: where this process listens. */
  get ports(): ReadonlySet<string> {
    return this.#ports;
  }

  /** The process was killed: its connections end as those of any process that ends. */
  orphan(): void {
    this.#leave((connection) => connection.orphan());
  }

  /** The machine has lost its power: its peers are told nothing. */
  vanish(): void {
    this.#leave((connection) => connection.vanish());
  }

  #leave(end: (connection: SimulatedConnection) => void): void {
    this.#isGone = true;
    for (const [key, acceptor] of this.#fabric.acceptors)
      if (acceptor.owner === this) this.#fabric.acceptors.delete(key);
    for (const [key, socket] of this.#fabric.sockets)
      if (socket.owner === this) this.#fabric.sockets.delete(key);
    for (const connection of [...this.#connections]) end(connection);
  }

  async listen(options: ListenOptions, accept: (connection: Connection) => void): Promise<Listener> {
    if (this.#isGone) return never();
    const { acceptors } = this.#fabric;
    const endpoint = this.#place(acceptors, options.host, options.port);
    const key = keyOf(endpoint);
    const accepted = new Set<SimulatedConnection>();
    const emptied = new Set<() => void>();
    const acceptor: Acceptor = {
      owner: this,
      limits: options.limits,
      secure: options.tls !== undefined,
      alpn: options.alpn ?? [],
      accept: (end) => {
        if (accepted.size >= options.limits.maxConnections) {
          end.attach({ data: () => undefined });
          end.end(options.refuse?.());
          return;
        }
        accepted.add(end);
        end.whenGone(() => {
          accepted.delete(end);
          if (accepted.size === 0) for (const tell of emptied) tell();
        });
        accept(end);
      },
    };
    acceptors.set(key, acceptor);
    this.#ports.add(`tcp ${key}`);
    const stop = (): void => {
      if (acceptors.get(key) === acceptor) acceptors.delete(key);
      this.#ports.delete(`tcp ${key}`);
    };
    return {
      endpoint,
      get connectionCount() {
        return accepted.size;
      },
      replaceTls: () => undefined,
      stop,
      close: async (timeoutMs = DEFAULT_DRAIN_TIMEOUT_MS) => {
        stop();
        if (accepted.size === 0) return;
        const { promise, resolve } = Promise.withResolvers<void>();
        emptied.add(resolve);
        const timer = this.#clock.schedule(timeoutMs, resolve);
        await promise;
        timer.cancel();
        for (const connection of [...accepted]) connection.destroy();
      },
    };
  }

  connect(options: ConnectOptions): Promise<Connection> {
    if (this.#isGone) return never();
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    return new Dialling(this, this.#fabric, this.#clock, options).promise;
  }

  /** Makes the two ends of a connection to `acceptor`, which has already been asked. */
  join(
    acceptor: Acceptor,
    server: Endpoint,
    options: ConnectOptions,
    opened: () => void,
  ): SimulatedConnection {
    const client: Endpoint = { address: this.address, port: this.#fabric.nextPort() };
    const limits = {
      maxConnections: 1,
      firstByteTimeoutMs: 0,
      idleTimeoutMs: options.idleTimeoutMs ?? 0,
      maxBufferedBytes: options.maxBufferedBytes ?? DEFAULT_MAX_BUFFERED_BYTES,
      closeTimeoutMs: CLIENT_CLOSE_TIMEOUT_MS,
    };
    const link = this.#fabric.linkBetween(this.address, acceptor.owner.address);
    const near = this.#end(client, server, limits, link, opened);
    const far = acceptor.owner.#end(server, client, acceptor.limits, link);
    near.join(far);
    const agreed = acceptor.alpn.find((protocol) => options.tls?.alpn?.includes(protocol));
    if (acceptor.secure) far.markSecure(agreed);
    if (options.tls !== undefined) near.markSecure(agreed);
    far.accept();
    acceptor.accept(far);
    return near;
  }

  #end(
    local: Endpoint,
    remote: Endpoint,
    limits: ConnectionLimits,
    link: SimulatedLink,
    opened?: () => void,
  ): SimulatedConnection {
    const { wire } = this.#fabric;
    const end = new SimulatedConnection({
      id: this.#fabric.nextId(),
      local,
      remote,
      limits,
      link,
      clock: this.#clock,
      wire,
      trace: this.#fabric.trace,
      gone: (gone) => this.#connections.delete(gone),
      ...(opened && { opened }),
    });
    this.#connections.add(end);
    return end;
  }

  async udp(options: UdpOptions): Promise<UdpSocket> {
    if (this.#isGone) return never();
    const { sockets } = this.#fabric;
    const endpoint = this.#place(sockets, options.host, options.port);
    const key = keyOf(endpoint);
    const socket = { owner: this, options };
    sockets.set(key, socket);
    this.#ports.add(`udp ${key}`);
    return {
      endpoint,
      send: (bytes, to) => {
        if (sockets.get(key) === socket) this.#send(Buffer.from(bytes), endpoint, to);
      },
      close: async () => {
        if (sockets.get(key) === socket) sockets.delete(key);
        this.#ports.delete(`udp ${key}`);
      },
    };
  }

  #send(bytes: Buffer, from: Endpoint, to: Endpoint): void {
    const address = this.#fabric.addressOf(to.address, this);
    if (address === undefined) return;
    const { wire, sockets } = this.#fabric;
    const link = this.#fabric.linkBetween(this.address, address);
    for (const delayMs of link.datagramDelaysMs(bytes.length)) {
      afterDelay(wire, delayMs, () => {
        if (link.isCut) return;
        this.#fabric.trace?.(`udp ${from.port} to ${to.port}: ${bytes.length}`);
        sockets.get(`${address}:${to.port}`)?.options.receive(Buffer.from(bytes), from);
      });
    }
  }

  #place(table: ReadonlyMap<string, unknown>, host: string, port: number): Endpoint {
    const address = this.#fabric.addressOf(host, this);
    if (address !== this.address) {
      throw new NetError('listen-failed', `cannot listen on ${host}:${port}: the address is another host's`);
    }
    const chosen = port === 0 ? this.#fabric.nextPort() : port;
    if (table.has(`${address}:${chosen}`)) {
      throw new NetError('address-in-use', `port ${chosen} on ${address} is taken`, { port: chosen });
    }
    return { address, port: chosen };
  }
}

/** One wish to connect: asks, asks again when nothing is heard, until the time is over. */
class Dialling {
  readonly promise: Promise<Connection>;
  readonly #from: SimulatedInterface;
  readonly #fabric: Fabric;
  readonly #options: ConnectOptions;
  readonly #clock: Clock;
  readonly #settle: {
    resolve(connection: Connection): void;
    reject(error: unknown): void;
  };
  readonly #timeout: Timer;
  #again: Timer | undefined;
  #asked = 0;
  #near: SimulatedConnection | undefined;
  #isOver = false;

  constructor(from: SimulatedInterface, fabric: Fabric, clock: Clock, options: ConnectOptions) {
    const { promise, resolve, reject } = Promise.withResolvers<Connection>();
    this.promise = promise;
    this.#settle = { resolve, reject };
    this.#from = from;
    this.#fabric = fabric;
    this.#options = options;
    this.#clock = clock;
    const message = `${options.host}:${options.port} did not answer in ${options.timeoutMs} ms`;
    this.#timeout = clock.schedule(options.timeoutMs, () =>
      this.#fail(new NetError('connect-timeout', message)),
    );
    options.signal?.addEventListener('abort', this.#aborted, { once: true });
    this.#ask();
  }

  #ask(): void {
    const { host, port } = this.#options;
    const address = this.#fabric.addressOf(host, this.#from);
    if (address === undefined) return this.#refused('nobody has this name');
    this.#again = this.#clock.schedule(CONNECT_AGAIN_MS * 2 ** this.#asked, () => this.#ask());
    this.#asked += 1;
    const link = this.#fabric.linkBetween(this.#from.address, address);
    afterDelay(this.#fabric.wire, link.segmentDelayMs(0), () => {
      // A second first segment may arrive when the first has been answered, or the one who asked is gone.
      if (link.isCut || this.#isOver || this.#near !== undefined) return;
      this.#arrived({ address, port }, link);
    });
  }

  #arrived(server: Endpoint, link: SimulatedLink): void {
    const acceptor = this.#fabric.acceptors.get(keyOf(server));
    if (acceptor !== undefined) {
      this.#again?.cancel();
      this.#near = this.#from.join(acceptor, server, this.#options, () => this.#succeed());
      return;
    }
    afterDelay(this.#fabric.wire, link.segmentDelayMs(0), () => {
      if (!link.isCut) this.#refused('nobody listens');
    });
  }

  #refused(why: string): void {
    const { host, port } = this.#options;
    this.#fail(new NetError('connect-failed', `cannot connect to ${host}:${port}: ${why}`));
  }

  #succeed(): void {
    if (this.#isOver || this.#near === undefined) return;
    this.#end();
    this.#settle.resolve(this.#near);
  }

  readonly #aborted = (): void => this.#fail(this.#options.signal?.reason);

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#end();
    this.#near?.destroy();
    this.#settle.reject(error);
  }

  #end(): void {
    this.#isOver = true;
    this.#timeout.cancel();
    this.#again?.cancel();
    this.#options.signal?.removeEventListener('abort', this.#aborted);
  }
}

export function keyOf({ address, port }: Endpoint): string {
  return `${address}:${port}`;
}

/** What a process gets that is no more. */
function never(): Promise<never> {
  return new Promise(() => undefined);
}
