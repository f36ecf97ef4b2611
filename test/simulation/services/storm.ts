/**
 * What goes wrong around one or more services while clients use them: processes and machines end, disks refuse,
 * links are cut, connections break or fall silent. Between two misfortunes the survivors have time to notice.
 */
import type { Fault } from '../../../src/core/files/simulated-files.ts';
import type { SeededRandom } from '../../../src/core/random/seeded-random.ts';
import type { DiskCall, SimulatedWorld } from '../../../src/core/testing/simulated-world/simulated-world.ts';
import type { Keeper } from './keeper.ts';

export interface StormOptions {
  readonly world: SimulatedWorld;
  readonly random: SeededRandom;
  readonly keepers: readonly Keeper[];
  /** Machines that speak to the services, and whose links are cut. */
  readonly clients: readonly string[];
  /** How many misfortunes. */
  readonly count: number;
  /** The longest time between two. */
  readonly everyMs: number;
}

const MISFORTUNES = [
  'kill',
  'kill',
  'power-cut',
  'power-cut',
  'close',
  'partition',
  'partition',
  'half-open',
  'reset',
  'reset one',
  'disk ends the process',
  'disk fails',
  'disk is full',
] as const;
type Misfortune = (typeof MISFORTUNES)[number];
type DiskMisfortune = Extract<Misfortune, `disk ${string}`>;

/** Calls that a full disk may refuse; it is not full for who takes nothing from it. */
const TAKES_SPACE = new Set<string>(['write', 'create', 'open', 'makeFolder', 'rename']);

export class Storm {
  readonly #options: StormOptions;
  /** Machines whose disk fails calls, or did in the present life of the process. */
  readonly #faulty = new Set<string>();

  constructor(options: StormOptions) {
    this.#options = options;
    for (const keeper of options.keepers) keeper.excuse(() => this.#faulty.has(keeper.name));
  }

  /** One misfortune after the other; afterwards the sky is clear, and all services stand. */
  async rage(): Promise<void> {
    const { world, random, keepers, count, everyMs } = this.#options;
    for (let left = count; left > 0; left -= 1) {
      await world.clock.sleep(random.below(everyMs * 1_000) / 1_000);
      await this.#strike(random.pick(keepers), random.pick(MISFORTUNES));
    }
    await world.clock.sleep(random.below(everyMs * 1_000) / 1_000);
    world.note('the storm is over');
    world.healAll();
    for (const keeper of keepers) await this.#recover(keeper);
  }

  async #strike(keeper: Keeper, misfortune: Misfortune): Promise<void> {
    const { world, random, clients } = this.#options;
    const client = random.pick(clients);
    world.note(`misfortune: ${misfortune} of ${keeper.name}, ${client}`);
    switch (misfortune) {
      case 'kill':
        keeper.kill();
        return this.#later(keeper);
      case 'power-cut':
        keeper.powerCut();
        return this.#later(keeper);
      case 'close':
        await keeper.close();
        return this.#later(keeper);
      case 'partition':
        return this.#partition(keeper.name, client);
      case 'half-open':
        return world.halfOpen(client, keeper.name);
      case 'reset':
        return world.reset(client, keeper.name);
      case 'reset one':
        return world.reset(client, keeper.name, 'any');
      default:
        return this.#spoilDisk(keeper, misfortune);
    }
  }

  /** The service comes back after a while; its start may be struck too. */
  async #later(keeper: Keeper): Promise<void> {
    const { world, random } = this.#options;
    await world.clock.sleep(random.pick([0, 100, 3_000]));
    if (random.chance(0.4)) this.#armDisk(keeper, random.pick(['disk ends the process', 'disk fails']));
    await this.#recover(keeper);
  }

  async #recover(keeper: Keeper): Promise<void> {
    await keeper.up();
    this.#clearDisk(keeper);
    // What has been refused by its disk may have stopped for good.
    if (!keeper.hasFailed) return;
    keeper.kill();
    await keeper.up();
  }

  async #partition(one: string, other: string): Promise<void> {
    const { world, random } = this.#options;
    world.partition(one, other);
    await world.clock.sleep(random.pick([10, 1_000, 20_000]));
    world.heal(one, other);
  }

  /** From one of the next calls on, for a while. */
  async #spoilDisk(keeper: Keeper, misfortune: DiskMisfortune): Promise<void> {
    const { world, random } = this.#options;
    this.#armDisk(keeper, misfortune);
    await world.clock.sleep(random.pick([200, 2_000, 20_000]));
    this.#clearDisk(keeper);
    if (keeper.hasFailed) keeper.kill();
    if (!keeper.isUp) await this.#later(keeper);
  }

  #armDisk(keeper: Keeper, misfortune: DiskMisfortune): void {
    const { world, random } = this.#options;
    const first = world.disk(keeper.name).calls + 1 + random.below(60);
    const last = first + random.pick([0, 0, 10]);
    const end = random.pick(['kill', 'power-cut'] as const);
    world.note(`armed: ${misfortune} from call ${first} to ${last}`);
    if (misfortune !== 'disk ends the process') this.#faulty.add(keeper.name);
    world.judgeDisk(keeper.name, ({ number, call }: DiskCall): Fault | undefined => {
      if (number < first || number > last) return undefined;
      if (misfortune === 'disk is full') return TAKES_SPACE.has(call) ? { code: 'ENOSPC' } : undefined;
      if (misfortune === 'disk fails') return { code: 'EIO' };
      keeper.gone();
      return end;
    });
  }

  #clearDisk(keeper: Keeper): void {
    this.#options.world.judgeDisk(keeper.name, undefined);
    this.#faulty.delete(keeper.name);
  }
}
