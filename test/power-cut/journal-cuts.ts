/** The same for the bare file journal: many moments of one run, each a power cut of its own. */
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { messageOf } from '../../src/core/errors.ts';
import { systemFiles } from '../../src/core/files/system-files.ts';
import { openFileJournal } from '../../src/core/journal/file-journal.ts';
import { batchesAfter } from '../../src/core/journal/replay.ts';
import type { JournalWriter } from '../../src/core/journal/types.ts';
import { startWriter } from '../../src/core/journal/writer.ts';
import type { SeededRandom } from '../../src/core/random/seeded-random.ts';
import { systemRandom } from '../../src/core/random/system-random.ts';
import { copyImage, cutPower, mountImage, mountRecorded } from './power.ts';
import { placeOfCut } from './write-log.ts';

/** Small, so that cuts meet the change from one to the next. */
const SEGMENT_BYTES = 64 * 1024;
const WRITERS = 4;
const RECORD_BYTES_MAX = 8_000;
const NUMBER_BYTES = 4;
const MOMENT_EVERY_MS = 40;

/** A moment: what was acknowledged, and what the disk had been told. */
interface Moment {
  readonly acknowledged: number;
  readonly logBytes: number;
}

/** Records `0`, `1`, … are proposed in this order; each begins with its number. */
class Load {
  acknowledged = 0;
  #next = 0;
  #isOver = false;

  async run(writer: JournalWriter, random: SeededRandom): Promise<void> {
    await Promise.all(Array.from({ length: WRITERS }, () => this.#lane(writer, random)));
  }

  end(): void {
    this.#isOver = true;
  }

  async #lane(writer: JournalWriter, random: SeededRandom): Promise<void> {
    while (!this.#isOver) {
      const number = this.#next;
      this.#next += 1;
      await writer.propose(recordOf(number, random.below(RECORD_BYTES_MAX)));
      this.acknowledged = Math.max(this.acknowledged, number + 1);
    }
  }
}

/** One run under load, and `cuts` moments of it. @returns violations */
export async function cutJournals(
  cuts: number,
  image: string,
  place: string,
  random: SeededRandom,
): Promise<string[]> {
  const violations: string[] = [];
  const recorded = await mountRecorded(image, path.join(place, 'recorded'));
  const moments = await loadAndLook(cuts, path.join(recorded.folder, 'journal'), random, () =>
    recorded.logBytes(),
  );
  await recorded[Symbol.asyncDispose]();
  for (const [index, moment] of moments.entries()) {
    const cut = path.join(place, 'cut.img');
    await copyImage(image, cut);
    const least = (await recorded.entries(moment.logBytes)).length;
    const entries = await recorded.entries(moments[index + 1]?.logBytes ?? moment.logBytes);
    // After some write until the next moment.
    await cutPower(cut, entries.slice(0, placeOfCut(entries, least, random)), random);
    await using mounted = await mountImage(cut, path.join(place, 'cut'));
    const violation = await judge(path.join(mounted.folder, 'journal'), moment);
    if (violation !== undefined) violations.push(`journal, cut ${index + 1}: ${violation}`);
  }
  return violations;
}

async function loadAndLook(
  cuts: number,
  folder: string,
  random: SeededRandom,
  logBytes: () => number,
): Promise<Moment[]> {
  const options = { files: systemFiles, folder, random: systemRandom, segmentBytes: SEGMENT_BYTES };
  await using journal = await openFileJournal(options);
  await using writer = await startWriter(journal, { random: systemRandom });
  const load = new Load();
  const running = load.run(writer, random);
  const moments: Moment[] = [];
  while (moments.length < cuts) {
    await Promise.race([setTimeout(random.below(MOMENT_EVERY_MS)), running]);
    // In this order, and in one turn: the disk had been told of whatever was acknowledged.
    const { acknowledged } = load;
    moments.push({ acknowledged, logBytes: logBytes() });
  }
  load.end();
  await running;
  return moments;
}

/** @returns what is wrong with the journal that a cut at `moment` left */
async function judge(folder: string, { acknowledged }: Moment): Promise<string | undefined> {
  const options = { files: systemFiles, folder, random: systemRandom, segmentBytes: SEGMENT_BYTES };
  let found = 0;
  try {
    if (acknowledged === 0 && (await systemFiles.stat(folder)) === undefined) return undefined;
    await using journal = await openFileJournal(options);
    for await (const batch of batchesAfter(journal, undefined)) {
      if (batch.kind !== 'data') continue;
      for (const record of batch.records) {
        if (!recordOf(found, record.length - NUMBER_BYTES).equals(record))
          return `record ${found} is another`;
        found += 1;
      }
    }
  } catch (error) {
    return messageOf(error);
  }
  return found < acknowledged ? `LOST: ${acknowledged} were acknowledged, ${found} are there` : undefined;
}

/** Its number, and then `bytes` that follow from it. */
function recordOf(number: number, bytes: number): Buffer {
  const record = Buffer.alloc(NUMBER_BYTES + bytes, number % 251);
  record.writeUInt32BE(number);
  return record;
}
