/**
 * Whether a small sync is waited for at once, holding the event loop, or apart, on the thread pool.
 *
 *             at least half of the last `window` apart took no longer than FAST_MS
 *        ┌────────────────────────────────────────────────────────────────────────┐
 *     apart                                                                    at once
 *        └────────────────────────────────────────────────────────────────────────┘
 *             the average of the last ones exceeds FAST_MS; the next window is twice as long
 *
 * The way to the thread pool and back is two wake-ups of sleeping threads: on a fast disk it takes as long as the sync
 * itself, and more CPU. On a slow disk, or one that is busy, it is nothing beside the sync, and holding up the event
 * loop for it would stop every service of the process. So the disk's own times decide. A sync apart is timed from the
 * call to its callback, which includes the turn of the event loop that was under way: a process with much else to do
 * finds its disk slow, and goes on apart, where its work and the sync overlap.
 *
 * A hold is short, and holds do not follow one another without end: when they add up to TURN_AFTER_MS the event loop
 * gets a turn. While another sync is under way (a checkpoint, an object's bytes) small ones go apart as well, as the disk
 * would finish that one first.
 */
import { assert } from '../assert.ts';

/** A sync that takes longer is one to wait for apart, milliseconds: about twice what the way there and back costs. */
export const FAST_MS = 0.4;
/** How much of the average the newest sync at once is: a single one of 8 × FAST_MS ends holding. */
const NEWEST_SHARE = 1 / 8;
/** Syncs apart that are looked at together: at first, and at most after holding has failed again and again. */
export const FIRST_WINDOW = 16;
export const LAST_WINDOW = 128;
/** After so many at once the disk's earlier failures are forgotten. */
export const FORGIVEN_AFTER = 512;
/** So much holding, milliseconds, may come between two turns of the event loop. */
export const TURN_AFTER_MS = 2;

export class SyncPace {
  #mode: 'apart' | 'at-once' = 'apart';
  #windowLength = FIRST_WINDOW;
  #seen = 0;
  #fast = 0;
  #averageMs = 0;
  #streak = 0;
  #heldMs = 0;
  #underWay = 0;

  /** A small sync should be waited for here and now. */
  get atOnce(): boolean {
    return this.#mode === 'at-once' && this.#underWay === 0;
  }

  /** A sync begins on the thread pool. */
  begin(): void {
    this.#underWay++;
  }

  /** @param smallMs how long it took, if it was a small one */
  end(smallMs?: number): void {
    assert(this.#underWay > 0, 'a sync that ends has begun');
    this.#underWay--;
    if (smallMs === undefined || this.#mode === 'at-once') return;
    this.#seen++;
    if (smallMs <= FAST_MS) this.#fast++;
    if (this.#seen < this.#windowLength) return;
    if (this.#fast >= this.#windowLength / 2) this.#hold();
    this.#seen = 0;
    this.#fast = 0;
  }

  /** @returns whether the event loop must get a turn before the caller goes on */
  held(milliseconds: number): boolean {
    this.#streak++;
    this.#averageMs += (milliseconds - this.#averageMs) * NEWEST_SHARE;
    if (this.#averageMs > FAST_MS) this.#letGo();
    this.#heldMs += milliseconds;
    if (this.#heldMs < TURN_AFTER_MS) return false;
    this.#heldMs = 0;
    return true;
  }

  #hold(): void {
    this.#mode = 'at-once';
    this.#streak = 0;
    this.#averageMs = 0;
  }

  #letGo(): void {
    this.#mode = 'apart';
    const isForgiven = this.#streak >= FORGIVEN_AFTER;
    this.#windowLength = isForgiven ? FIRST_WINDOW : Math.min(2 * this.#windowLength, LAST_WINDOW);
  }
}
