/** The ceiling in `bench/http.ts`: node:net, and one fixed answer for each end of a head; nothing is parsed. */
import net from 'node:net';

const BODY = '{"id":"42","name":"Lumos","effect":"light"}';
const ANSWER =
  'HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: application/json\r\n' +
  `Content-Length: ${BODY.length}\r\n\r\n${BODY}`;
const HEAD_END = '\r\n\r\n';

const server = net.createServer({ noDelay: true }, (socket) => {
  socket.on('data', (chunk) => {
    let count = 0;
    for (let at = chunk.indexOf(HEAD_END); at >= 0; at = chunk.indexOf(HEAD_END, at + 1)) count++;
    socket.write(ANSWER.repeat(count), 'latin1');
  });
  socket.on('error', () => undefined);
});
server.listen(0, '127.0.0.1', () => {
  console.log(`listening on ${(server.address() as net.AddressInfo).port}`);
});
