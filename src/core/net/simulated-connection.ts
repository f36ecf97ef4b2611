/**
 * One end of a simulated connection: what the process sees of it, and what its operating system does when the
 * process has let go.
 *
 *   process    │ open ──▶ ended (sends no more) ──▶ closed
 *   kernel     │ as the process, but after `closed` it answers what still arrives with a reset
 *   no power   │ silent; after the next start of the machine, as after `closed`
 */
import { assert } from '../assert.ts';
import { crc32 } from '../bytes/crc32.ts';
import type { Clock, Timer } from '../time/clock.ts';
import { NetError } from './errors.ts';
import { IdleWatch } from './idle-watch.ts';
import type { Connection, ConnectionHandler, ConnectionLimits, Endpoint } from './network.ts';
import type { SimulatedLink } from './simulated-link.ts';
import { afterDelay, type Segment, SimulatedStream } from './simulated-stream.ts';

/** `write` returns false from here on, as a socket's stream does. */
const HIGH_WATER_BYTES = 64 * 1024;
/** What lent memory is written over with. */
const LENT_FILL = 0xaa;

export interface EndOptions {
  readonly id: number;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly limits: ConnectionLimits;
  readonly link: SimulatedLink;
  /** The process's: its timers end with it. */
  readonly clock: Clock;
  /** The network's: what is under way arrives whoever has ended. */
  readonly wire: Clock;
  readonly trace: ((event: string) => void) | undefined;
  /** Told when the connection is no more for its process. */
  readonly gone: (end: SimulatedConnection) => void;
  /** The server's answer to the client's wish to connect has arrived. */
  readonly opened?: () => void;
}

export class SimulatedConnection implements Connection {
  readonly id: number;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly #options: EndOptions;
  readonly #outgoing: SimulatedStream;
  readonly #idle: IdleWatch;
  readonly #gone: (() => void)[] = [];
  #arrived: Buffer[] = [];
  #far: SimulatedConnection | undefined;
  #handler: ConnectionHandler | undefined;
  #needsDrain = false;
  #paused = false;
  #ended = false;
  #peerEnd: 'open' | 'arrived' | 'told' = 'open';
  #closed = false;
  #secure = false;
  #alpn: string | undefined;
  #cause: Error | undefined;
  #firstByteTimer: Timer | undefined;
  #closeTimer: Timer | undefined;

  constructor(options: EndOptions) {
    this.id = options.id;
    this.local = options.local;
    this.remote = options.remote;
    this.#options = options;
    this.#outgoing = new SimulatedStream(options.link, options.wire, {
      arrived: (segment) => this.far.#receive(segment),
      flushed: () => this.#flushed(),
      gaveUp: () => this.#close(new NetError('connection-lost', 'the peer has not answered for too long')),
    });
    this.#idle = new IdleWatch(options.clock, options.limits.idleTimeoutMs, () =>
      this.destroy(new NetError('idle-timeout', `idle for ${options.limits.idleTimeoutMs} ms`)),
    );
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

  markSecure(alpn?: string): void {
    this.#secure = true;
    this.#alpn = alpn;
  }

  /** The server's side: tells the client that it is let in, and waits for what it says. */
  accept(): void {
    this.#outgoing.open();
    const { firstByteTimeoutMs } = this.#options.limits;
    if (firstByteTimeoutMs === 0) return;
    this.#firstByteTimer = this.#options.clock.schedule(firstByteTimeoutMs, () =>
      this.destroy(new NetError('first-byte-timeout', `no byte in ${firstByteTimeoutMs} ms`)),
    );
  }

  get secure(): boolean {
    return this.#secure;
  }

  get alpn(): string | undefined {
    return this.#alpn;
  }

  /** There are no certificates here. */
  get peerIdentity(): undefined {
    return undefined;
  }

  get bufferedBytes(): number {
    return this.#outgoing.unsentBytes;
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
    const unsentBytes = this.#outgoing.unsentBytes;
    if (unsentBytes > this.#options.limits.maxBufferedBytes) {
      this.destroy(new NetError('peer-not-reading', `${unsentBytes} bytes unread by the peer`));
      return false;
    }
    this.#idle.touch();
    this.#outgoing.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes));
    this.#needsDrain ||= this.#outgoing.unsentBytes >= HIGH_WATER_BYTES;
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
    if (this.#closed) return;
    this.#ended = true;
    this.#outgoing.end();
    this.resume();
    if (this.#closeTimer === undefined) this.#awaitClose(this.#outgoing.unsentBytes);
    this.#closeIfBothEnded();
  }

  /** Gives up on a peer that neither takes what is left nor closes; as long as it reads, it has time. */
  #awaitClose(leftBytes: number): void {
    const { clock, limits } = this.#options;
    this.#closeTimer = clock.schedule(limits.closeTimeoutMs, () => {
      const stillLeftBytes = this.#outgoing.unsentBytes;
      if (stillLeftBytes < leftBytes) this.#awaitClose(stillLeftBytes);
      else this.destroy();
    });
  }

  destroy(cause?: Error): void {
    if (this.#closed) return;
    this.#letGo();
    this.#close(cause);
  }

  /** The network breaks it: both ends learn of it, some of what is under way arrives before. */
  reset(): void {
    this.#sendReset();
    this.far.#sendReset();
  }

  /** Both ends stay open, and nothing passes between them any more. */
  lose(): void {
    this.#outgoing.lose();
    this.far.#outgoing.lose();
  }

  /** The process was killed: its operating system closes the connection, and nobody here is told. */
  orphan(): void {
    if (this.#closed) return;
    this.#handler = undefined;
    this.#letGo();
    this.#close(undefined);
  }

  /** The machine has lost its power: the peer is told nothing until it speaks to the restarted machine. */
  vanish(): void {
    this.#outgoing.die();
    if (this.#closed) return;
    this.#handler = undefined;
    this.#close(undefined);
  }

  async startTlsServer(): Promise<void> {
    this.#arrived.length = 0;
    this.#secure = true;
  }

  async startTlsClient(): Promise<void> {
    this.#secure = true;
  }

  /** As close(2): input that nobody will read makes it a reset, else what was sent arrives, and then the end. */
  #letGo(): void {
    if (this.#arrived.length > 0) this.#sendReset();
    else this.#outgoing.abandon();
  }

  #sendReset(): void {
    const { link, wire, trace } = this.#options;
    const { far } = this;
    afterDelay(wire, link.segmentDelayMs(0), () => {
      this.#outgoing.die();
      if (link.isCut) return;
      trace?.(`#${far.id} reset`);
      far.#outgoing.die();
      far.#close(new NetError('connection-lost', 'reset by peer'));
    });
  }

  #receive(segment: Segment): void {
    this.#trace(segment);
    if (segment.kind === 'open') return this.#opened();
    if (this.#closed) {
      // Nobody is there who could read it: the sender is told so. An end asks for nothing.
      if (segment.kind === 'data') this.#sendReset();
      return;
    }
    if (segment.kind === 'data') this.#arrived.push(segment.bytes);
    else this.#peerEnd = 'arrived';
    this.#flow();
  }

  #trace(segment: Segment): void {
    const content = segment.kind === 'data' ? ` ${segment.bytes.length} ${crc32(segment.bytes)}` : '';
    this.#options.trace?.(`#${this.id} ${segment.kind}${content}`);
  }

  #opened(): void {
    if (this.#closed) this.#sendReset();
    else this.#options.opened?.();
  }

  /** Hands over what has arrived, as far as the handler wants it. */
  #flow(): void {
    while (this.#wantsData()) {
      const chunk = this.#nextChunk();
      if (chunk === undefined) break;
      this.#firstByteTimer?.cancel();
      this.#idle.touch();
      this.far.#outgoing.read(chunk.length);
      this.#deliver(chunk);
    }
    if (this.#peerEnd === 'arrived' && this.#arrived.length === 0) this.#tellEnd();
  }

  #deliver(chunk: Buffer): void {
    const handler = this.#handler;
    if (handler?.lent === undefined) {
      handler?.data(chunk);
      return;
    }
    // Something lies behind it, as in a buffer that many share, and it is written over as soon as it may be.
    const shared = Buffer.alloc(chunk.length + 1, LENT_FILL);
    chunk.copy(shared);
    handler.lent(shared, chunk.length);
    shared.fill(LENT_FILL);
  }

  #wantsData(): boolean {
    return this.#handler !== undefined && !this.#paused && !this.#closed;
  }

  #nextChunk(): Buffer | undefined {
    if (this.#arrived.length < 2 || !this.#options.link.joins()) return this.#arrived.shift();
    return Buffer.concat(this.#arrived.splice(0));
  }

  #tellEnd(): void {
    if (!this.#wantsData()) return;
    this.#peerEnd = 'told';
    if (this.#handler?.end !== undefined) this.#handler.end();
    else this.end();
    this.#closeIfBothEnded();
  }

  #flushed(): void {
    this.#idle.touch();
    this.#closeIfBothEnded();
    if (!this.#needsDrain || this.#closed) return;
    this.#needsDrain = false;
    // Not within the read or write that made room.
    queueMicrotask(() => {
      if (!this.#closed) this.#handler?.drain?.();
    });
  }

  #closeIfBothEnded(): void {
    if (!this.#ended || this.#peerEnd !== 'told' || this.#outgoing.unsentBytes > 0) return;
    queueMicrotask(() => this.#close(undefined));
  }

  #close(cause: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cause = cause;
    this.#arrived = [];
    this.#idle.stop();
    for (const timer of [this.#firstByteTimer, this.#closeTimer]) timer?.cancel();
    this.#options.gone(this);
    for (const tell of this.#gone) tell();
    this.#handler?.close?.(cause);
  }
}
