/**
 * The journal on a disk that fails: proposals from several clients at once, cuts of power and kills at random
 * calls, full disks, failed syncs. After each the journal is opened again and held against what was promised:
 *
 *   - every acknowledged record is there, at its position, with its content;
 *   - what is there of one session is a prefix of what it proposed, in order: nothing half, nothing out of turn;
 *   - what was refused for good (no space) is not there;
 *   - what was once seen after opening never goes away, but by truncateBefore.
 */
import { codeOf, messageOf } from '../../src/core/errors.ts';
import type { Files } from '../../src/core/files/files.ts';
import { SimulatedDisk } from '../../src/core/files/simulated-files.ts';
import { openFileJournal } from '../../src/core/journal/file-journal.ts';
import type { Journal, JournalWriter, Position } from '../../src/core/journal/types.ts';
import { startWriter } from '../../src/core/journal/writer.ts';
import { SeededRandom } from '../../src/core/random/seeded-random.ts';
import { armDisk, disarmDisk } from './faults.ts';
import { type Digest, type Simulation, Violations } from './simulation.ts';

const FOLDER = '/journal';
const SESSIONS = 6;

/** What has become of one proposal. */
interface Proposal {
  readonly session: number;
  readonly content: string;
  fate: 'waiting' | 'refused' | { readonly acknowledged: Position };
}

/** A bug to plant below or above the journal, to show that the simulation finds it. */
export interface Planted {
  readonly files?: (files: Files) => Files;
  readonly journal?: (journal: Journal) => Journal;
}

export const simulateJournal: Simulation = (seed, digest) => runJournal(seed, {}, digest);

export async function runJournal(seed: number, planted: Planted, digest?: Digest): Promise<string[]> {
  const random = new SeededRandom(seed);
  const run = new JournalRun(
    random,
    new SimulatedDisk({ random, ...(digest && { observe: digest.add }) }),
    planted,
  );
  for (let session = 0; session < SESSIONS; session++) await run.session(session);
  await run.settle();
  return run.violations.list;
}

class JournalRun {
  readonly violations = new Violations();
  readonly #random: SeededRandom;
  readonly #disk: SimulatedDisk;
  readonly #planted: Planted;
  readonly #segmentBytes: number;
  readonly #proposals = new Map<string, Proposal>();
  /** What was there when the journal was last opened, by position. */
  #known = new Map<Position, string[]>();
  #trimmedTo: Position = 1;

  constructor(random: SeededRandom, disk: SimulatedDisk, planted: Planted) {
    this.#random = random;
    this.#disk = disk;
    this.#planted = planted;
    this.#segmentBytes = 300 + random.below(5000);
  }

  /** One life of the process, which ends by itself, by a failure, a kill or a power cut. */
  async session(session: number): Promise<void> {
    const ended = armDisk(this.#disk, this.#random);
    await Promise.race([this.#live(session), ended]);
    disarmDisk(this.#disk, this.#random);
  }

  /** The last opening, on a disk that behaves. */
  async settle(): Promise<void> {
    try {
      const journal = await this.#open();
      await this.#check(journal);
      const writer = await startWriter(journal, { random: this.#random });
      await writer.propose(Buffer.from('the journal still works'));
      await writer.close();
      await journal.close();
    } catch (error) {
      this.violations.add(`the journal does not open on a sound disk: ${messageOf(error)}`);
    }
  }

  async #live(session: number): Promise<void> {
    try {
      const journal = await this.#open();
      await this.#check(journal);
      const writer = await startWriter(journal, { random: this.#random });
      const clients = Array.from({ length: 1 + this.#random.below(4) }, (_, client) =>
        this.#client(`${session}.${client}`, session, writer),
      );
      await Promise.all([...clients, this.#truncate(journal, writer)]);
      await writer.close();
      await journal.close();
    } catch (error) {
      this.violations.unlessDisk(error);
    }
  }

  async #open(): Promise<Journal> {
    const files = this.#planted.files?.(this.#disk.files) ?? this.#disk.files;
    const segmentBytes = this.#segmentBytes;
    const journal = await openFileJournal({ files, folder: FOLDER, random: this.#random, segmentBytes });
    return this.#planted.journal?.(journal) ?? journal;
  }

  async #client(name: string, session: number, writer: JournalWriter): Promise<void> {
    for (let turn = this.#random.below(12); turn > 0; turn--) {
      const burst = 1 + this.#random.below(4);
      await Promise.all(
        Array.from({ length: burst }, (_, index) =>
          this.#propose(`${name}.${turn}.${index}`, session, writer),
        ),
      );
    }
  }

  async #propose(name: string, session: number, writer: JournalWriter): Promise<void> {
    const content = `${name} ${'x'.repeat(this.#random.below(1500))}`;
    const proposal: Proposal = { session, content, fate: 'waiting' };
    try {
      const stored = writer.propose(Buffer.from(content));
      this.#proposals.set(content, proposal);
      proposal.fate = { acknowledged: await stored };
    } catch (error) {
      const code = codeOf(error);
      if (code === 'no-space' || code === 'read-only') proposal.fate = 'refused';
      else this.violations.unlessDisk(error);
    }
  }

  async #truncate(journal: Journal, writer: JournalWriter): Promise<void> {
    if (!this.#random.chance(0.5)) return;
    const { position } = await writer.cut().catch(() => ({ position: 1 }));
    const before = 1 + this.#random.below(position);
    this.#trimmedTo = Math.max(this.#trimmedTo, before);
    await journal.truncateBefore(before);
  }

  async #check(journal: Journal): Promise<void> {
    const { first } = await journal.head();
    this.violations.check(first <= this.#trimmedTo, () => `first is ${first}, trimmed to ${this.#trimmedTo}`);
    const found = new Map<Position, string[]>();
    for await (const group of journal.read(first)) {
      for (const batch of group) {
        const records = batch.kind === 'data' ? batch.records : [];
        found.set(
          batch.position,
          records.map((record) => Buffer.from(record).toString()),
        );
      }
    }
    this.#checkKept(first, found);
    this.#checkAcknowledged(first, found);
    this.#checkOrder([...found.values()].flat());
    this.#known = found;
  }

  #checkKept(first: Position, found: Map<Position, string[]>): void {
    for (const [position, records] of this.#known) {
      if (position < first) continue;
      const same = found.get(position)?.join('|') === records.join('|');
      this.violations.check(same, () => `position ${position} was seen before and is gone or changed`);
    }
  }

  #checkAcknowledged(first: Position, found: Map<Position, string[]>): void {
    for (const { content, fate } of this.#proposals.values()) {
      if (typeof fate !== 'object' || fate.acknowledged < first) continue;
      const there = found.get(fate.acknowledged)?.includes(content) === true;
      this.violations.check(
        there,
        () => `acknowledged at ${fate.acknowledged} and lost: ${content.slice(0, 12)}`,
      );
    }
  }

  /** In the order of proposing, per session, without a gap after the first that is still kept. */
  #checkOrder(found: string[]): void {
    const order = [...this.#proposals.keys()];
    let previous = -1;
    for (const content of found) {
      const proposal = this.#proposals.get(content);
      if (proposal === undefined) {
        this.violations.add(`never proposed: ${content.slice(0, 12)}`);
        continue;
      }
      const index = order.indexOf(content);
      this.violations.check(index > previous, () => `out of order: ${content.slice(0, 12)}`);
      this.violations.check(proposal.fate !== 'refused', () => `refused and there: ${content.slice(0, 12)}`);
      if (previous >= 0) this.#checkGap(order.slice(previous + 1, index), proposal);
      previous = index;
    }
  }

  #checkGap(skipped: string[], next: Proposal): void {
    for (const content of skipped) {
      const proposal = this.#proposals.get(content) as Proposal;
      const missing = proposal.session === next.session && proposal.fate !== 'refused';
      this.violations.check(!missing, () => `left out: ${content.slice(0, 12)}`);
    }
  }
}
