/** A server of WebSockets and what connects to it, over a network in memory and a clock that tests move. */
import { createSimulatedNetwork, type SimulatedNetwork } from '../../../core/net/simulated-network.ts';
import { SeededRandom } from '../../../core/random/seeded-random.ts';
import { SimulatedClock } from '../../../core/time/simulated-clock.ts';
import { createHttpClient, type HttpClient } from '../../client/index.ts';
import { type HttpServer, type HttpServerOptions, startHttpServer } from '../../server.ts';
import { type AcceptOptions, acceptWebSocket } from '../accept.ts';
import { type ConnectOptions, connectWebSocket } from '../connect.ts';
import type { WebSocketConnection } from '../connection.ts';

export interface World extends AsyncDisposable {
  readonly clock: SimulatedClock;
  readonly network: SimulatedNetwork;
  readonly server: HttpServer;
  readonly client: HttpClient;
  readonly url: string;
  /** The server's ends, in the order in which they opened. */
  readonly accepted: WebSocketConnection[];
  connect(options?: Partial<ConnectOptions>): Promise<WebSocketConnection>;
}

/** @param observer of the test's host, for the server's log */
export async function startWorld(
  observer: HttpServerOptions['host']['observer'],
  options: Partial<AcceptOptions> = {},
): Promise<World> {
  const clock = new SimulatedClock();
  const network = createSimulatedNetwork({ clock });
  const random = new SeededRandom(1);
  const accepted: WebSocketConnection[] = [];
  const server = await startHttpServer({
    host: { clock, network, random, observer },
    address: { host: '127.0.0.1', port: 0 },
    handler: (request) =>
      acceptWebSocket(request, {
        clock,
        origins: ['https://app.test'],
        ...options,
        open(socket) {
          accepted.push(socket);
          options.open?.(socket);
        },
      }),
  });
  const client = createHttpClient({ network, clock });
  const url = `ws://127.0.0.1:${server.endpoint.port}/chat`;
  return {
    clock,
    network,
    server,
    client,
    url,
    accepted,
    connect: (more) => connectWebSocket({ client, clock, random, url, ...more }),
    async [Symbol.asyncDispose]() {
      for (const socket of accepted) socket.destroy();
      await client.close();
      await server.close(0);
    },
  };
}
