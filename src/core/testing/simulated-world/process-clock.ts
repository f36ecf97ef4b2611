/** The clock of one simulated process: its timers end with it, and looking at the time may take time. */
import type { Clock, Timer } from '../../time/clock.ts';
import type { SimulatedClock } from '../../time/simulated-clock.ts';
import { sleepOn } from '../../time/sleep.ts';

export interface ProcessClockOptions {
  /** How far the wall clock of this machine is off, in milliseconds. */
  readonly skewMs: number;
  /** What computing takes between two looks at the clock; whoever limits the length of a turn looks often. */
  readonly spendMs: () => number;
}

export class ProcessClock implements Clock {
  readonly #world: SimulatedClock;
  readonly #options: ProcessClockOptions;
  readonly #pending = new Set<Timer>();
  #hasEnded = false;

  constructor(world: SimulatedClock, options: ProcessClockOptions) {
    this.#world = world;
    this.#options = options;
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  now(): number {
    return this.#world.now() + this.#options.skewMs;
  }

  monotonic(): number {
    this.#world.spend(this.#options.spendMs());
    return this.#world.monotonic();
  }

  schedule(delayMs: number, fire: () => void): Timer {
    if (this.#hasEnded) return { cancel: () => undefined };
    const timer = this.#world.schedule(delayMs, () => {
      this.#pending.delete(own);
      fire();
    });
    const own: Timer = {
      cancel: () => {
        timer.cancel();
        this.#pending.delete(own);
      },
    };
    this.#pending.add(own);
    return own;
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delayMs, signal);
  }

  /** The process is no more: nothing it waits for comes. */
  end(): void {
    this.#hasEnded = true;
    for (const timer of [...this.#pending]) timer.cancel();
  }
}
