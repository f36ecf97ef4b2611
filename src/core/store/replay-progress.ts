/** How far a replay of the journal has come, told now and then. */
import type { Position } from '../journal/types.ts';
import type { Clock } from '../time/clock.ts';

/** What `onRecovery` is told: first with nothing done, last with everything. */
export interface RecoveryProgress {
  /** Bytes of the journal whose changes are in the trees. */
  readonly doneBytes: number;
  /** Bytes of the journal after the root; stays the same during one recovery. */
  readonly totalBytes: number;
}

/** The least time between two calls of `onRecovery`, but for the last. */
const TELL_EVERY_MS = 100;

/** The stretch of positions that a journal keeps, and what it takes. */
interface Stored {
  readonly first: Position;
  readonly last: Position;
  readonly storedBytes: number;
}

/**
 * Counts in positions, for these are known beforehand; the bytes are in proportion. Of a journal that is replayed
 * as a whole that is exact at the end, of a part of it about right.
 */
export class ReplayProgress {
  readonly #tell: ((progress: RecoveryProgress) => void) | undefined;
  readonly #clock: Clock;
  readonly #after: Position;
  readonly #positions: number;
  readonly #totalBytes: number;
  #done: Position;
  #target: Position;
  #changes = 0;
  #applied = 0;
  #toldAt: number;

  constructor(
    stored: Stored,
    after: Position,
    clock: Clock,
    tell: ((progress: RecoveryProgress) => void) | undefined,
  ) {
    this.#positions = stored.last - after;
    const share = this.#positions / Math.max(1, stored.last - stored.first + 1);
    this.#totalBytes = Math.round(stored.storedBytes * Math.min(1, share));
    this.#after = after;
    this.#done = after;
    this.#target = after;
    this.#clock = clock;
    this.#toldAt = clock.monotonic();
    this.#tell = this.#positions > 0 ? tell : undefined;
    this.#tell?.({ doneBytes: 0, totalBytes: this.#totalBytes });
  }

  /** The changes up to position `target` are about to be made. */
  begin(target: Position, changes: number): void {
    this.#target = target;
    this.#changes = changes;
    this.#applied = 0;
  }

  /** So many more of them have been made. */
  add(changes: number): void {
    this.#applied += changes;
    const now = this.#clock.monotonic();
    if (now - this.#toldAt < TELL_EVERY_MS) return;
    this.#toldAt = now;
    this.#report(this.#done + ((this.#target - this.#done) * this.#applied) / Math.max(1, this.#changes));
  }

  /** All of them have been made. */
  end(target: Position): void {
    this.#done = target;
    if (target - this.#after === this.#positions) this.#report(target);
  }

  #report(position: number): void {
    const share = (position - this.#after) / this.#positions;
    this.#tell?.({ doneBytes: Math.round(this.#totalBytes * share), totalBytes: this.#totalBytes });
  }
}
