/**
 * npm run power-cut -- --cuts N [--seed S]
 *
 * `octet up` with its data folder on a disk of its own, under a load of transactions, confirmed messages, objects
 * and mails. At a random moment the power of that disk is cut: what it had not been told to flush is gone, wholly
 * or in parts. Octet starts on what is left, N times in all, and everything that was acknowledged before the moment
 * has to be there, whole, nothing that was never written, and every store sound. Then the same for the bare file
 * journal.
 *
 * What this proves. The disk is a loop device over a file that a process of ours serves (disk-server.ts), and that
 * process writes down every write and every flush before it answers. A cut keeps all writes that a flush has
 * covered, and of the later ones any 512-byte sectors, each in any of its states. So a sync that is missing, or
 * in the wrong order, in Octet or in how it uses ext4, loses something here; and as the moment is a place in the log,
 * the state is exact: nothing is copied while it changes. The kernel's page cache never reaches the disk by itself
 * but through that log. ext4 replays its own journal when the image is mounted, as after a real cut.
 *
 * What it does not. Writes under way when a flush arrives count as flushed if they reached the disk before it, which
 * is kinder than a disk must be. Sectors are whole: none is half-written. A disk that lies about its flushes, or
 * rots, is not here; `npm run simulate` has those.
 *
 * It takes Linux, root, FUSE and loop mounts; elsewhere it says so and ends without failing.
 */
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { SeededRandom } from '../../src/core/random/seeded-random.ts';
import { exitOnSignals } from '../octet-process.ts';
import { cutJournals } from './journal-cuts.ts';
import { OctetCuts } from './octet-cuts.ts';
import { detachAllUnder, makeImage, whyNotHere } from './power.ts';

const JOURNAL_IMAGE_BYTES = 64 * 1024 * 1024;
const MAX_PRINTED = 10;

const { values } = parseArgs({
  options: {
    cuts: { type: 'string', default: '5' },
    seed: { type: 'string', default: String(1 + Math.floor(Math.random() * 1_000_000)) },
  },
});
process.exitCode = await main(wholeNumber('cuts'), wholeNumber('seed'));

async function main(cuts: number, seed: number): Promise<number> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'octet-power-'));
  exitOnSignals(() => {
    detachAllUnder(folder);
    rmSync(folder, { recursive: true, force: true });
  });
  try {
    const why = await whyNotHere(folder);
    if (why !== undefined) {
      console.log(`power-cut: skipped, not possible here: ${why}`);
      return 0;
    }
    console.log(`power-cut: seed ${seed}`);
    const violations = [
      ...(await new OctetCuts(folder, seed).run(cuts)),
      ...(await cutBareJournal(cuts, folder, seed)),
    ];
    for (const violation of violations.slice(0, MAX_PRINTED)) console.log(`  ${violation}`);
    if (violations.length > 0) console.log(`  repeat: npm run power-cut -- --cuts ${cuts} --seed ${seed}`);
    console.log(`power-cut: ${cuts} cuts of all, ${cuts} of a bare journal, ${violations.length} lost`);
    return violations.length === 0 ? 0 : 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function cutBareJournal(cuts: number, folder: string, seed: number): Promise<string[]> {
  const image = path.join(folder, 'journal.img');
  await makeImage(image, JOURNAL_IMAGE_BYTES);
  return cutJournals(cuts, image, path.join(folder, 'journals'), new SeededRandom(seed));
}

function wholeNumber(option: 'cuts' | 'seed'): number {
  const text = values[option];
  if (/^\d{1,9}$/.test(text)) return Number(text);
  console.error(`power-cut: --${option} takes a whole number, not "${text}"`);
  process.exit(2);
}
