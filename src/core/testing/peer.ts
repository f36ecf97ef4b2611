/**
 * The other side of a server under test: sends raw bytes, collects what comes back, and waits for what a
 * test expects instead of for time to pass.
 */
import type { Connection, Endpoint, Network } from '../net/network.ts';

/** A test that waits longer than this has met a bug. */
const PATIENCE_MS = 10_000;

export class Peer {
  readonly connection: Connection;
  #chunks: Buffer[] = [];
  #closed = false;
  #cause: Error | undefined;
  #wake: (() => void)[] = [];

  private constructor(connection: Connection) {
    this.connection = connection;
    connection.attach({
      data: (chunk) => {
        this.#chunks.push(chunk);
        this.#notify();
      },
      close: (cause) => {
        this.#closed = true;
        this.#cause = cause;
        this.#notify();
      },
    });
  }

  static async connect(network: Network, to: Endpoint): Promise<Peer> {
    return new Peer(await network.connect({ host: to.address, port: to.port, timeoutMs: PATIENCE_MS }));
  }

  /** Everything received and not yet taken. */
  get received(): Buffer {
    // Joined when looked at, once: joining at each arrival would cost the square of megabytes.
    if (this.#chunks.length !== 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] as Buffer;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Why the connection broke, where it broke. */
  get cause(): Error | undefined {
    return this.#cause;
  }

  send(bytes: Uint8Array | string): void {
    this.connection.write(bytes);
  }

  /** One byte per write, with a turn of the event loop between. */
  async dribble(bytes: Uint8Array | string): Promise<void> {
    for (const byte of Buffer.from(bytes as string, 'latin1')) {
      this.connection.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Waits until `done` is true of what has been received. @throws with what came instead */
  async until(done: (received: Buffer) => boolean): Promise<Buffer> {
    const patience = AbortSignal.timeout(PATIENCE_MS);
    while (!done(this.received)) {
      if (this.#closed) throw new Error(`closed after ${JSON.stringify(this.received.toString('latin1'))}`);
      if (patience.aborted) throw new Error(`only ${JSON.stringify(this.received.toString('latin1'))}`);
      await this.#change(patience);
    }
    return this.received;
  }

  /** Waits for `text` (latin1), returns everything up to its end and forgets that. */
  async untilText(text: string): Promise<string> {
    const all = await this.until((received) => received.includes(text, 0, 'latin1'));
    return this.take(all.indexOf(text, 0, 'latin1') + text.length).toString('latin1');
  }

  /** Waits for at least `length` bytes and takes them. */
  async bytes(length: number): Promise<Buffer> {
    await this.until((received) => received.length >= length);
    return this.take(length);
  }

  take(length: number = this.received.length): Buffer {
    const taken = this.received.subarray(0, length);
    this.#chunks = [this.received.subarray(length)];
    return taken;
  }

  /** Waits until the connection is closed; returns what came before. */
  async untilClosed(): Promise<Buffer> {
    const patience = AbortSignal.timeout(PATIENCE_MS);
    while (!this.#closed) {
      if (patience.aborted) throw new Error('the connection was not closed');
      await this.#change(patience);
    }
    return this.received;
  }

  close(): void {
    this.connection.destroy();
  }

  async #change(patience: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      patience.addEventListener('abort', () => resolve(), { once: true });
      this.#wake.push(resolve);
    });
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
