/**
 * The kernel's journal beside itself, in this process: what group commit gains over one sync for each append, and what
 * a sync costs beside an append without. The store's own figures are in store-alone.ts: there the work on the tree comes
 * on top of each append.
 */
import { mkdir } from 'node:fs/promises';
import { systemFiles } from '../src/core/files/system-files.ts';
import { openFileJournal } from '../src/core/journal/file-journal.ts';
import type { JournalWriter } from '../src/core/journal/types.ts';
import { startWriter } from '../src/core/journal/writer.ts';
import { systemRandom } from '../src/core/random/system-random.ts';
import type { Benchmark, Contest, Done, Load, Place } from './benchmark.ts';
import { costOfSync, cpuMicros, switchable } from './store/cost-of-sync.ts';
import { diskSync } from './store/disk.ts';
import { VALUE_BYTES } from './store/entries.ts';

const COMMITTERS = 64;
const ROUND_MS = 450;
/** As the store's record of one commit: the entry with its key and framing. */
const RECORD = Buffer.alloc(VALUE_BYTES + 50, 1);

export const storeJournal: Benchmark = {
  name: 'store-journal',
  compared: `the kernel's journal beside itself, records of ${RECORD.length} bytes: ${COMMITTERS} committers beside one; appends with sync beside appends without`,
  prepare,
};

async function prepare(place: Place): Promise<Contest> {
  const syncs = { areOn: true };
  const folder = `${place.folder}/journal`;
  await mkdir(folder, { recursive: true });
  const files = switchable(systemFiles, syncs);
  const journal = await openFileJournal({ files, folder, random: systemRandom });
  place.stack.defer(() => journal.close());
  const writer = await startWriter(journal, { random: systemRandom });
  place.stack.defer(() => writer.close());
  const together = committing(writer, COMMITTERS);
  return {
    peer: 'itself with one committer',
    cpu: { ours: cpuMicros, peer: cpuMicros },
    workloads: [
      {
        name: `append-${COMMITTERS}-committers`,
        operation: 'append',
        load: { ours: together, peer: committing(writer, 1) },
        goal: 40,
      },
    ],
    probes: [
      (rounds) => costOfSync(`append-${COMMITTERS}-committers`, together, syncs, rounds),
      () => diskSync(place.folder),
    ],
  };
}

/** So many at once, each waiting until its record is durable before its next. */
function committing(writer: JournalWriter, committers: number): Load {
  return async (): Promise<Done> => {
    const until = performance.now() + ROUND_MS;
    let operations = 0;
    const committer = async (): Promise<void> => {
      while (performance.now() < until) {
        await writer.propose(RECORD);
        operations++;
      }
    };
    await Promise.all(Array.from({ length: committers }, committer));
    return { operations };
  };
}
