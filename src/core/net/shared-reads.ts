/**
 * Reading many sockets into one buffer.
 *
 *   ordinary    every read gets 64 KiB of its own, which is then cut down to the few bytes that came
 *   here        every read of a process goes to one buffer, from which the few bytes are copied
 *
 * An allocation and a shrinking by the C library cost more than all that an HTTP server does with a small request: with
 * one buffer a bare server of node:net spends a fifth less (`bench/servers/http-net.ts`, 64 connections).
 *
 * node:net offers this as `onread`, for sockets that connect. Sockets that a server accepts are made by node:net itself
 * and without it, so theirs is made again around the same handle. The handle is a private field of Node; where it is not
 * as it was in versions 20 to 26, the socket stays as it is and reads in the ordinary way.
 */
import { Buffer } from 'node:buffer';
import net from 'node:net';

/** As much as node:net asks the operating system for in the ordinary way. */
const READ_BYTES = 65_536;

/** Takes what a socket received; the bytes are the receiver's to keep. */
export type Receive = (chunk: Buffer) => void;

/** The one buffer of a network. Reads are synchronous and never within each other, so that one is enough. */
export class SharedReads {
  readonly #buffer = Buffer.allocUnsafeSlow(READ_BYTES);

  /** The option `onread` of a socket that is about to connect. */
  onread(receive: Receive): net.OnReadOpts {
    return {
      buffer: this.#buffer,
      callback: (count) => {
        const chunk = Buffer.allocUnsafe(count);
        this.#buffer.copy(chunk, 0, 0, count);
        receive(chunk);
        return true;
      },
    };
  }

  /**
   * A paused socket in place of `accepted`, which is over then.
   * @returns undefined when `accepted` has to read for itself
   */
  adopt(accepted: net.Socket, receive: Receive): net.Socket | undefined {
    const owner = accepted as unknown as { _handle: { useUserBuffer?: unknown } | null };
    const handle = owner._handle;
    if (typeof handle?.useUserBuffer !== 'function') return undefined;
    owner._handle = null;
    // Its server counts it no more.
    accepted.destroy();
    const options = { handle, allowHalfOpen: true, onread: this.onread(receive) };
    return new net.Socket(options as net.SocketConstructorOpts).pause();
  }
}
