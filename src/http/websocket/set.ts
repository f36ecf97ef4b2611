/**
 * The WebSockets of one service, so that its shutdown can say goodbye to them: an HTTP server that switched
 * protocols has let them go and does not know them any more.
 */
import type { WebSocketConnection } from './connection.ts';
import { DEFAULT_MAX_SOCKETS } from './limits.ts';
import { CLOSE_CODE } from './wire/close.ts';

export class WebSocketSet implements Iterable<WebSocketConnection> {
  readonly #sockets = new Set<WebSocketConnection>();
  readonly #maxSockets: number;
  #isClosing = false;

  /** @param options.maxSockets further requests get 503 */
  constructor(options: { readonly maxSockets?: number } = {}) {
    this.#maxSockets = options.maxSockets ?? DEFAULT_MAX_SOCKETS;
  }

  get size(): number {
    return this.#sockets.size;
  }

  /** False when it is full, or `close` was called: requests for a WebSocket of this set get 503. */
  get hasRoom(): boolean {
    return !this.#isClosing && this.#sockets.size < this.#maxSockets;
  }

  /** Keeps `socket` until it is gone. */
  add(socket: WebSocketConnection): void {
    this.#sockets.add(socket);
    void socket.closed.then(() => this.#sockets.delete(socket));
    if (this.#isClosing) void socket.close(CLOSE_CODE.goingAway);
  }

  [Symbol.iterator](): IterableIterator<WebSocketConnection> {
    return this.#sockets.values();
  }

  /**
   * Closes all with 1001 and waits until they are gone, which `closeTimeoutMs` of each bounds. To be called
   * before, or together with, `close` of the HTTP server, which waits for their connections.
   */
  async close(reason = ''): Promise<void> {
    this.#isClosing = true;
    await Promise.all([...this.#sockets].map((socket) => socket.close(CLOSE_CODE.goingAway, reason)));
  }
}
