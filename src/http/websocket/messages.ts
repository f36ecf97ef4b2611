/** Messages one by one, for a reader that comes for them: what a handler is given waits here, up to a bound. */
import type { WebSocketConnection } from './connection.ts';

/**
 * Takes the messages of `socket` until it ends, which `socket.closed` explains; leaving early closes it.
 * @param queueBytes held for the reader; beyond it the peer waits
 */
export async function* messagesOf(
  socket: WebSocketConnection,
  queueBytes: number,
): AsyncGenerator<string | Buffer, void, void> {
  const inbox = new Inbox(queueBytes);
  socket.attach({ message: (message) => inbox.put(message), close: () => inbox.end() });
  try {
    for (let message = await inbox.next(); message !== undefined; message = await inbox.next()) yield message;
  } finally {
    void socket.close();
  }
}

class Inbox {
  readonly #boundBytes: number;
  #messages: (string | Buffer)[] = [];
  #bytes = 0;
  #ended = false;
  #arrived: (() => void) | undefined;
  #emptied: (() => void) | undefined;

  constructor(boundBytes: number) {
    this.#boundBytes = boundBytes;
  }

  /** @returns a promise of room when there is none left */
  put(message: string | Buffer): void | Promise<void> {
    this.#messages.push(message);
    this.#bytes += message.length;
    this.#wake();
    if (this.#bytes <= this.#boundBytes) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#emptied = resolve;
    return promise;
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** The next message; undefined after the last. */
  async next(): Promise<string | Buffer | undefined> {
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) {
        this.#bytes -= message.length;
        return message;
      }
      this.#emptied?.();
      this.#emptied = undefined;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
  }

  #wake(): void {
    this.#arrived?.();
    this.#arrived = undefined;
  }
}
