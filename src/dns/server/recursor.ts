/** placeholder until the resolver stands */

import type { World } from '../../core/lifecycle.ts';
import type { Endpoint } from '../../core/net/network.ts';
import { type Answer, bareAnswer } from '../engine/answer.ts';
import type { ZoneAnswer } from '../engine/authority.ts';
import type { DnsMetrics } from '../metrics.ts';
import { RCODE } from '../wire/codes.ts';
import type { Name } from '../wire/name.ts';
import type { CheckedOptions, DnsOptions } from './options.ts';
export class Recursor {
  cacheEntries = 0;
  cacheBytes = 0;
  resolutions = 0;
  constructor(_d: {
    options: DnsOptions;
    checked: CheckedOptions;
    world: World;
    metrics: DnsMetrics;
    ownEndpoints(): readonly Endpoint[];
    answerLocally(name: Name, type: number): ZoneAnswer | undefined;
  }) {}
  resolve(_q: { name: Name; type: number }, done: (answer: Answer, how: string) => void): boolean {
    done(bareAnswer(RCODE.SERVFAIL), 'none');
    return true;
  }
  flush(): void {}
  close(): void {}
}
