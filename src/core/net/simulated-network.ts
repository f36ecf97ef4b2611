/**
 * A network in memory: clients and servers of one process joined without the operating system, with latency,
 * loss of datagrams and partitions at the caller's command. TLS is simulated as a flag.
 *
 *   write ──▶ outgoing (bufferedBytes) ──▶ latency ──▶ incoming ──▶ handler.data
 *                       ▲ held while the other side is paused: that is its receive window
 */
import type { Clock } from '../time/clock.ts';
import { NetError } from './errors.ts';
import type { Connection, ConnectionLimits, Endpoint, Network, UdpOptions } from './network.ts';
import { SimulatedConnection } from './simulated-connection.ts';

export interface SimulatedNetworkOptions {
  readonly clock: Clock;
  /** One way, in milliseconds. Default 0: delivered in the next turn of the event loop. */
  readonly latencyMs?: number;
  /** Asked for each datagram; true drops it. Default: never. */
  readonly dropDatagram?: (from: Endpoint, to: Endpoint) => boolean;
}

interface SimulatedListener {
  readonly accept: (far: SimulatedConnection) => void;
}

const FIRST_EPHEMERAL_PORT = 49_152;
const DEFAULT_DRAIN_TIMEOUT_MS = 5_000;
const CLIENT_LIMITS: ConnectionLimits = {
  maxConnections: 1,
  firstByteTimeoutMs: 0,
  idleTimeoutMs: 0,
  maxBufferedBytes: 16 * 1024 * 1024,
  closeTimeoutMs: 2_000,
};

export interface SimulatedNetwork extends Network {
  /** While true no connection can be made, nothing in flight arrives, datagrams vanish. */
  partitioned: boolean;
  /** Every open connection breaks at once, as when a cable is pulled and both ends notice. */
  breakAll(): void;
}

export function createSimulatedNetwork(options: SimulatedNetworkOptions): SimulatedNetwork {
  const { clock } = options;
  const listeners = new Map<string, SimulatedListener>();
  const sockets = new Map<string, UdpOptions>();
  const open = new Set<SimulatedConnection>();
  let lastId = 0;
  let lastPort = FIRST_EPHEMERAL_PORT;

  const deliver = (run: () => void): void => {
    const latencyMs = options.latencyMs ?? 0;
    const arrive = (): void => {
      if (!network.partitioned) run();
    };
    if (latencyMs > 0) clock.schedule(latencyMs, arrive);
    else setImmediate(arrive);
  };

  const place = (table: ReadonlyMap<string, unknown>, host: string, port: number): Endpoint => {
    const chosen = port === 0 ? ++lastPort : port;
    if (table.has(`${host}:${chosen}`)) {
      throw new NetError('address-in-use', `port ${chosen} on ${host} is taken`, { port: chosen });
    }
    return { address: host, port: chosen };
  };

  const pair = (client: Endpoint, server: Endpoint, limits: ConnectionLimits): SimulatedConnection => {
    const near = new SimulatedConnection(++lastId, client, server, CLIENT_LIMITS, clock, deliver);
    const far = new SimulatedConnection(++lastId, server, client, limits, clock, deliver);
    near.join(far);
    for (const connection of [near, far]) {
      open.add(connection);
      connection.whenGone(() => open.delete(connection));
    }
    return near;
  };

  const network: SimulatedNetwork = {
    partitioned: false,

    breakAll() {
      for (const connection of [...open]) {
        connection.destroy(new NetError('connection-lost', 'the simulated network broke'));
      }
    },

    async listen(listenOptions, accept) {
      const endpoint = place(listeners, listenOptions.host, listenOptions.port);
      const key = `${endpoint.address}:${endpoint.port}`;
      const accepted = new Set<SimulatedConnection>();
      const emptied = new Set<() => void>();
      listeners.set(key, {
        accept(far) {
          if (accepted.size >= listenOptions.limits.maxConnections) {
            far.attach({ data: () => undefined });
            far.end(listenOptions.refuse?.());
            return;
          }
          accepted.add(far);
          far.whenGone(() => {
            accepted.delete(far);
            if (accepted.size === 0) for (const tell of emptied) tell();
          });
          if (listenOptions.tls !== undefined) far.markSecure();
          far.watchFirstByte();
          accept(far);
        },
      });
      limitsByListener.set(key, listenOptions.limits);
      return {
        endpoint,
        get connectionCount() {
          return accepted.size;
        },
        stop: () => void listeners.delete(key),
        async close(timeoutMs = DEFAULT_DRAIN_TIMEOUT_MS) {
          listeners.delete(key);
          if (accepted.size === 0) return;
          const { promise, resolve } = Promise.withResolvers<void>();
          emptied.add(resolve);
          const timer = clock.schedule(timeoutMs, resolve);
          await promise;
          timer.cancel();
          for (const connection of [...accepted]) connection.destroy();
        },
      };
    },

    async connect(connectOptions): Promise<Connection> {
      connectOptions.signal?.throwIfAborted();
      const key = `${connectOptions.host}:${connectOptions.port}`;
      if (network.partitioned) {
        await clock.sleep(connectOptions.timeoutMs, connectOptions.signal);
        throw new NetError('connect-timeout', `${key} did not answer in ${connectOptions.timeoutMs} ms`);
      }
      await new Promise<void>((resolve) => deliver(resolve));
      const listener = listeners.get(key);
      const limits = limitsByListener.get(key);
      if (listener === undefined || limits === undefined) {
        throw new NetError('connect-failed', `cannot connect to ${key}: nobody listens`);
      }
      const server = { address: connectOptions.host, port: connectOptions.port };
      const near = pair({ address: '127.0.0.1', port: ++lastPort }, server, limits);
      if (connectOptions.tls !== undefined) near.markSecure();
      listener.accept(near.far);
      return near;
    },

    async udp(udpOptions) {
      const endpoint = place(sockets, udpOptions.host, udpOptions.port);
      const key = `${endpoint.address}:${endpoint.port}`;
      sockets.set(key, udpOptions);
      return {
        endpoint,
        send(bytes, to) {
          const copy = Buffer.from(bytes);
          if (options.dropDatagram?.(endpoint, to)) return;
          deliver(() => sockets.get(`${to.address}:${to.port}`)?.receive(copy, endpoint));
        },
        async close() {
          sockets.delete(key);
        },
      };
    },
  };
  const limitsByListener = new Map<string, ConnectionLimits>();
  return network;
}
