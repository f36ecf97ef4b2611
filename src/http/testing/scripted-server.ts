/** A server that says what a test tells it to, whatever it is asked, on any network. */
import type { Connection, Endpoint, Listener, Network, TlsIdentity } from '../../core/net/network.ts';

/**
 * What it does when bytes have come.
 * @param index of the connection, from 0
 * @param all what came on this connection so far, as latin1
 */
export type Script = (connection: Connection, index: number, all: string) => void;

const LIMITS = {
  maxConnections: 1_000,
  firstByteTimeoutMs: 0,
  idleTimeoutMs: 0,
  maxBufferedBytes: 1 << 30,
  closeTimeoutMs: 100,
};

export interface ScriptOptions {
  readonly tls?: TlsIdentity;
  /** Told of a connection before any byte comes. */
  readonly accepted?: (connection: Connection, index: number) => void;
  /** Told that the client closes; default: the server closes too. */
  readonly ended?: (connection: Connection, index: number) => void;
}

export class ScriptedServer implements AsyncDisposable {
  readonly connections: Connection[] = [];
  readonly received: string[] = [];
  readonly #listener: Listener;

  private constructor(listener: Listener) {
    this.#listener = listener;
  }

  static async start(network: Network, script: Script, options: ScriptOptions = {}): Promise<ScriptedServer> {
    const { tls, accepted, ended } = options;
    const host = '127.0.0.1';
    const listening = { host, port: 0, limits: LIMITS, ...(tls === undefined ? {} : { tls }) };
    const listener = await network.listen(listening, (connection) => {
      const index = server.connections.push(connection) - 1;
      server.received.push('');
      accepted?.(connection, index);
      connection.attach({
        data: (chunk) => {
          server.received[index] += chunk.toString('latin1');
          script(connection, index, server.received[index]!);
        },
        end: () => (ended === undefined ? connection.end() : ended(connection, index)),
      });
    });
    const server = new ScriptedServer(listener);
    return server;
  }

  get endpoint(): Endpoint {
    return this.#listener.endpoint;
  }

  get url(): string {
    return `http://127.0.0.1:${this.endpoint.port}`;
  }

  get openCount(): number {
    return this.#listener.connectionCount;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.connections) connection.destroy();
    await this.#listener.close(0);
  }
}
