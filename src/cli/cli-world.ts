import type { World } from '../core/lifecycle.ts';
import { createSystemNetwork } from '../core/net/system-network.ts';
import { systemRandom } from '../core/random/system-random.ts';
import { systemClock } from '../core/time/system-clock.ts';

/** What the small clients need of the machine. */
export function cliWorld(): Pick<World, 'clock' | 'network' | 'random'> {
  return { clock: systemClock, network: createSystemNetwork(), random: systemRandom };
}
