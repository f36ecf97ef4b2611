/** One end of an in-memory connection; see simulated-network.ts for how the two are joined. */
import { assert } from '../assert.ts';
import type { Clock, Timer } from '../time/clock.ts';
import { NetError } from './errors.ts';
import type { Connection, ConnectionHandler, ConnectionLimits, Endpoint } from './network.ts';

/** `write` returns false from here on, as a socket's stream does. */
const HIGH_WATER_BYTES = 64 * 1024;

export class SimulatedConnection implements Connection {
  readonly id: number;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly #limits: ConnectionLimits;
  readonly #clock: Clock;
  readonly #deliver: (run: () => void) => void;
  readonly #gone: (() => void)[] = [];
  readonly #arrived: Buffer[] = [];
  #far: SimulatedConnection | undefined;
  #handler: ConnectionHandler | undefined;
  #bufferedBytes = 0;
  #needsDrain = false;
  #paused = false;
  #ended = false;
  #peerEnd: 'open' | 'arrived' | 'told' = 'open';
  #closed = false;
  #secure = false;
  #cause: Error | undefined;
  #firstByteTimer: Timer | undefined;
  #idleTimer: Timer | undefined;
  #closeTimer: Timer | undefined;

  constructor(
    id: number,
    local: Endpoint,
    remote: Endpoint,
    limits: ConnectionLimits,
    clock: Clock,
    deliver: (run: () => void) => void,
  ) {
    this.id = id;
    this.local = local;
    this.remote = remote;
    this.#limits = limits;
    this.#clock = clock;
    this.#deliver = deliver;
    this.#touch();
  }

  /** Makes the two ends of one connection. */
  join(far: SimulatedConnection): void {
    this.#far = far;
    far.#far = this;
  }

  get far(): SimulatedConnection {
    assert(this.#far !== undefined, 'a simulated connection is joined before it is used');
    return this.#far;
  }

  whenGone(tell: () => void): void {
    this.#gone.push(tell);
  }

  markSecure(): void {
    this.#secure = true;
  }

  watchFirstByte(): void {
    const { firstByteTimeoutMs } = this.#limits;
    if (firstByteTimeoutMs === 0) return;
    this.#firstByteTimer = this.#clock.schedule(firstByteTimeoutMs, () =>
      this.destroy(new NetError('first-byte-timeout', `no byte in ${firstByteTimeoutMs} ms`)),
    );
  }

  get secure(): boolean {
    return this.#secure;
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  get destroyed(): boolean {
    return this.#closed;
  }

  attach(handler: ConnectionHandler): void {
    this.#handler = handler;
    if (this.#closed) queueMicrotask(() => handler.close?.(this.#cause));
    else queueMicrotask(() => this.#flow());
  }

  write(bytes: Uint8Array | string): boolean {
    if (this.#closed || this.#ended) return false;
    if (this.#bufferedBytes > this.#limits.maxBufferedBytes) {
      this.destroy(new NetError('peer-not-reading', `${this.#bufferedBytes} bytes unread by the peer`));
      return false;
    }
    const chunk = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes);
    this.#touch();
    this.#bufferedBytes += chunk.length;
    const far = this.far;
    this.#deliver(() => far.#receive(chunk));
    this.#needsDrain ||= this.#bufferedBytes >= HIGH_WATER_BYTES;
    return !this.#needsDrain;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    queueMicrotask(() => this.#flow());
  }

  end(bytes?: Uint8Array | string): void {
    if (this.#closed || this.#ended) return;
    if (bytes !== undefined) this.write(bytes);
    this.#ended = true;
    const far = this.far;
    this.#deliver(() => far.#receiveEnd());
    this.resume();
    this.#closeTimer ??= this.#clock.schedule(this.#limits.closeTimeoutMs, () => this.destroy());
    this.#closeIfBothEnded();
  }

  destroy(cause?: Error): void {
    if (this.#closed) return;
    const far = this.far;
    this.#close(cause);
    this.#deliver(() =>
      far.#close(far.#ended ? undefined : new NetError('connection-lost', 'reset by peer')),
    );
  }

  async startTlsServer(): Promise<void> {
    this.#arrived.length = 0;
    this.#secure = true;
  }

  async startTlsClient(): Promise<void> {
    this.#secure = true;
  }

  #receive(chunk: Buffer): void {
    if (this.#closed) return;
    this.#arrived.push(chunk);
    this.#flow();
  }

  #receiveEnd(): void {
    if (this.#closed) return;
    this.#peerEnd = 'arrived';
    this.#flow();
  }

  /** Hands over what has arrived, as far as the handler wants it. */
  #flow(): void {
    while (this.#handler !== undefined && !this.#paused && !this.#closed) {
      const chunk = this.#arrived.shift();
      if (chunk === undefined) break;
      this.#firstByteTimer?.cancel();
      this.#touch();
      this.far.#taken(chunk.length);
      this.#handler.data(chunk);
    }
    if (
      this.#peerEnd !== 'arrived' ||
      this.#arrived.length > 0 ||
      this.#handler === undefined ||
      this.#closed
    )
      return;
    this.#peerEnd = 'told';
    if (this.#handler.end !== undefined) this.#handler.end();
    else this.end();
    this.#closeIfBothEnded();
  }

  #taken(length: number): void {
    this.#bufferedBytes -= length;
    this.#touch();
    if (!this.#needsDrain || this.#bufferedBytes > 0 || this.#closed) return;
    this.#needsDrain = false;
    this.#handler?.drain?.();
  }

  #closeIfBothEnded(): void {
    if (this.#ended && this.#peerEnd === 'told') queueMicrotask(() => this.#close(undefined));
  }

  #touch(): void {
    if (this.#limits.idleTimeoutMs === 0 || this.#closed) return;
    this.#idleTimer?.cancel();
    this.#idleTimer = this.#clock.schedule(this.#limits.idleTimeoutMs, () =>
      this.destroy(new NetError('idle-timeout', `idle for ${this.#limits.idleTimeoutMs} ms`)),
    );
  }

  #close(cause: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cause = cause;
    this.#arrived.length = 0;
    for (const timer of [this.#firstByteTimer, this.#idleTimer, this.#closeTimer]) timer?.cancel();
    for (const tell of this.#gone) tell();
    this.#handler?.close?.(cause);
  }
}
