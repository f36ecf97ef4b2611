/**
 * A load of echoes: connections that each send a write of masked frames, wait until all of them have come back,
 * check them, and go on. The bytes are made once, so that the load costs little beside the server.
 */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import type { Load } from '../benchmark.ts';

export interface EchoOptions {
  readonly port: number;
  readonly connections: number;
  readonly of: 'text' | 'binary';
  readonly payloadBytes: number;
  /** Frames per write. */
  readonly pipelined: number;
}

const ROUND_MS = 800;
const TEXT = 0x81;
const BINARY = 0x82;
const MASK = 0x80;

/** One round of echoes: its connections are opened before it, and closed with it. */
export interface EchoRound {
  readonly before: () => Promise<void>;
  readonly load: Load;
}

/** No connection lives on between rounds: a server would ask it by a ping whether anybody is there. */
export function echoes(options: EchoOptions): EchoRound {
  const question = Buffer.concat(Array.from({ length: options.pipelined }, () => frameOf(options, true)));
  const answer = Buffer.concat(Array.from({ length: options.pipelined }, () => frameOf(options, false)));
  let clients: EchoClient[] = [];
  return {
    async before() {
      clients = await Promise.all(
        Array.from({ length: options.connections }, () => EchoClient.connect(options.port, question, answer)),
      );
    },
    async load() {
      const untilMs = performance.now() + ROUND_MS;
      try {
        const rounds = await Promise.all(clients.map((client) => client.run(untilMs)));
        return { operations: rounds.reduce((sum, count) => sum + count, 0) * options.pipelined };
      } finally {
        for (const client of clients) client.close();
      }
    },
  };
}

class EchoClient {
  readonly #socket: net.Socket;
  readonly #question: Buffer;
  readonly #answer: Buffer;
  #received = 0;
  #rounds = 0;
  #untilMs = 0;
  readonly #done: PromiseWithResolvers<number> = Promise.withResolvers();

  private constructor(socket: net.Socket, question: Buffer, answer: Buffer) {
    this.#socket = socket;
    this.#question = question;
    this.#answer = answer;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('close', () => this.#done.reject(new Error('the server closed a connection')));
    socket.on('error', (error) => this.#done.reject(error));
    // It may fail before its round begins, which then tells of it.
    this.#done.promise.catch(() => undefined);
  }

  static async connect(port: number, question: Buffer, answer: Buffer): Promise<EchoClient> {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    const key = randomBytes(16).toString('base64');
    socket.write(
      `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
    );
    const [head] = (await once(socket, 'data')) as [Buffer];
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    const text = head.toString('latin1');
    if (!text.startsWith('HTTP/1.1 101 ') || !text.includes(accept) || !text.endsWith('\r\n\r\n'))
      throw new Error(`no WebSocket: ${text}`);
    return new EchoClient(socket, question, answer);
  }

  /** @returns writes echoed until then. @throws Error when an echo differs, or the connection is gone */
  run(untilMs: number): Promise<number> {
    this.#untilMs = untilMs;
    this.#socket.write(this.#question);
    return this.#done.promise;
  }

  #take(chunk: Buffer): void {
    const end = this.#received + chunk.length;
    if (end > this.#answer.length || chunk.compare(this.#answer, this.#received, end) !== 0) {
      this.#done.reject(new Error('an echo is not what was sent'));
      this.#socket.destroy();
      return;
    }
    this.#received = end;
    if (end < this.#answer.length) return;
    this.#received = 0;
    this.#rounds++;
    if (performance.now() < this.#untilMs) this.#socket.write(this.#question);
    else this.#done.resolve(this.#rounds);
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** One frame of the client, or the server's echo of it. */
function frameOf({ of, payloadBytes }: EchoOptions, isMasked: boolean): Buffer {
  const key = Buffer.of(0x37, 0xfa, 0x21, 0x3d);
  const first = of === 'text' ? TEXT : BINARY;
  const mask = isMasked ? MASK : 0;
  const header =
    payloadBytes < 126
      ? Buffer.of(first, mask | payloadBytes)
      : Buffer.of(first, mask | 126, payloadBytes >> 8, payloadBytes & 0xff);
  const payload = Buffer.from(Array.from({ length: payloadBytes }, (_, at) => byteAt(of, at)));
  if (!isMasked) return Buffer.concat([header, payload]);
  const masked = payload.map((byte, at) => byte ^ key[at & 3]!);
  return Buffer.concat([header, key, masked]);
}

function byteAt(of: EchoOptions['of'], at: number): number {
  return of === 'text' ? 0x20 + (at % 95) : (at * 7) & 0xff;
}
