/** A connection as the stream that node:http2 wants to have, with its back-pressure in both directions. */
import { Duplex } from 'node:stream';
import type { Connection } from '../../core/net/network.ts';

export class ConnectionDuplex extends Duplex {
  readonly #connection: Connection;
  readonly #sent: (bytes: Buffer) => void;
  #written: (() => void) | undefined;

  /** @param sent told of all bytes that are written */
  constructor(connection: Connection, sent: (bytes: Buffer) => void) {
    super({ allowHalfOpen: true });
    this.#connection = connection;
    this.#sent = sent;
  }

  received(chunk: Buffer): void {
    if (!this.push(chunk)) this.#connection.pause();
  }

  receivedEnd(): void {
    this.push(null);
  }

  /** The connection has taken what it was behind with. */
  drained(): void {
    const written = this.#written;
    this.#written = undefined;
    written?.();
  }

  override _read(): void {
    this.#connection.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, written: () => void): void {
    this.#send(chunk, written);
  }

  /** One write for all that has gathered. */
  override _writev(chunks: { chunk: Buffer }[], written: () => void): void {
    this.#send(Buffer.concat(chunks.map(({ chunk }) => chunk)), written);
  }

  #send(bytes: Buffer, written: () => void): void {
    this.#sent(bytes);
    if (this.#connection.write(bytes)) written();
    else this.#written = written;
  }

  override _final(done: () => void): void {
    this.#connection.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (error === null) this.#connection.end();
    else this.#connection.destroy(error);
    done(null);
  }
}
