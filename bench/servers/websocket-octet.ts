/** The WebSocket library's side of the comparison in `bench/websocket.ts`: what comes goes back. */
import { testHost } from '../../src/core/testing/host.ts';
import { startHttpServer } from '../../src/http/index.ts';
import { acceptWebSocket } from '../../src/http/websocket/index.ts';

const host = testHost('websocket');
const server = await startHttpServer({
  host,
  address: { host: '127.0.0.1', port: 0 },
  handler: (request) =>
    acceptWebSocket(request, {
      clock: host.clock,
      origins: [],
      open(socket) {
        socket.attach({
          message(message) {
            socket.send(message);
          },
        });
      },
    }),
});
console.log(`listening on ${server.endpoint.port}`);
