/** The process of one contender, seen from the benchmark: it gets orders and counts what they cost. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import type { Done, Place } from '../benchmark.ts';
import type { Order, Outcome } from './contender.ts';

const MAX_OUTPUT_LENGTH = 64 * 1_024;

/** @param script a file of JavaScript or TypeScript that `node` can run. Stopped with `place.stack` */
export function startContender(
  place: Place,
  node: string,
  script: string,
  args: readonly string[] = [],
): ContenderProcess {
  const child = spawn(node, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  return place.stack.use(new ContenderProcess(child, script));
}

export class ContenderProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #script: string;
  #output = '';
  #cpuMicros = 0;
  #fresh: string | undefined;

  constructor(child: ChildProcess, script: string) {
    this.#child = child;
    this.#script = script;
    const add = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString('utf8')).slice(-MAX_OUTPUT_LENGTH);
    };
    child.stdout?.on('data', add);
    child.stderr?.on('data', add);
    child.on('error', (error) => add(Buffer.from(String(error))));
  }

  /** What all orders so far have cost in its own process, threads of native code included. */
  readonly cpuMicros = (): number => this.#cpuMicros;

  /** @throws Error with what went wrong in the process */
  async order(order: Order): Promise<Done> {
    const { promise: ended, reject } = Promise.withResolvers<never>();
    const fail = (): void => reject(new Error(`${this.#script} ended:\n${this.#output.slice(-2_000)}`));
    this.#child.once('exit', fail);
    try {
      if (!this.#isRunning) fail();
      const answer = once(this.#child, 'message');
      answer.catch(() => undefined);
      this.#child.send(order);
      const [outcome] = (await Promise.race([answer, ended])) as [Outcome];
      if ('error' in outcome) throw new Error(`${order.what}: ${outcome.error}`);
      this.#cpuMicros += outcome.cpuMicros;
      return outcome;
    } finally {
      this.#child.off('exit', fail);
    }
  }

  /** Opens it in `folder`, which is made if missing; does nothing if it is open there with this cache. */
  async open(folder: string, cacheBytes: number): Promise<void> {
    await mkdir(folder, { recursive: true });
    await this.order({ what: 'open', folder, cacheBytes });
  }

  /** Opens it in an empty folder; the one before that is removed. */
  async openFresh(folder: string, cacheBytes: number): Promise<void> {
    await this.order({ what: 'close' });
    await this.removeFresh();
    this.#fresh = folder;
    await this.open(folder, cacheBytes);
  }

  async removeFresh(): Promise<void> {
    if (this.#fresh !== undefined) await rm(this.#fresh, { recursive: true, force: true });
    this.#fresh = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isRunning) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }

  get #isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null && this.#child.pid !== undefined;
  }
}
