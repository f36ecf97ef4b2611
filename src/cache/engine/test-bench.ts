/** For tests: an engine without sockets, whose clients are told commands as lines and show replies as text. */
import { SeededRandom } from '../../core/random/seeded-random.ts';
import { REPLY_LIMITS } from '../limits.ts';
import { splitInline } from '../wire/inline.ts';
import { type Reply, ReplyError, ReplyParser } from '../wire/reply-parser.ts';
import type { Client, ClientLink } from './client.ts';
import { COMMANDS } from './commands/table.ts';
import { type Credentials, Engine } from './engine.ts';
import type { Settings } from './settings.ts';

export interface BenchOptions {
  readonly settings?: Partial<Settings>;
  readonly credentials?: Credentials;
  readonly databases?: number;
}

/** 2001-09-09T01:46:40Z, easy to recognise. */
export const START_MS = 1_000_000_000_000;

export class Bench {
  readonly engine: Engine;
  now = START_MS;
  readonly internalErrors: unknown[] = [];

  constructor({ settings = {}, credentials, databases = 16 }: BenchOptions = {}) {
    this.engine = new Engine({
      commands: COMMANDS,
      databases,
      settings,
      credentials: credentials ?? { required: false, verify: () => true },
      random: new SeededRandom(42),
      startMs: START_MS,
      elapsedMs: () => 0,
      residentBytes: () => 0,
      version: '7.2.4',
      port: () => 6379,
      onInternalError: (error) => this.internalErrors.push(error),
    });
  }

  connect(address = '192.0.2.1'): BenchClient {
    return new BenchClient(this, address);
  }

  /** Lets time pass, with everything that is due on the way. */
  pass(milliseconds: number): void {
    this.now += milliseconds;
    this.engine.tick(this.now);
  }
}

export class BenchClient implements ClientLink {
  readonly client: Client;
  readonly remote: string;
  readonly local = '192.0.2.2:6379';
  readonly address: string;
  readonly events: string[] = [];
  readonly #bench: Bench;

  constructor(bench: Bench, address: string) {
    this.#bench = bench;
    this.address = address;
    this.remote = `${address}:1000`;
    this.client = bench.engine.connect(this, bench.now);
  }

  /** Carries out a line (`SET k "a b"`), or several; returns what was written, as text. */
  do(...lines: string[]): string {
    for (const line of lines) this.send(splitInline(line) ?? [line]);
    return this.output();
  }

  send(args: string[]): void {
    this.#bench.engine.execute(this.client, args, this.#bench.now);
  }

  /** Replies written since the last look: `OK 1 (nil) "text" [1 2] {k: v} ERR ...`, blank-separated. */
  output(): string {
    const parser = new ReplyParser(REPLY_LIMITS, 'latin1');
    parser.feed(Buffer.from(this.client.reply.take().join(''), 'latin1'));
    const shown: string[] = [];
    for (;;) {
      const step = parser.next();
      if (step === undefined) return shown.join(' ');
      if ('malformed' in step) throw new Error(step.malformed);
      shown.push((step.isPush ? '>' : '') + show(step.reply));
    }
  }

  disconnect(): void {
    this.#bench.engine.disconnect(this.client);
  }

  outputWritten(): void {}

  unblocked(): void {
    this.events.push('unblocked');
  }

  close(afterReplies: boolean): void {
    this.events.push(afterReplies ? 'close' : 'cut');
  }

  authenticated(): void {
    this.events.push('authenticated');
  }

  pendingOutputBytes(): number {
    return 0;
  }

  pendingInputBytes(): number {
    return 0;
  }
}

function show(reply: Reply): string {
  if (reply === null) return '(nil)';
  if (reply instanceof ReplyError) return reply.line;
  if (typeof reply === 'string') return reply === '' || reply.includes(' ') ? JSON.stringify(reply) : reply;
  if (reply instanceof Map)
    return `{${[...reply].map(([key, value]) => `${key}: ${show(value)}`).join(', ')}}`;
  if (Array.isArray(reply)) return `[${reply.map(show).join(' ')}]`;
  return String(reply);
}
