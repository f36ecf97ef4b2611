/** What the process holds once garbage is collected: attackers and services alike, for they share it. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

export const MiB = 1024 * 1024;

/** Lets the event loop turn, so that what is ready happens. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Bytes of live objects and of buffers outside of V8's heap. */
export async function heldBytes(): Promise<number> {
  for (let round = 0; round < 2; round++) {
    await turn();
    collect();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
