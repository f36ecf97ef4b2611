/** node:http's side of the comparison in `bench/http.ts`: the same route, matched by hand. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';

const PREFIX = '/spells/';

const server = http.createServer((request, response) => {
  const url = request.url ?? '';
  if (request.method !== 'GET' || !url.startsWith(PREFIX)) {
    response.writeHead(404).end();
    return;
  }
  const id = decodeURIComponent(url.slice(PREFIX.length));
  const body = JSON.stringify({ id, name: 'Lumos', effect: 'light' });
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
});
server.listen(0, '127.0.0.1', () => {
  console.log(`listening on ${(server.address() as AddressInfo).port}`);
});
