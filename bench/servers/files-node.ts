/**
 * An object store as it is written in an afternoon, for `bench/objects.ts`: one file per object, written beside,
 * synced and renamed, its folder synced, and only then answered.
 */
import { once } from 'node:events';
import { open, rename } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

const folder = process.argv[2] ?? '.';
const directory = await open(folder, 'r');
let uploads = 0;

async function put(request: http.IncomingMessage): Promise<void> {
  const name = path.basename(request.url ?? '');
  const unfinished = path.join(folder, `upload-${uploads++}`);
  const file = await open(unfinished, 'wx');
  try {
    for await (const chunk of request) await file.write(chunk as Buffer);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(unfinished, path.join(folder, name));
  await directory.sync();
}

const server = http.createServer((request, response) => {
  put(request).then(
    () => response.writeHead(200, { 'Content-Length': 0 }).end(),
    (error: unknown) => response.writeHead(500).end(String(error)),
  );
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
console.log(`listening on ${(server.address() as AddressInfo).port}`);
