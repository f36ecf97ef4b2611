/**
 * TCP sockets with less between a connection and the operating system than node:net has.
 *
 *   reading    ordinary: 64 KiB of its own for every read, then cut down to the few bytes that came
 *              here:     all sockets read into one buffer, which is lent to who reads at once, and from which the few
 *                        bytes are copied for others
 *
 *   writing    ordinary: into the queue of a stream, out of it at once, and the queue told so
 *              here:     past the queue while nothing is in it
 *
 * What the ordinary ways cost is more than all that an HTTP server does with a small request: `docs/adr/0010` has figures.
 *
 * node:net offers the reading as `onread`, for sockets that connect. Sockets that a server accepts are made by node:net
 * itself and without it, so theirs is made again around the same handle. The handle is a private field of Node; where it
 * is not as it was in versions 20 and 26, the socket stays as it is.
 */
import { Buffer } from 'node:buffer';
import net from 'node:net';
import { Slab } from '../bytes/slab.ts';
import { READ_BYTES } from './limits.ts';

/** Whom a socket gives what it received. */
export interface Receiver {
  /**
   * Offers the first `length` bytes of `shared`, which are others' as soon as this returns.
   * @returns false to be given them to keep
   */
  lent(shared: Buffer, length: number): boolean;
  /** The bytes are the receiver's. */
  received(chunk: Buffer): void;
}

/** What the sockets of one network have in common. */
export class LeanSockets {
  /** One is enough: reads are synchronous and never within each other. */
  readonly #shared = Buffer.allocUnsafeSlow(READ_BYTES);
  readonly #slab = new Slab();

  /** An unconnected socket. */
  create(receiver: Receiver): net.Socket {
    return new LeanSocket({ allowHalfOpen: true, noDelay: true, onread: this.#onread(receiver) });
  }

  /**
   * A paused socket in place of `accepted`, which is over then.
   * @returns undefined when `accepted` has to serve as it is
   */
  adopt(accepted: net.Socket, receiver: Receiver): net.Socket | undefined {
    const owner = accepted as unknown as { _handle: { useUserBuffer?: unknown } | null };
    const handle = owner._handle;
    if (typeof handle?.useUserBuffer !== 'function') return undefined;
    owner._handle = null;
    // Its server counts it no more.
    accepted.destroy();
    const options = { handle, allowHalfOpen: true, onread: this.#onread(receiver) };
    return new LeanSocket(options as net.SocketConstructorOpts).pause();
  }

  #onread(receiver: Receiver): net.OnReadOpts {
    const shared = this.#shared;
    return {
      buffer: shared,
      callback: (count) => {
        if (!receiver.lent(shared, count)) receiver.received(this.#slab.copy(shared, 0, count));
        return true;
      },
    };
  }
}

export class LeanSocket extends net.Socket {
  /** Given to the operating system past the stream's queue, and not yet taken. */
  #underWayBytes = 0;
  #needsDrain = false;

  /** What was written and not taken by the operating system, which `writableLength` does not know in full. */
  get unsentBytes(): number {
    return this.writableLength + this.#underWayBytes;
  }

  override write(chunk: Uint8Array | string, encoding?: unknown, callback?: unknown): boolean {
    const isPlain = callback === undefined && typeof encoding !== 'function';
    if (!isPlain || this.#underWayBytes > 0 || this.writableLength > 0 || !this.writable)
      return super.write(chunk, encoding as BufferEncoding, callback as (error?: Error | null) => void);
    this.#underWayBytes = chunk.length;
    // Mostly taken, and the callback called, before this returns.
    this._write(chunk, (encoding ?? 'buffer') as BufferEncoding, this.#taken);
    if (this.#underWayBytes === 0) return true;
    this.#needsDrain = this.#underWayBytes >= this.writableHighWaterMark;
    return !this.#needsDrain;
  }

  readonly #taken = (error?: Error | null): void => {
    this.#underWayBytes = 0;
    if (error) {
      this.destroy(error);
      return;
    }
    if (!this.#needsDrain) return;
    this.#needsDrain = false;
    // With more in the queue by now, the stream tells when that is out; nobody may write more to what has ended.
    if (this.writable && !this.writableNeedDrain) this.emit('drain');
  };
}
