/** One world with one service in it, clients that use it, and a storm: what every simulation of a service is. */
import { messageOf } from '../../../src/core/errors.ts';
import type { Host } from '../../../src/core/lifecycle.ts';
import type { LinkConditions } from '../../../src/core/net/simulated-link.ts';
import { SeededRandom } from '../../../src/core/random/seeded-random.ts';
import { SimulatedWorld } from '../../../src/core/testing/simulated-world/simulated-world.ts';
import { Violations } from '../simulation.ts';
import { Keeper, type Start } from './keeper.ts';
import { Storm } from './storm.ts';

export interface Scene {
  readonly world: SimulatedWorld;
  readonly violations: Violations;
  /** For the workload: what the world draws for itself does not move it. */
  readonly random: SeededRandom;
  /** The process of a machine that clients run on. */
  readonly client: Host;
  readonly keeper: Keeper;
  /** While true workers go on. */
  readonly isOpen: () => boolean;
  /** Closes what `prepare` has opened; for `verify` to call when it is done. */
  readonly atEnd: (() => Promise<void>)[];
  /** What a worker does between two steps: sleeps for up to `mostMs`, longer the longer this world takes. */
  readonly pause: (mostMs: number) => Promise<void>;
}

export interface ServiceCase {
  /** Also the machine's. */
  readonly name: string;
  readonly start: (world: SimulatedWorld) => Start;
  /** Before anything goes wrong. */
  readonly prepare?: (scene: Scene) => Promise<void>;
  /** What the clients do until `isOpen` says no more. Each must end by itself then. */
  readonly workers: readonly ((scene: Scene, number: number) => Promise<void>)[];
  /** After the storm, on a sound service. */
  readonly verify: (scene: Scene) => Promise<void>;
  /** Machines besides the clients' that speak to the service; their links to it are cut too. */
  readonly peers?: readonly string[];
  /** What the links are like, where the world's own choice is not what matters. */
  readonly link?: (random: SeededRandom) => Partial<LinkConditions>;
  /** A service without a store that can be checked. */
  readonly isVolatile?: boolean;
}

export interface RunOptions {
  /** Told of everything that happens. */
  readonly trace?: (line: string) => void;
}

export interface RunResult {
  readonly violations: readonly string[];
  /** Of all that happened. */
  readonly digest: string;
}

const CLIENT = 'client';
const GOODBYE_MS = 10_000;
/** A long storm is no reason for thousands of steps, which show no more than hundreds. */
const STEPS_BEFORE_SLOWING = 150;

/** @returns what was promised and not kept */
export async function runService(
  seed: number,
  makeCase: () => ServiceCase,
  options: RunOptions = {},
): Promise<RunResult> {
  const service = makeCase();
  const link = service.link?.(new SeededRandom(seed));
  const world = new SimulatedWorld({ seed, ...options, ...(link && { link }) });
  const violations = new Violations();
  try {
    await world.run(() => live(world, violations, service));
  } catch (error) {
    violations.add(error instanceof Error ? (error.stack ?? error.message) : messageOf(error));
  }
  return { violations: violations.list, digest: world.digest() };
}

async function live(world: SimulatedWorld, violations: Violations, service: ServiceCase): Promise<void> {
  const random = new SeededRandom(world.random.next());
  const keeper = new Keeper(world, service.name, service.start(world), { violations, random });
  const { scene, end } = sceneOf(world, violations, random, keeper, world.host(CLIENT));
  const storm = new Storm({
    world,
    random: new SeededRandom(world.random.next()),
    keepers: [keeper],
    clients: [CLIENT, ...(service.peers ?? [])],
    count: 1 + random.below(6),
    everyMs: random.pick([20, 200, 4_000]),
  });
  await keeper.up();
  await service.prepare?.(scene);
  const workers = service.workers.map((work, number) => work(scene, number));
  await storm.rage();
  end();
  await Promise.all(workers);
  await service.verify(scene);
  await keeper.close();
  // A client that has said goodbye waits for the other side to close, for a while.
  await world.clock.sleep(GOODBYE_MS);
  for (const name of [CLIENT, ...(service.peers ?? [])]) {
    const left = world.open(name);
    violations.check(left.length === 0, () => `${name} has left ${left.join(', ')}`);
  }
  if (service.isVolatile !== true) await keeper.check();
}

/** @returns the scene, and how to end it: from then on workers come to their end */
export function sceneOf(
  world: SimulatedWorld,
  violations: Violations,
  random: SeededRandom,
  keeper: Keeper,
  client: Host,
): { scene: Scene; end: () => void } {
  let isOpen = true;
  let pauses = 0;
  const scene: Scene = {
    world,
    violations,
    random,
    keeper,
    client,
    isOpen: () => isOpen,
    atEnd: [],
    pause: (mostMs) => {
      pauses += 1;
      return world.clock.sleep(random.below(mostMs) * (1 + pauses / STEPS_BEFORE_SLOWING));
    },
  };
  return {
    scene,
    end: () => {
      isOpen = false;
    },
  };
}
