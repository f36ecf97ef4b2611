/** The commands that took longest lately: a bounded log, newest first, with arguments cut short. */
import { SLOWLOG_ARGUMENT_BYTES, SLOWLOG_ARGUMENTS } from '../limits.ts';

export interface SlowCommand {
  readonly id: number;
  /** Seconds since 1970. */
  readonly at: number;
  readonly durationUs: number;
  readonly args: readonly string[];
  readonly peer: string;
  readonly clientName: string;
}

export class Slowlog {
  #entries: SlowCommand[] = [];
  #nextId = 0;

  get length(): number {
    return this.#entries.length;
  }

  add(entry: Omit<SlowCommand, 'id'>, maxLength: number): void {
    this.#entries.unshift({ ...entry, id: this.#nextId++, args: shortened(entry.args) });
    if (this.#entries.length > maxLength) this.#entries.length = Math.max(0, maxLength);
  }

  newest(count: number): readonly SlowCommand[] {
    return this.#entries.slice(0, count);
  }

  clear(): void {
    this.#entries = [];
  }
}

function shortened(args: readonly string[]): string[] {
  const kept = args.slice(0, args.length > SLOWLOG_ARGUMENTS ? SLOWLOG_ARGUMENTS - 1 : args.length).map(cut);
  if (args.length > SLOWLOG_ARGUMENTS) kept.push(`... (${args.length - kept.length} more arguments)`);
  return kept;
}

function cut(arg: string): string {
  const more = arg.length - SLOWLOG_ARGUMENT_BYTES;
  return more > 0 ? `${arg.slice(0, SLOWLOG_ARGUMENT_BYTES)}... (${more} more bytes)` : arg;
}
