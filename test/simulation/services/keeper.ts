/**
 * Keeps one service running on one machine, as whoever operates it would: starts it, and starts it again when
 * its process has ended, when it could not start, or when its disk has failed it.
 */
import { codeOf, messageOf } from '../../../src/core/errors.ts';
import type { Host, RunningService } from '../../../src/core/lifecycle.ts';
import type { SeededRandom } from '../../../src/core/random/seeded-random.ts';
import type { SimulatedWorld } from '../../../src/core/testing/simulated-world/simulated-world.ts';
import type { Violations } from '../simulation.ts';
import { checkStores } from './check-stores.ts';

export type Start = (host: Host) => Promise<RunningService>;

/** Beyond its drain timeout a service may use so long to close its files, at the disk's worst. */
const CLOSING_MS = 30_000;
/** What a start may take at the disk's worst. */
const STARTING_MS = 120_000;
const MOST_ATTEMPTS = 20;
const GOODBYE_MS = 10_000;

export interface KeeperOptions {
  readonly violations: Violations;
  readonly random: SeededRandom;
  /** It may fail to start because of others, and is started again a while later. */
  readonly standsOnOthers?: boolean;
}

export class Keeper {
  readonly name: string;
  readonly #world: SimulatedWorld;
  readonly #start: Start;
  readonly #violations: Violations;
  readonly #random: SeededRandom;
  readonly #standsOnOthers: boolean;
  #service: RunningService | undefined;
  /** A start that takes longer than its process lives is not the present one's. */
  #life = 0;

  constructor(
    world: SimulatedWorld,
    name: string,
    start: Start,
    { violations, random, standsOnOthers = false }: KeeperOptions,
  ) {
    this.#world = world;
    this.name = name;
    this.#start = start;
    this.#violations = violations;
    this.#random = random;
    this.#standsOnOthers = standsOnOthers;
  }

  /** Grows with every process that ends or starts. */
  get life(): number {
    return this.#life;
  }

  get isUp(): boolean {
    return this.#service !== undefined;
  }

  /** Starts it until it stands. */
  async up(): Promise<void> {
    for (let attempts = MOST_ATTEMPTS; this.#service === undefined; attempts -= 1) {
      if (attempts === 0) throw new Error(`${this.name} does not start`);
      this.#life += 1;
      await this.#attempt(this.#life);
      if (this.#service !== undefined) return;
      this.kill();
      if (this.#standsOnOthers) await this.#world.clock.sleep(2_000);
    }
  }

  /** Until it stands, has failed to, or has been ended meanwhile: such a start never settles. */
  async #attempt(life: number): Promise<void> {
    let isOver = false;
    this.#start(this.#world.host(this.name)).then(
      (service) => {
        isOver = true;
        if (this.#life === life) this.#service = service;
      },
      (error: unknown) => {
        isOver = true;
        if (this.#life === life) this.#failed(error);
      },
    );
    await this.#until(() => isOver || this.#life !== life, STARTING_MS);
    const isStuck = !isOver && this.#life === life;
    this.#violations.check(!isStuck, () => `${this.name} has not started after ${STARTING_MS} ms`);
  }

  /** Only the disk may keep a service from starting, and nothing may be left behind. */
  #failed(error: unknown): void {
    const why = `${this.name} does not start: ${codeOf(error)} ${messageOf(error)}`;
    this.#world.note(why);
    const isExcused = this.#isDiskFaulty() || this.#standsOnOthers;
    this.#violations.check(isExcused, () => why);
    const leaks = this.#world.open(this.name);
    this.#violations.check(
      leaks.length === 0,
      () => `${this.name} did not start and left ${leaks.join(', ')}`,
    );
  }

  #isDiskFaulty: () => boolean = () => false;

  /** @param isFaulty whether the disk of the machine fails calls at present */
  excuse(isFaulty: () => boolean): void {
    this.#isDiskFaulty = isFaulty;
  }

  kill(): void {
    this.gone();
    this.#world.kill(this.name);
  }

  powerCut(): void {
    this.gone();
    this.#world.powerCut(this.name);
  }

  /** The disk's fault has ended the process already. */
  gone(): void {
    this.#service = undefined;
    this.#life += 1;
  }

  /** Health that asks for a restart. */
  get hasFailed(): boolean {
    return this.#service !== undefined && this.#service.health().state !== 'ok';
  }

  /** Asks it to close, and holds it to it: in time, leaving nothing open; then the process ends. */
  async close(): Promise<void> {
    const service = this.#service;
    if (service === undefined) return;
    const life = this.#life;
    const drainTimeoutMs = this.#random.pick([0, 1_000, 5_000]);
    let isClosed = false;
    service.close(drainTimeoutMs).then(
      () => {
        isClosed = true;
      },
      (error: unknown) => {
        isClosed = true;
        this.#violations.check(
          this.#isDiskFaulty(),
          () => `${this.name} does not close: ${codeOf(error)} ${messageOf(error)}`,
        );
      },
    );
    await this.#until(() => isClosed || this.#life !== life, drainTimeoutMs + CLOSING_MS);
    if (this.#life !== life) return;
    this.#violations.check(isClosed, () => `${this.name} has not closed after ${drainTimeoutMs} ms and more`);
    // A connection that was destroyed when draining tells its owner so in the next turn; one to another service
    // waits, for a while, until that has closed its side.
    await this.#world.clock.sleep(this.#standsOnOthers ? GOODBYE_MS : 0);
    const leaks = this.#world.open(this.name);
    this.#violations.check(leaks.length === 0, () => `${this.name} closed and left ${leaks.join(', ')}`);
    this.kill();
  }

  /** The consistency check of every store on the machine's disk; the process has ended. */
  async check(): Promise<void> {
    const { files } = this.#world.disk(this.name);
    for (const finding of await checkStores(files, '/')) this.#violations.add(`check: ${finding}`);
  }

  async #until(done: () => boolean, patienceMs: number): Promise<void> {
    const { clock } = this.#world;
    const deadlineMs = clock.monotonic() + patienceMs;
    while (!done() && clock.monotonic() < deadlineMs) await clock.sleep(5);
  }
}
