/** What the disk makes of a sync just now: durable rates are to be read beside it. */
import { open } from 'node:fs/promises';
import path from 'node:path';
import type { Finding } from '../benchmark.ts';

const SYNCS = 100;
const BLOCK_BYTES = 4_096;
const BLOCKS = 256;

/** Writes 4 KiB over others and syncs, one after the other, in a file of its own in `folder`. */
export async function diskSync(folder: string): Promise<Finding[]> {
  const file = await open(path.join(folder, 'disk-sync'), 'w');
  try {
    await file.write(Buffer.alloc(BLOCK_BYTES * BLOCKS));
    await file.sync();
    const block = Buffer.alloc(BLOCK_BYTES, 1);
    const taken: number[] = [];
    for (let n = 0; n < SYNCS; n++) {
      const startedAt = performance.now();
      await file.write(block, 0, BLOCK_BYTES, (n % BLOCKS) * BLOCK_BYTES);
      await file.datasync();
      taken.push(performance.now() - startedAt);
    }
    const sorted = taken.sort((a, b) => a - b);
    const at = (share: number): number => sorted[Math.floor(SYNCS * share)]!;
    return [{ name: 'disk-sync', unit: 'ms', values: { p50: at(0.5), p90: at(0.9) } }];
  } finally {
    await file.close();
  }
}
