/**
 * What a service is given, and what it gives back. Every service exports one function
 *
 *   startX(options, host): Promise<X>       where X extends RunningService
 *
 * that resolves when the service answers (recovery done, sockets open) and rejects leaving nothing behind.
 */
import type { Blobs } from './blobs/types.ts';
import type { Files } from './files/files.ts';
import type { Endpoint, Network } from './net/network.ts';
import type { Observer } from './observe/types.ts';
import type { Random } from './random/random.ts';
import type { StoreBounds } from './store/store.ts';
import type { Store } from './store/types.ts';
import type { Clock } from './time/clock.ts';

/** Everything of the outside that a service may touch; real in production, simulated in a simulation. */
export interface World {
  readonly clock: Clock;
  readonly random: Random;
  readonly files: Files;
  readonly network: Network;
}

export interface Host extends World {
  readonly observer: Observer;
  /** The service's own folder in `files`; made by the service when it first needs it. */
  readonly folder: string;
  /** Bounds of the service's store; the store's own defaults, when absent. */
  readonly storage?: StoreBounds;
}

export type Health =
  | { readonly state: 'ok' }
  | { readonly state: 'degraded' | 'failed'; readonly reason: string };

/** What a service keeps, for a backup of it: a store and the blobs that it names, each in a folder of its own. */
export interface ServiceState {
  readonly store: Store;
  /** A name in the service's folder. */
  readonly storeFolder: string;
  readonly blobs?: Blobs;
  readonly blobsFolder?: string;
}

export interface RunningService extends AsyncDisposable {
  readonly name: string;
  /** Bound addresses by role: `main`, and others such as `management`. */
  readonly endpoints: Readonly<Record<string, Endpoint>>;
  health(): Health;
  /** Undefined when the service keeps nothing. */
  readonly state?: ServiceState;
  /** Accepts no more, lets what is in flight finish for up to `drainTimeoutMs` (default 5,000), closes all,
   * leaves the folder ready for the next start. A second call waits for the first. */
  close(drainTimeoutMs?: number): Promise<void>;
}
