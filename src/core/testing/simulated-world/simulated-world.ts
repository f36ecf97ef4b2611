/**
 * Several machines in one process, on one clock that nobody waits for, out of one seed.
 *
 *   const world = new SimulatedWorld({ seed });
 *   await world.run(async () => {
 *     const database = await startDatabase(options, world.host('database'));
 *     world.kill('database');                                 // or powerCut, partition, halfOpen, reset …
 *     const again = await startDatabase(options, world.host('database'));
 *     …
 *   });
 *
 * A machine has a name, an address, a disk and at most one process. `host(name)` is the process: everything
 * a service may touch, and nothing of it has an effect once the process has been killed. What it waits for
 * then never comes.
 *
 * Time stands still while anybody has something to do in this turn of the event loop, or the next; only then
 * does the next event happen: a timer, a segment's arrival, half a call of a disk. Since nothing real is
 * waited for (no thread pool, no socket, no timer of Node's), the same seed gives the same run, and `digest`
 * the same text.
 */
import type { FileCall } from '../../files/memory-files.ts';
import { type CallInfo, type Fault, SimulatedDisk } from '../../files/simulated-files.ts';
import type { Host } from '../../lifecycle.ts';
import type { SimulatedInterface } from '../../net/simulated-interface.ts';
import type { LinkConditions } from '../../net/simulated-link.ts';
import { SimulatedFabric } from '../../net/simulated-network.ts';
import { Observatory } from '../../observe/observer.ts';
import { SeededRandom } from '../../random/seeded-random.ts';
import { SimulatedClock } from '../../time/simulated-clock.ts';
import { ProcessClock } from './process-clock.ts';
import { ProcessFiles } from './process-files.ts';
import { Trace } from './trace.ts';
import { untilIdle } from './until-idle.ts';

export interface SimulatedWorldOptions {
  readonly seed: number;
  /** Of every link that is not given others. Default: drawn from the seed, see `drawnLink`. */
  readonly link?: Partial<LinkConditions>;
  /** Told of everything that happens. */
  readonly trace?: (line: string) => void;
}

export type DiskCall = CallInfo & { readonly call: FileCall };

interface Process {
  readonly host: Host;
  readonly clock: ProcessClock;
  readonly files: ProcessFiles;
  readonly network: SimulatedInterface;
}

interface Machine {
  readonly name: string;
  readonly random: SeededRandom;
  readonly disk: SimulatedDisk;
  readonly skewMs: number;
  process: Process | undefined;
  judge: ((call: DiskCall) => Fault | undefined) | undefined;
}

/** A world that has not come to its end by then never does. */
const LONGEST_RUN_MS = 7 * 86_400_000;
const MOST_SKEW_MS = 2_000;

export class SimulatedWorld {
  readonly seed: number;
  readonly clock = new SimulatedClock();
  readonly random: SeededRandom;
  readonly network: SimulatedFabric;
  readonly #machines = new Map<string, Machine>();
  readonly #trace: Trace;
  readonly #slowness: number;

  constructor({ seed, link, trace }: SimulatedWorldOptions) {
    this.seed = seed;
    this.random = new SeededRandom(seed);
    this.#trace = new Trace(trace);
    const random = this.#fork();
    this.#slowness = random.pick([0, 0, 0.05, 1]);
    this.network = new SimulatedFabric({
      clock: this.clock,
      random,
      conditions: { ...drawnLink(random), ...link },
      trace: (event) => this.note(event),
    });
  }

  /** Draws nothing from the world when somebody else draws more. */
  #fork(): SeededRandom {
    return new SeededRandom(this.random.next());
  }

  /**
   * The process of the machine `name`; the first call, or the first after `kill` or `powerCut`, starts one.
   * @param service the name of the service in it, and of its folder. Default: as the machine
   */
  host(name: string, service = name): Host {
    const machine = this.#machine(name);
    machine.process ??= this.#start(machine);
    const { host } = machine.process;
    return service === name ? host : { ...host, folder: `/${service}` };
  }

  /** The disk of a machine; what lies on it is looked at with `disk(name).files` when its process has ended. */
  disk(name: string): SimulatedDisk {
    return this.#machine(name).disk;
  }

  /** Ends the process of `name`: the operating system closes what it had open and keeps what it wrote. */
  kill(name: string): void {
    const machine = this.#machine(name);
    this.#end(machine, 'kill');
    machine.disk.kill();
  }

  /** Ends the machine: nobody is told, and of what was not synced an arbitrary part is lost. */
  powerCut(name: string): void {
    const machine = this.#machine(name);
    this.#end(machine, 'power-cut');
    machine.disk.powerCut();
  }

  /** Kills the process if there is one, and starts another. */
  restart(name: string): Host {
    if (this.#machine(name).process !== undefined) this.kill(name);
    return this.host(name);
  }

  /** Decides about every call of a machine's disk from now on; undefined lets all pass. */
  judgeDisk(name: string, judge: ((call: DiskCall) => Fault | undefined) | undefined): void {
    this.#machine(name).judge = judge;
  }

  partition(one: string, other: string): void {
    this.note(`partition ${one} ${other}`);
    this.network.partition(one, other);
  }

  heal(one: string, other: string): void {
    this.note(`heal ${one} ${other}`);
    this.network.heal(one, other);
  }

  healAll(): void {
    this.note('heal all');
    this.network.healAll();
  }

  halfOpen(one: string, other: string): void {
    this.note(`half-open ${one} ${other}`);
    this.network.halfOpen(one, other);
  }

  reset(one: string, other: string, which: 'all' | 'any' = 'all'): void {
    this.note(`reset ${one} ${other}`);
    this.network.reset(one, other, which);
  }

  /**
   * Does `work`, moving time on whenever nothing else is left to do.
   * @throws what `work` throws; an error when it waits for what will never come
   */
  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    let isOver = false;
    const result = work().finally(() => {
      isOver = true;
    });
    result.catch(() => undefined);
    for (;;) {
      await untilIdle();
      if (isOver) return result;
      if (!this.clock.fireNext(LONGEST_RUN_MS)) throw this.#stuck();
    }
  }

  #stuck(): Error {
    const open = [...this.#machines.keys()].flatMap((name) =>
      this.open(name).map((what) => `${name}: ${what}`),
    );
    const cause = this.clock.pendingCount === 0 ? 'nothing more will happen' : 'a week has gone by';
    return new Error(`${cause}, and the world waits; open are: ${open.join('; ')}`);
  }

  /** What the process of `name` holds: connections, ports, files, locks, timers. Nothing after a clean end. */
  open(name: string): string[] {
    const { process } = this.#machine(name);
    if (process === undefined) return [];
    const { pendingCount } = process.clock;
    const timers = pendingCount === 0 ? [] : [`${pendingCount} timers`];
    return [...this.network.open(name), ...process.files.held, ...timers];
  }

  /** Writes one line into the trace. */
  note(line: string): void {
    this.#trace.add(`${this.clock.monotonic().toFixed(3)} ${line}`);
  }

  /** Of everything that has happened. */
  digest(): string {
    return this.#trace.digest();
  }

  /** The last lines of the trace, oldest first. */
  lastLines(): string[] {
    return this.#trace.last();
  }

  #machine(name: string): Machine {
    let machine = this.#machines.get(name);
    if (machine === undefined) {
      machine = this.#build(name);
      this.#machines.set(name, machine);
    }
    return machine;
  }

  #build(name: string): Machine {
    const random = this.#fork();
    const disk = new SimulatedDisk({ random: this.#fork() });
    const skewMs = random.below(2 * MOST_SKEW_MS) - MOST_SKEW_MS;
    const machine: Machine = { name, random, disk, skewMs, process: undefined, judge: undefined };
    disk.inject = (call) => this.#judge(machine, call);
    return machine;
  }

  #judge(machine: Machine, info: CallInfo): Fault | undefined {
    this.note(`${machine.name} ${info.call} ${info.path}`);
    const fault = machine.judge?.(info);
    // The disk ends itself; the network and the clock are told here.
    if (fault === 'kill' || fault === 'power-cut') this.#end(machine, fault);
    return fault;
  }

  #start(machine: Machine): Process {
    this.note(`${machine.name} starts`);
    const random = new SeededRandom(machine.random.next());
    const clock = new ProcessClock(this.clock, {
      skewMs: machine.skewMs,
      spendMs: () => (this.#slowness === 0 ? 0 : (random.below(100) / 100) * this.#slowness),
    });
    const disk = new SeededRandom(machine.random.next());
    const files = new ProcessFiles(machine.disk.files, (call) => clock.sleep(diskDelayMs(disk, call)));
    const network = this.network.attach(machine.name, clock);
    const observatory = new Observatory((level, service, message, fields) => {
      if (level !== 'debug') this.note(`${service} ${level}: ${message} ${JSON.stringify(fields ?? {})}`);
    });
    const host: Host = {
      clock,
      random,
      files,
      network,
      observer: observatory.observer(machine.name),
      folder: `/${machine.name}`,
    };
    return { host, clock, files, network };
  }

  #end(machine: Machine, how: 'kill' | 'power-cut'): void {
    this.note(`${machine.name} ends: ${how}`);
    machine.process?.clock.end();
    if (how === 'kill') this.network.orphan(machine.name);
    else this.network.powerOff(machine.name);
    machine.process = undefined;
  }
}

/** A quiet network for one seed, a slow or a lossy one for the next. */
export function drawnLink(random: SeededRandom): Partial<LinkConditions> {
  const most = random.pick([0.2, 2, 40]);
  return {
    latencyMs: [0.05, most],
    bytesPerMs: random.pick([Number.POSITIVE_INFINITY, 100_000, 2_000]),
    lossRate: random.pick([0, 0, 0.01, 0.1]),
    duplicateRate: random.pick([0, 0.05]),
    maxSegmentBytes: random.pick([Number.POSITIVE_INFINITY, 1_460, 200]),
    windowBytes: random.pick([1_000, 16_384, 262_144]),
  };
}

/** Half of what a call of a disk takes, in milliseconds: most are quick, a few are not. */
function diskDelayMs(random: SeededRandom, call: 'sync' | 'other'): number {
  const usual = call === 'sync' ? 1 : 0.05;
  if (random.chance(0.01)) return random.below(200);
  return (random.below(1_000) / 1_000) * usual;
}
