/** The API's peer in `bench/api.ts`: the route as a programmer would write it, over node:http and node-postgres. */
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';

const PREFIX = '/api/spells/';
const CONNECTIONS = 8;

const pool = new pg.Pool({ connectionString: process.argv[2], max: CONNECTIONS });

async function answer(url: string, response: http.ServerResponse): Promise<void> {
  const id = url.startsWith(PREFIX) ? Number(url.slice(PREFIX.length)) : Number.NaN;
  if (!Number.isInteger(id)) {
    response.writeHead(404).end();
    return;
  }
  const text = 'SELECT id, name FROM spells WHERE id = $1';
  const { rows } = await pool.query({ name: 'by-key', text, values: [id] });
  const body = JSON.stringify(rows[0] ?? null);
  const status = rows.length === 0 ? 404 : 200;
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(body);
}

const server = http.createServer((request, response) => {
  answer(request.url ?? '', response).catch((error: unknown) => response.writeHead(500).end(String(error)));
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
console.log(`listening on ${(server.address() as AddressInfo).port}`);
