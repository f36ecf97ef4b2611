/**
 * One TCP or TLS connection of the machine. Enforces what needs no knowledge of the protocol: silence after
 * the connection opened, idleness, a peer that does not read, a peer that does not close.
 */
import net from 'node:net';
import tls from 'node:tls';
import { messageOf } from '../errors.ts';
import type { Clock, Timer } from '../time/clock.ts';
import { NetError } from './errors.ts';
import { IdleWatch } from './idle-watch.ts';
import { LeanSocket, type Receiver } from './lean-socket.ts';
import { TLS_ACCEPT_TIMEOUT_MS } from './limits.ts';
import type {
  Connection,
  ConnectionHandler,
  ConnectionLimits,
  Endpoint,
  PeerIdentity,
  TlsClientOptions,
  TlsServerOptions,
} from './network.ts';
import { acceptOptions, clientRefusal, peerIdentityOf } from './tls-server.ts';

/** A handshake as the client that is not over by then is abandoned. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Gives the socket of a connection, once the connection can receive. */
export type Incoming = (receiver: Receiver) => net.Socket;

export class SystemConnection implements Connection, Receiver {
  readonly id: number;
  readonly remote: Endpoint;
  readonly local: Endpoint;
  #socket: net.Socket;
  readonly #limits: ConnectionLimits;
  readonly #clock: Clock;
  readonly #gone: () => void;
  readonly #idle: IdleWatch;
  /** What the operating system had left to send when the connection was last found idle. */
  #leftWhenIdleBytes = 0;
  #handler: ConnectionHandler | undefined;
  #cause: Error | undefined;
  #secure = false;
  #alpn: string | undefined;
  #peerIdentity: PeerIdentity | undefined;
  #paused = false;
  #peerEnded = false;
  #closed = false;
  #firstByteTimer: Timer | undefined;
  #closeTimer: Timer | undefined;

  /** @param gone told once, when the connection is no more */
  constructor(id: number, incoming: Incoming, limits: ConnectionLimits, clock: Clock, gone: () => void) {
    this.id = id;
    const socket = incoming(this);
    this.#socket = socket;
    this.#limits = limits;
    this.#clock = clock;
    this.#gone = gone;
    this.#idle = new IdleWatch(clock, limits.idleTimeoutMs, () => this.#foundIdle());
    this.remote = { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    this.local = { address: socket.localAddress ?? '', port: socket.localPort ?? 0 };
    if (limits.firstByteTimeoutMs > 0) {
      this.#firstByteTimer = this.#clock.schedule(limits.firstByteTimeoutMs, () =>
        this.destroy(new NetError('first-byte-timeout', `no byte in ${limits.firstByteTimeoutMs} ms`)),
      );
    }
    this.#listen(socket);
  }

  get secure(): boolean {
    return this.#secure;
  }

  get alpn(): string | undefined {
    return this.#alpn;
  }

  get peerIdentity(): PeerIdentity | undefined {
    return this.#peerIdentity;
  }

  get bufferedBytes(): number {
    return bufferedBytes(this.#socket);
  }

  get destroyed(): boolean {
    return this.#socket.destroyed;
  }

  attach(handler: ConnectionHandler): void {
    this.#handler = handler;
    if (this.#closed) {
      queueMicrotask(() => handler.close?.(this.#cause));
      return;
    }
    if (this.#peerEnded) queueMicrotask(() => this.#ended());
    if (!this.#paused) this.#socket.resume();
  }

  write(bytes: Uint8Array | string): boolean {
    const socket = this.#socket;
    if (!socket.writable) return false;
    const waitingBytes = bufferedBytes(socket);
    if (waitingBytes > this.#limits.maxBufferedBytes) {
      this.destroy(new NetError('peer-not-reading', `${waitingBytes} bytes unread by the peer`));
      return false;
    }
    this.#idle.touch();
    return typeof bytes === 'string' ? socket.write(bytes, 'latin1') : socket.write(bytes);
  }

  pause(): void {
    this.#paused = true;
    const socket = this.#socket;
    socket.pause();
    // A resume of this same turn makes a socket with a buffer of its own read, after the pause that took it back.
    process.nextTick(() => {
      if (this.#paused) socket.pause();
    });
  }

  resume(): void {
    this.#paused = false;
    if (this.#handler !== undefined) this.#socket.resume();
  }

  end(bytes?: Uint8Array | string): void {
    const socket = this.#socket;
    if (socket.destroyed || socket.writableEnded) return;
    this.#idle.touch();
    if (bytes === undefined) socket.end();
    else if (typeof bytes === 'string') socket.end(bytes, 'latin1');
    else socket.end(bytes);
    // Only by reading on do we see the peer's close; what still arrives is the handler's to ignore.
    this.resume();
    if (this.#closeTimer === undefined) this.#awaitClose(bufferedBytes(socket));
  }

  /** Gives up on a peer that neither takes what is left nor closes; as long as it reads, it has time. */
  #awaitClose(leftBytes: number): void {
    this.#closeTimer = this.#clock.schedule(this.#limits.closeTimeoutMs, () => {
      const stillLeftBytes = bufferedBytes(this.#socket);
      if (stillLeftBytes < leftBytes) this.#awaitClose(stillLeftBytes);
      else this.destroy();
    });
  }

  destroy(cause?: Error): void {
    if (this.#socket.destroyed) return;
    this.#cause ??= cause;
    this.#socket.destroy();
  }

  async startTlsServer(tlsOptions: TlsServerOptions, alpn?: readonly string[]): Promise<void> {
    const options = { ...acceptOptions(tlsOptions), ...(alpn && { ALPNProtocols: [...alpn] }) };
    const socket = new tls.TLSSocket(this.#detach(), options);
    await this.#secured(socket, 'secure', TLS_ACCEPT_TIMEOUT_MS);
    const refusal = clientRefusal(socket, tlsOptions);
    if (refusal === undefined) {
      if (tlsOptions.clients !== undefined) this.#peerIdentity = peerIdentityOf(socket);
      return;
    }
    this.destroy(refusal);
    throw new NetError('tls-failed', `the certificate of the client is refused: ${refusal.message}`, {
      cause: refusal,
    });
  }

  startTlsClient(options: TlsClientOptions): Promise<void> {
    const plain = this.#detach();
    const secured = tls.connect({
      socket: plain,
      ...nameOptions(options.serverName),
      rejectUnauthorized: options.verify ?? true,
      minVersion: options.minVersion ?? 'TLSv1.2',
      ...options.identity,
      ...(options.ca === undefined ? {} : { ca: options.ca }),
      ...(options.alpn === undefined ? {} : { ALPNProtocols: [...options.alpn] }),
    });
    return this.#secured(secured, 'secureConnect', HANDSHAKE_TIMEOUT_MS);
  }

  /** Stops listening to the plain socket and forgets what it had received: bytes sent before the handshake
   * must never be taken for bytes sent inside it. */
  #detach(): net.Socket {
    const plain = this.#socket;
    for (const event of ['data', 'end', 'drain', 'close', 'error']) plain.removeAllListeners(event);
    plain.on('error', () => undefined);
    return plain;
  }

  #secured(socket: tls.TLSSocket, readyEvent: 'secure' | 'secureConnect', timeoutMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#socket = socket;
    this.#listen(socket);
    // Only who reads sees the peer leave in mid-handshake. Before it is over there is nothing else to read.
    socket.resume();
    const leave = (): void => this.destroy();
    const timer = this.#clock.schedule(timeoutMs, leave);
    const failed = (): void => {
      timer.cancel();
      const reason = this.#cause === undefined ? 'the connection closed' : messageOf(this.#cause);
      reject(new NetError('tls-failed', `TLS handshake failed: ${reason}`, { cause: this.#cause }));
    };
    socket.once('end', leave);
    socket.once('close', failed);
    socket.once('_tlsError', (error: Error) => this.destroy(error));
    socket.once(readyEvent, () => {
      // What comes now is for whoever attaches, or resumes, after this promise; not for who spoke before.
      socket.pause();
      timer.cancel();
      socket.off('end', leave);
      socket.off('close', failed);
      this.#secure = true;
      this.#alpn = socket.alpnProtocol || undefined;
      resolve();
    });
    return promise;
  }

  lent(shared: Buffer, length: number): boolean {
    const handler = this.#handler;
    if (handler?.lent === undefined) return false;
    this.#heard();
    handler.lent(shared, length);
    return true;
  }

  received(chunk: Buffer): void {
    this.#heard();
    this.#handler?.data(chunk);
  }

  #heard(): void {
    this.#idle.touch();
    if (this.#firstByteTimer === undefined) return;
    this.#firstByteTimer.cancel();
    this.#firstByteTimer = undefined;
  }

  #listen(socket: net.Socket): void {
    // Never emitted by a socket that reads into the shared buffer.
    socket.on('data', (chunk: Buffer) => this.received(chunk));
    // A 'data' listener sets the stream flowing; nothing may flow before somebody is attached.
    if (this.#handler === undefined || this.#paused) socket.pause();
    socket.on('end', () => {
      this.#peerEnded = true;
      if (this.#handler !== undefined) this.#ended();
    });
    socket.on('drain', () => {
      this.#idle.touch();
      this.#handler?.drain?.();
    });
    socket.on('error', (error: Error) => {
      this.#cause ??= error;
    });
    socket.on('close', () => this.#close());
  }

  /** Nothing was read or written for long; but a peer that slowly takes what was written before is not idle. */
  #foundIdle(): void {
    const leftBytes = unsentBytes(this.#socket);
    if (leftBytes > 0 && leftBytes !== this.#leftWhenIdleBytes) {
      this.#leftWhenIdleBytes = leftBytes;
      this.#idle.again();
      return;
    }
    this.destroy(new NetError('idle-timeout', `idle for ${this.#limits.idleTimeoutMs} ms`));
  }

  #ended(): void {
    if (this.#handler?.end !== undefined) this.#handler.end();
    else this.end();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#idle.stop();
    this.#firstByteTimer?.cancel();
    this.#closeTimer?.cancel();
    this.#gone();
    this.#handler?.close?.(this.#cause);
  }
}

/** An address is checked against the certificate and not sent: SNI has names only. RFC 6066 section 3. */
function nameOptions(name: string): { host: string; servername?: string } {
  return net.isIP(name) === 0 ? { host: name, servername: name } : { host: name };
}

function bufferedBytes(socket: net.Socket): number {
  return socket instanceof LeanSocket ? socket.unsentBytes : socket.writableLength;
}

/**
 * Bytes of the write under way that the operating system has not taken. `writableLength` falls only when all of a
 * write is taken, which for a large one and a slow peer may be long; node:net's own idle timeout looks here too.
 */
function unsentBytes(socket: net.Socket): number {
  const { _handle: handle } = socket as { _handle?: { writeQueueSize?: number } | null };
  return handle?.writeQueueSize ?? bufferedBytes(socket);
}
