/** The side of ws in `bench/websocket.ts`: what comes goes back. Its one argument is where the package lies. */
import { createRequire } from 'node:module';

/** As far as it is used here. */
interface Ws {
  readonly WebSocketServer: new (options: Readonly<Record<string, unknown>>) => Server;
}

interface Server {
  on(event: 'connection', listener: (socket: Socket) => void): void;
  on(event: 'listening', listener: () => void): void;
  address(): { readonly port: number };
}

interface Socket {
  on(event: 'message', listener: (data: Buffer, isBinary: boolean) => void): void;
  send(data: Buffer, options: { readonly binary: boolean }): void;
}

const [, , location = ''] = process.argv;
const { WebSocketServer } = createRequire(import.meta.url)(location) as Ws;

// Its defaults: no compression, and messages checked for UTF-8.
const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
server.on('connection', (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});
server.on('listening', () => console.log(`listening on ${server.address().port}`));
