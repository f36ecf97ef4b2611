/**
 * Several members over one replicated log, in virtual time: each follows, now and then takes the lead, proposes,
 * falls silent for a while as a paused process does, is cut off, steps down, restarts. The log's weather changes
 * (core/journal/simulated-journal.ts). At the end the truth of the log is held against what members believed:
 *
 *   - an acknowledged operation is in the log, at its position, of the epoch of the writer that acknowledged it;
 *   - one that was refused for good is not there, and none is there twice;
 *   - of one writer, the operations are there in the order of proposing, without a gap;
 *   - the chain is intact, no epoch is given out twice, and no batch of an old epoch comes after a newer one;
 *   - what is proposed to a writer after a later one has begun is never acknowledged;
 *   - what a leader or a follower has applied is exactly what the log says up to there.
 */
import { codeOf, messageOf } from '../../src/core/errors.ts';
import { whyNotNext } from '../../src/core/journal/batch.ts';
import { follow } from '../../src/core/journal/follow.ts';
import { BEFORE_FIRST } from '../../src/core/journal/genesis.ts';
import { replay } from '../../src/core/journal/replay.ts';
import {
  CALM,
  type SimulatedJournal,
  SimulatedLog,
  STORM,
  type Weather,
} from '../../src/core/journal/simulated-journal.ts';
import type { Journal, JournalWriter, Mark, Position, StoredBatch } from '../../src/core/journal/types.ts';
import { startWriter } from '../../src/core/journal/writer.ts';
import { SeededRandom } from '../../src/core/random/seeded-random.ts';
import { SimulatedClock } from '../../src/core/time/simulated-clock.ts';
import { type Digest, type Simulation, Violations } from './simulation.ts';

const MEMBERS = 3;
const WORLD_MS = 3_000;
/** Virtual time after which a world that should have ended is called stuck. */
const STUCK_MS = 120_000;
const IDLE_TURNS_MAX = 1_000;
const WEATHER_MS = 200;
const BLACKOUT: Weather = { ...STORM, loseRequest: 0.6, loseReply: 0.6 };

/** A bug to plant between a writer and the log, or in how a member begins to lead. */
export interface PlantedInMember {
  readonly journal?: (journal: Journal) => Journal;
  /** Leads from wherever the log's head is, not from where its state machine stands. */
  readonly forgetsMark?: boolean;
}

export const simulateReplicated: Simulation = async (seed, digest) => {
  const { violations } = await runReplicated(seed, {}, digest);
  return violations;
};

export interface ReplicatedOutcome {
  readonly violations: string[];
  /** What came to pass, with its number: shows that the world does not only see fair weather. */
  readonly events: ReadonlyMap<string, number>;
}

export async function runReplicated(
  seed: number,
  planted: PlantedInMember,
  digest?: Digest,
): Promise<ReplicatedOutcome> {
  const world = new World(new SeededRandom(seed), planted);
  await world.run();
  world.audit();
  digest?.add(`${world.clock.monotonic()} ${world.log.batches.map(describe).join(' ')}`);
  return { violations: world.violations.list, events: world.events };
}

function describe({ position, epoch, chain, storedAtMs }: StoredBatch & { storedAtMs: number }): string {
  return `${position}.${epoch}.${storedAtMs}.${Buffer.from(chain).toString('hex')}`;
}

/** What has become of one proposal. */
interface Proposal {
  readonly operation: string;
  readonly epoch: number;
  readonly proposedAtMs: number;
  fate: 'unknown' | 'refused' | { readonly acknowledged: Position };
}

/** A state machine: all operations in order, and the place in the journal up to which they are applied. */
interface State {
  readonly operations: readonly string[];
  readonly mark: Mark | undefined;
}

const NOTHING: State = { operations: [], mark: undefined };

class World {
  readonly violations = new Violations();
  readonly events = new Map<string, number>();
  readonly clock = new SimulatedClock();
  readonly random: SeededRandom;
  readonly log: SimulatedLog;
  readonly planted: PlantedInMember;
  readonly proposals: Proposal[] = [];
  /** What a new member begins with. */
  checkpoint: State = NOTHING;
  isOver = false;

  constructor(random: SeededRandom, planted: PlantedInMember) {
    this.random = random;
    this.planted = planted;
    this.log = new SimulatedLog({ clock: this.clock, random, weather: STORM });
  }

  note(event: string): void {
    this.events.set(event, (this.events.get(event) ?? 0) + 1);
  }

  async run(): Promise<void> {
    const members = Array.from({ length: MEMBERS }, (_, index) => new Member(this, `m${index}`));
    this.clock.schedule(WEATHER_MS, () => this.#changeWeather());
    this.clock.schedule(WORLD_MS, () => {
      this.isOver = true;
      this.log.weather = CALM;
    });
    await this.#drive(Promise.all(members.map((member) => member.live())));
    await this.#drive(new Member(this, 'last').settle());
  }

  #changeWeather(): void {
    if (this.isOver) return;
    this.log.weather = this.random.pick([CALM, STORM, STORM, BLACKOUT]);
    this.clock.schedule(WEATHER_MS, () => this.#changeWeather());
  }

  /** Moves time on until the work is done. */
  async #drive(work: Promise<unknown>): Promise<void> {
    let done = false;
    const end = work
      .catch((error) => this.violations.add(`unexpected: ${codeOf(error)} ${messageOf(error)}`))
      .then(() => {
        done = true;
      });
    for (let idle = 0; !done && idle < IDLE_TURNS_MAX && this.clock.monotonic() < STUCK_MS; idle++) {
      if (await this.clock.advanceToNext()) idle = 0;
      else await new Promise((resume) => setImmediate(resume));
    }
    if (done) await end;
    else this.violations.add(`stuck at ${this.clock.monotonic()} ms`);
  }

  /** The operations of the log up to a position. */
  operationsUpTo(position: Position): string[] {
    return this.log.batches.slice(0, position).flatMap(operationsOf);
  }

  checkState({ operations, mark }: State, whose: string): void {
    const position = (mark ?? BEFORE_FIRST).position;
    const same = operations.join() === this.operationsUpTo(position).join();
    this.violations.check(same, () => `${whose} at position ${position} has applied something else`);
  }

  audit(): void {
    this.#auditChain();
    const places = new Map<string, StoredBatch>();
    for (const batch of this.log.batches) {
      for (const operation of operationsOf(batch)) {
        this.violations.check(!places.has(operation), () => `twice in the log: ${operation}`);
        places.set(operation, batch);
      }
    }
    for (const proposal of this.proposals) this.#auditProposal(proposal, places.get(proposal.operation));
    this.#auditOrder([...places.keys()]);
  }

  #auditChain(): void {
    let last: Mark = BEFORE_FIRST;
    let epoch = 0;
    for (const batch of this.log.batches) {
      const reason = whyNotNext(last, batch);
      this.violations.check(reason === undefined, () => `position ${batch.position}: ${reason}`);
      const isNew = batch.kind === 'epoch';
      const right = isNew ? batch.epoch > epoch : batch.epoch === epoch;
      this.violations.check(right, () => `position ${batch.position} is of epoch ${batch.epoch} in ${epoch}`);
      epoch = batch.epoch;
      last = batch;
    }
  }

  #auditProposal({ operation, epoch, proposedAtMs, fate }: Proposal, batch: StoredBatch | undefined): void {
    if (fate === 'refused')
      this.violations.check(batch === undefined, () => `refused and there: ${operation}`);
    if (typeof fate !== 'object') return;
    const there = batch?.position === fate.acknowledged && batch.epoch === epoch;
    this.violations.check(there, () => `acknowledged at ${fate.acknowledged} and not there: ${operation}`);
    const successor = this.log.batches.find((later) => later.epoch > epoch);
    const deposed = successor !== undefined && successor.storedAtMs < proposedAtMs;
    this.violations.check(!deposed, () => `acknowledged by a writer that was deposed before: ${operation}`);
  }

  /** Of each writer: a prefix of what it proposed and was not refused, in order. */
  #auditOrder(stored: readonly string[]): void {
    const found = new Set(stored);
    const order = this.proposals.filter(({ operation }) => found.has(operation));
    const place = new Map(stored.map((operation, index) => [operation, index]));
    for (const epoch of new Set(order.map((proposal) => proposal.epoch))) {
      const own = order.filter((proposal) => proposal.epoch === epoch).map(({ operation }) => operation);
      const sorted = own.toSorted((one, other) => (place.get(one) ?? 0) - (place.get(other) ?? 0));
      this.violations.check(own.join() === sorted.join(), () => `out of order in epoch ${epoch}`);
      const proposed = this.proposals.filter((proposal) => proposal.epoch === epoch);
      const gap = proposed.slice(0, own.length).some(({ operation }) => !found.has(operation));
      this.violations.check(!gap, () => `a gap among the operations of epoch ${epoch}`);
    }
  }
}

function operationsOf(batch: StoredBatch): string[] {
  return batch.kind === 'data' ? batch.records.map((record) => Buffer.from(record).toString()) : [];
}

/** One process after the other under one name. */
class Member {
  readonly #world: World;
  readonly #name: string;
  #terms = 0;
  #state: State = NOTHING;

  constructor(world: World, name: string) {
    this.#world = world;
    this.#name = name;
  }

  async live(): Promise<void> {
    const { random } = this.#world;
    while (!this.#world.isOver) {
      const journal = this.#world.log.connect();
      if (random.chance(0.2)) this.#state = NOTHING;
      await this.#follow(journal, random.below(400));
      if (!this.#world.isOver && random.chance(0.8)) await this.#lead(journal);
      await journal.close();
    }
  }

  /** In fair weather everybody gets to the end, and somebody can lead. */
  async settle(): Promise<void> {
    const journal = this.#world.log.connect();
    await this.#catchUp(journal);
    const writer = await this.#start(journal);
    const position = await writer.propose(Buffer.from('the end'));
    this.#world.violations.check(position === this.#world.log.last.position, () => 'the end is not the end');
    await writer.close();
  }

  /** Applies what comes for some time. */
  async #follow(journal: SimulatedJournal, forMs: number): Promise<void> {
    const { clock } = this.#world;
    const end = new AbortController();
    clock.schedule(forMs, () => end.abort());
    try {
      for await (const batch of follow(journal, this.#state.mark, {
        clock,
        signal: end.signal,
        pollMs: 20,
      })) {
        this.#apply(batch);
      }
    } catch (error) {
      this.#beginAnew(error);
    }
    this.#world.checkState(this.#state, 'a follower');
  }

  #apply({ position, epoch, chain, ...batch }: StoredBatch): void {
    const operations = [...this.#state.operations, ...operationsOf({ position, epoch, chain, ...batch })];
    this.#state = { operations, mark: { position, epoch, chain } };
  }

  /** Who is behind what the log has let go of takes the checkpoint. */
  #beginAnew(error: unknown): void {
    if (codeOf(error) !== 'trimmed') throw error;
    this.#world.note('trimmed');
    this.#state = this.#world.checkpoint;
  }

  /** To where this member's replica of the log ends. */
  async #catchUp(journal: Journal): Promise<void> {
    for (;;) {
      try {
        const operations = [...this.#state.operations];
        const apply = (record: Uint8Array): void => void operations.push(Buffer.from(record).toString());
        const mark = await replay(journal, this.#state.mark, apply);
        this.#state = { operations, mark };
        return;
      } catch (error) {
        if (codeOf(error) !== 'unavailable') this.#beginAnew(error);
      }
    }
  }

  async #lead(journal: SimulatedJournal): Promise<void> {
    const world = this.#world;
    const before = this.#state;
    try {
      await this.#catchUp(journal);
      const writer = await this.#start(world.planted.journal?.(journal) ?? journal);
      world.note('led');
      await this.#reign(journal, writer);
    } catch (error) {
      world.note(codeOf(error) ?? 'no code');
      const code = codeOf(error) ?? '';
      if (!['fenced', 'outcome-unknown', 'unavailable', 'no-space'].includes(code)) throw error;
    } finally {
      journal.cutOff = false;
      // What was applied while leading may be more than is stored: the log says again what it was.
      this.#state = before;
    }
  }

  #start(journal: Journal): Promise<JournalWriter> {
    const { random, clock, planted } = this.#world;
    const outcomeDeadlineMs = random.pick([150, 1_000, 5_000]);
    const { mark } = this.#state;
    const after = planted.forgetsMark === true || mark === undefined ? {} : { after: mark };
    return startWriter(journal, { random, clock, outcomeDeadlineMs, ...after });
  }

  async #reign(journal: SimulatedJournal, writer: JournalWriter): Promise<void> {
    const { random, clock } = this.#world;
    const term = `${this.#name}.${this.#terms++}`;
    const replies: Promise<void>[] = [];
    for (let turn = random.below(12); turn > 0 && !this.#world.isOver; turn--) {
      for (let count = random.below(4); count > 0; count--) {
        replies.push(this.#propose(writer, `${term}.${turn}.${count}`));
      }
      if (random.chance(0.15)) journal.cutOff = !journal.cutOff;
      if (random.chance(0.15)) await this.#makeCheckpoint(journal, writer);
      await clock.sleep(random.chance(0.1) ? 500 : random.below(40));
    }
    if (random.chance(0.8)) journal.cutOff = false;
    await Promise.all(replies);
    await writer.close();
    if (writer.health().state !== 'ok') this.#world.note('deposed');
  }

  async #propose(writer: JournalWriter, operation: string): Promise<void> {
    const { clock, proposals } = this.#world;
    const { epoch } = writer;
    const proposal: Proposal = { operation, epoch, proposedAtMs: clock.monotonic(), fate: 'unknown' };
    try {
      const stored = writer.propose(Buffer.from(operation));
      proposals.push(proposal);
      const acknowledged = await stored;
      proposal.fate = { acknowledged };
      this.#acknowledged(operation, acknowledged);
    } catch (error) {
      const code = codeOf(error) ?? '';
      this.#world.note(`proposal ${code}`);
      if (['fenced', 'read-only', 'no-space'].includes(code)) proposal.fate = 'refused';
      else if (code !== 'outcome-unknown') this.#world.violations.add(`answered ${code}: ${operation}`);
    }
  }

  /** A leader applies in the order of its acknowledgements. */
  #acknowledged(operation: string, position: Position): void {
    const operations = [...this.#state.operations, operation];
    const mark = { position, epoch: 0, chain: new Uint8Array(0) };
    this.#state = { operations, mark };
    const truth = this.#world.operationsUpTo(position);
    const same = truth.slice(0, operations.length).join() === operations.join();
    this.#world.violations.check(same, () => `a leader applied ${operation} at ${position} to another state`);
  }

  /** Remembers the state, and lets go of most of the journal before it. */
  async #makeCheckpoint(journal: Journal, writer: JournalWriter): Promise<void> {
    const world = this.#world;
    const mark = await writer.cut().catch(() => undefined);
    if (mark === undefined) return;
    if (mark.position < (world.checkpoint.mark?.position ?? 0)) return;
    world.checkpoint = { operations: world.operationsUpTo(mark.position), mark };
    const before = Math.max(1, mark.position - world.random.below(10));
    await journal.truncateBefore(before).catch(() => world.note('truncate unavailable'));
  }
}
