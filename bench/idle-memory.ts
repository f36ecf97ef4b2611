/** What an idle connection costs its server: many are opened, each asks once and stays. Linux only: /proc. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const CONNECTIONS = 10_000;
const AT_ONCE = 200;
const SETTLE_MS = 250;
const MAX_SETTLES = 20;
/** Less than this between two looks is still. */
const STILL_BYTES = 256 * 1024;
const REQUEST = 'GET /spells/42 HTTP/1.1\r\nHost: a\r\n\r\n';

/** @returns bytes of resident memory for each of 10,000 connections. @throws Error when one is refused */
export async function idleBytes(pid: number, port: number): Promise<number> {
  const sockets: net.Socket[] = [];
  try {
    // What the first connections make the server allocate once is not theirs.
    await open(sockets, port, AT_ONCE);
    const before = await settled(pid);
    while (sockets.length < CONNECTIONS) await open(sockets, port, AT_ONCE);
    return ((await settled(pid)) - before) / (sockets.length - AT_ONCE);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

async function open(sockets: net.Socket[], port: number, count: number): Promise<void> {
  const answered = Array.from({ length: count }, async () => {
    const socket = net.connect(port, '127.0.0.1');
    sockets.push(socket);
    await once(socket, 'connect');
    socket.write(REQUEST);
    await once(socket, 'data');
  });
  await Promise.all(answered);
}

async function settled(pid: number): Promise<number> {
  let last = residentBytes(pid);
  for (let looks = 0; looks < MAX_SETTLES; looks++) {
    await sleep(SETTLE_MS);
    const now = residentBytes(pid);
    if (Math.abs(now - last) < STILL_BYTES) return now;
    last = now;
  }
  return last;
}

function residentBytes(pid: number): number {
  const kib = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  if (kib === undefined) throw new Error(`process ${pid} has no resident memory`);
  return Number(kib) * 1_024;
}
