import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMemoryFiles } from '../files/memory-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { SimulatedClock } from '../time/simulated-clock.ts';
import { openServiceStore, recoveryLog } from './service-store.ts';

const TOTAL_BYTES = 1_024_000_000;

function logOf(clock: SimulatedClock): { lines: string[]; tell: (doneBytes: number) => void } {
  const lines: string[] = [];
  const tell = recoveryLog({ warn: (line) => lines.push(line) }, clock);
  return { lines, tell: (doneBytes) => tell({ doneBytes, totalBytes: TOTAL_BYTES }) };
}

test('a recovery that takes less than a second is not spoken of', async () => {
  const clock = new SimulatedClock();
  const { lines, tell } = logOf(clock);
  tell(0);
  await clock.advance(999);
  tell(TOTAL_BYTES / 2);
  tell(TOTAL_BYTES);
  assert.deepEqual(lines, []);
});

test('a longer one is spoken of every second, and at its end', async () => {
  const clock = new SimulatedClock();
  const { lines, tell } = logOf(clock);
  for (let step = 0; step < 10; step += 1) {
    tell((TOTAL_BYTES * step) / 10);
    await clock.advance(250);
  }
  tell(TOTAL_BYTES);
  assert.deepEqual(lines, [
    'replaying its journal, 410 of 1,024 MB',
    'replaying its journal, 819 of 1,024 MB',
    'its journal is replayed, 1,024 MB in 2.5 s',
  ]);
});

test('the store of a service has the bounds of its host', async () => {
  const clock = new SimulatedClock();
  const host = {
    files: createMemoryFiles(),
    clock,
    random: new SeededRandom(1),
    storage: { checkpointAfterMs: 50 },
  };
  await using store = await openServiceStore(host, '/service/store');
  await store.commit([{ kind: 'put', tree: 't', key: Buffer.from('k'), value: Buffer.from('v') }]);
  await clock.advance(50);
  // Waits for its turn behind the checkpoint.
  assert.deepEqual(await store.check(), []);
  assert.equal(store.stats().checkpoints, 1);
});

test('and tells the log of the service when its journal is long', async () => {
  const files = createMemoryFiles();
  const random = new SeededRandom(1);
  const clock = new SlowClock();
  const lines: string[] = [];
  const warn = (line: string): void => void lines.push(line);
  const observer = { log: { debug: warn, info: warn, warn, error: warn } };
  const first = await openServiceStore({ files, clock, random }, '/service/store');
  await first.commit([{ kind: 'put', tree: 't', key: Buffer.from('k'), value: Buffer.alloc(2_000_000) }]);
  const left = await copyOf(files);
  await first.close();
  await using again = await openServiceStore({ files: left, clock, random, observer }, '/service/store');
  assert.equal(again.get('t', Buffer.from('k'))?.length, 2_000_000);
  assert.match(lines.at(-1) ?? '', /^its journal is replayed, 2 MB in /);
});

/** A second passes whenever somebody looks. */
class SlowClock extends SimulatedClock {
  #looks = 0;

  override monotonic(): number {
    this.#looks += 1;
    return this.#looks * 1_000;
  }
}

/** The store's files as a crash would leave them now. */
async function copyOf(
  files: ReturnType<typeof createMemoryFiles>,
): Promise<ReturnType<typeof createMemoryFiles>> {
  const copy = createMemoryFiles();
  for (const folder of ['/service/store', '/service/store/journal']) {
    await copy.makeFolder(folder);
    for (const name of await files.list(folder)) {
      const info = await files.stat(`${folder}/${name}`);
      if (info === undefined || info.isFolder) continue;
      const from = await files.open(`${folder}/${name}`, 'read');
      const bytes = Buffer.alloc(info.sizeBytes);
      await from.read(0, bytes);
      const to = await copy.open(`${folder}/${name}`, 'create');
      await to.write(0, bytes);
      await from.close();
      await to.close();
    }
  }
  return copy;
}
