/** The machine's own sockets, over node:net, node:tls and node:dgram. */
import dgram from 'node:dgram';
import net from 'node:net';
import { codeOf, messageOf } from '../errors.ts';
import type { Clock } from '../time/clock.ts';
import { systemClock } from '../time/system-clock.ts';
import { NetError } from './errors.ts';
import { LeanSockets, type Receiver } from './lean-socket.ts';
import { CLIENT_CLOSE_TIMEOUT_MS, DEFAULT_DRAIN_TIMEOUT_MS, DEFAULT_MAX_BUFFERED_BYTES } from './limits.ts';
import type {
  Connection,
  ConnectOptions,
  Endpoint,
  Listener,
  ListenOptions,
  Network,
  UdpOptions,
  UdpSocket,
} from './network.ts';
import { findPortHolder } from './port-holder.ts';
import { type Incoming, SystemConnection } from './system-connection.ts';
import { acceptOptions } from './tls-server.ts';

/** How long a connection over the limit may take to read its refusal. */
const REFUSAL_TIMEOUT_MS = 1_000;

/** What the sockets of one network share. */
interface Shared {
  readonly clock: Clock;
  readonly sockets: LeanSockets;
  nextId(): number;
}

/**
 * A network of its own: connection ids are unique within it.
 * @param clock moves every timeout of its connections
 */
export function createSystemNetwork(clock: Clock = systemClock): Network {
  let lastId = 0;
  const shared: Shared = { clock, sockets: new LeanSockets(), nextId: () => ++lastId };
  return {
    listen: (options, accept) => listen(options, accept, shared),
    connect: (options) => connect(options, shared),
    udp,
  };
}

export const systemNetwork: Network = createSystemNetwork();

async function listen(
  options: ListenOptions,
  accept: (connection: Connection) => void,
  { clock, sockets, nextId }: Shared,
): Promise<Listener> {
  let { tls } = options;
  // A certificate that cannot be used is found now, not by the first client.
  if (tls !== undefined) acceptOptions(tls);
  const open = new Set<SystemConnection>();
  const emptied = new Set<() => void>();
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });

  server.on('connection', (socket) => {
    if (open.size >= options.limits.maxConnections) return refuse(socket, options.refuse, clock);
    const incoming: Incoming = (receiver) =>
      tls === undefined ? (sockets.adopt(socket, receiver) ?? socket) : socket;
    const connection = new SystemConnection(nextId(), incoming, options.limits, clock, () => {
      open.delete(connection);
      if (open.size === 0) for (const tell of emptied) tell();
    });
    open.add(connection);
    if (tls === undefined) return accept(connection);
    connection.startTlsServer(tls, options.alpn).then(
      () => accept(connection),
      // A failed handshake has destroyed the connection; nobody was told of it yet, so nobody minds.
      () => undefined,
    );
  });

  await bound(server, options);
  // After binding, errors of accept (EMFILE) concern one connection that never came to be.
  server.on('error', () => undefined);

  return {
    endpoint: endpointOf(server.address()),
    get connectionCount() {
      return open.size;
    },
    replaceTls(next) {
      acceptOptions(next);
      tls = next;
    },
    stop: () => void server.close(),
    async close(timeoutMs = DEFAULT_DRAIN_TIMEOUT_MS) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      if (open.size > 0) {
        const { promise, resolve } = Promise.withResolvers<void>();
        emptied.add(resolve);
        const timer = clock.schedule(timeoutMs, resolve);
        await promise;
        timer.cancel();
        for (const connection of open) connection.destroy();
      }
      await closed;
    },
  };
}

function refuse(socket: net.Socket, lastWords: (() => Uint8Array | string) | undefined, clock: Clock): void {
  socket.on('error', () => undefined);
  const timer = clock.schedule(REFUSAL_TIMEOUT_MS, () => socket.destroy());
  socket.on('close', () => timer.cancel());
  const words = lastWords?.();
  // Closing with unread input would reset the connection and take the refusal with it: read and forget.
  socket.on('end', () => socket.end());
  socket.resume();
  if (words === undefined) socket.end();
  else if (typeof words === 'string') socket.end(words, 'latin1');
  else socket.end(words);
}

async function bound(server: net.Server, options: ListenOptions): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: options.host, port: options.port, backlog: 1024 }, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (cause) {
    throw await bindError(cause, options.host, options.port);
  }
}

async function bindError(cause: unknown, host: string, port: number): Promise<NetError> {
  if (codeOf(cause) !== 'EADDRINUSE') {
    return new NetError('listen-failed', `cannot listen on ${host}:${port}: ${messageOf(cause)}`, { cause });
  }
  const holder = await findPortHolder(port);
  const by = holder === undefined ? 'another process' : `${holder.command} (process ${holder.pid})`;
  return new NetError('address-in-use', `port ${port} on ${host} is taken by ${by}`, { cause, port });
}

async function connect(options: ConnectOptions, { clock, sockets, nextId }: Shared): Promise<Connection> {
  const limits = {
    maxConnections: 1,
    firstByteTimeoutMs: 0,
    idleTimeoutMs: options.idleTimeoutMs ?? 0,
    maxBufferedBytes: options.maxBufferedBytes ?? DEFAULT_MAX_BUFFERED_BYTES,
    closeTimeoutMs: CLIENT_CLOSE_TIMEOUT_MS,
  };
  const incoming = await connectSocket(options, clock, sockets);
  const connection = new SystemConnection(nextId(), incoming, limits, clock, () => undefined);
  if (options.tls === undefined) return connection;
  const timer = clock.schedule(options.timeoutMs, () => connection.destroy());
  try {
    await connection.startTlsClient(options.tls);
  } finally {
    timer.cancel();
  }
  return connection;
}

function connectSocket(options: ConnectOptions, clock: Clock, sockets: LeanSockets): Promise<Incoming> {
  const where = `${options.host}:${options.port}`;
  const { promise, resolve, reject } = Promise.withResolvers<Incoming>();
  // Nothing is read before the connection is there to receive it.
  let receiver: Receiver | undefined;
  if (options.signal?.aborted) {
    reject(options.signal.reason);
    return promise;
  }
  const plain = options.tls === undefined;
  const socket = plain
    ? sockets.create({
        lent: (shared, length) => receiver?.lent(shared, length) ?? false,
        received: (chunk) => receiver?.received(chunk),
      })
    : new net.Socket({ allowHalfOpen: true, noDelay: true });
  socket.connect({ host: options.host, port: options.port });
  const settle = (): void => {
    timer.cancel();
    options.signal?.removeEventListener('abort', aborted);
    socket.removeAllListeners();
  };
  const fail = (error: unknown): void => {
    settle();
    socket.on('error', () => undefined);
    socket.destroy();
    reject(error);
  };
  const aborted = (): void => fail(options.signal?.reason);
  const timer = clock.schedule(options.timeoutMs, () =>
    fail(new NetError('connect-timeout', `${where} did not answer in ${options.timeoutMs} ms`)),
  );
  options.signal?.addEventListener('abort', aborted, { once: true });
  socket.once('error', (cause) =>
    fail(new NetError('connect-failed', `cannot connect to ${where}: ${messageOf(cause)}`, { cause })),
  );
  socket.once('connect', () => {
    settle();
    socket.pause();
    resolve((given) => {
      receiver = given;
      return socket;
    });
  });
  return promise;
}

async function udp(options: UdpOptions): Promise<UdpSocket> {
  const socket = dgram.createSocket({
    type: net.isIPv6(options.host) ? 'udp6' : 'udp4',
    // Addresses only, never names: skips a round through the resolver for every datagram.
    lookup: (address, _options, callback) => callback(null, address, net.isIPv6(address) ? 6 : 4),
  });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ address: options.host, port: options.port }, () => {
        socket.off('error', reject);
        resolve();
      });
    });
  } catch (cause) {
    throw await bindError(cause, options.host, options.port);
  }
  socket.on('error', () => undefined);
  socket.on('message', (bytes, from) => options.receive(bytes, { address: from.address, port: from.port }));
  let closing: Promise<void> | undefined;
  return {
    endpoint: endpointOf(socket.address()),
    send(bytes, to) {
      if (closing === undefined) socket.send(bytes, to.port, to.address);
    },
    close() {
      closing ??= new Promise((resolve) => socket.close(() => resolve()));
      return closing;
    },
  };
}

function endpointOf(address: net.AddressInfo | string | null): Endpoint {
  if (address === null || typeof address === 'string') throw new NetError('listen-failed', 'no IP address');
  return { address: address.address, port: address.port };
}
