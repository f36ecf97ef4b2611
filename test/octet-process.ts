/**
 * `octet up` as a process of its own, in a folder of its own, as a user would start it. For tests that look at
 * it from outside: with clients of others, or by killing it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { OctetInput } from '../src/octet/config.ts';

const COMMAND = path.resolve(import.meta.dirname, '../bin/octet.mjs');

/** Generous, for a machine that does other things as well. */
const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 20_000;
/** What is kept of what the process says. */
const MAX_OUTPUT_LENGTH = 64 * 1024;

/** Settings that make every port the operating system's choice. */
export const EPHEMERAL_PORTS = {
  adminPort: 0,
  dns: { port: 0 },
  database: { port: 0 },
  cache: { port: 0 },
  queue: { port: 0, managementPort: 0 },
  objects: { port: 0 },
  mail: { port: 0, httpPort: 0 },
  api: { port: 0 },
  balancer: { port: 0, managementPort: 0 },
  console: { port: 0 },
} as const satisfies OctetInput;

export class OctetProcess {
  /** Connection strings, as `octet env` prints them. */
  readonly env: Readonly<Record<string, string>>;
  readonly #child: ChildProcess;
  readonly #output: () => string;

  constructor(child: ChildProcess, output: () => string, env: Readonly<Record<string, string>>) {
    this.#child = child;
    this.#output = output;
    this.env = env;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The end of what the process has written, to both of its outputs. */
  get output(): string {
    return this.#output();
  }

  /** Kills without a chance to finish anything; resolves when the process is gone. */
  async kill(): Promise<void> {
    await end(this.#child, 'SIGKILL');
  }

  /** Asks to finish what is in flight; kills when that takes too long. @returns the exit code */
  async stop(): Promise<number | null> {
    await end(this.#child, 'SIGTERM');
    return this.#child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/**
 * Starts `octet up` with `config`, written to `folder`; its data lie in `folder/data`.
 * @throws Error with what the process said when it is not ready in time
 */
export async function startOctetProcess(
  folder: string,
  config: OctetInput,
  readyTimeoutMs: number = READY_TIMEOUT_MS,
): Promise<OctetProcess> {
  const child = await launch(folder, config);
  const output = gather(child);
  try {
    await ready(child, output, readyTimeoutMs);
    return new OctetProcess(child, output, await readEnv(folder, child.pid!));
  } catch (error) {
    await end(child, 'SIGKILL');
    throw error;
  }
}

/** Starts it and kills it, ready or not, when `moment` has come; what the moment throws is thrown. */
export async function startAndKill(
  folder: string,
  config: OctetInput,
  moment: () => Promise<void>,
): Promise<void> {
  const child = await launch(folder, config);
  gather(child);
  try {
    await moment();
  } finally {
    await end(child, 'SIGKILL');
  }
}

async function launch(folder: string, config: OctetInput): Promise<ChildProcess> {
  await mkdir(folder, { recursive: true });
  const configFile = path.join(folder, 'octet.config.json');
  await writeFile(configFile, JSON.stringify({ ...config, dataDir: 'data' }, null, 2));
  const child = spawn(process.execPath, [COMMAND, 'up', '--config', configFile], options(folder));
  const endWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', endWithUs);
  child.once('exit', () => process.off('exit', endWithUs));
  return child;
}

/** Lets a signal end this process by way of its `exit` event, so that no Octet outlives it; `clean` runs then. */
export function exitOnSignals(clean: () => void): void {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.once(signal, () => {
      clean();
      process.exit(code);
    });
  }
}

/** Settings in the environment of whoever runs the tests are not meant for this Octet. */
function options(cwd: string): { cwd: string; env: NodeJS.ProcessEnv; stdio: ['ignore', 'pipe', 'pipe'] } {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('OCTET_')));
  return { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] };
}

function gather(child: ChildProcess): () => string {
  let text = '';
  const add = (chunk: Buffer): void => {
    text = (text + chunk.toString('utf8')).slice(-MAX_OUTPUT_LENGTH);
  };
  child.stdout?.on('data', add);
  child.stderr?.on('data', add);
  return () => text;
}

async function ready(child: ChildProcess, output: () => string, timeoutMs: number): Promise<void> {
  const late = AbortSignal.timeout(timeoutMs);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const look = (): void => {
    if (output().includes(' ready in ')) resolve();
  };
  const fail = (why: string): void => reject(new Error(`octet ${why}:\n${output()}`));
  const ended = (): void => fail('ended instead of being ready');
  const tooLate = (): void => fail(`was not ready within ${timeoutMs} ms`);
  child.stdout?.on('data', look);
  child.once('close', ended);
  late.addEventListener('abort', tooLate);
  try {
    await promise;
  } finally {
    child.stdout?.off('data', look);
    child.off('close', ended);
    late.removeEventListener('abort', tooLate);
  }
}

/** From where `octet env` takes them too: a process more for each start would be most of what a start costs. */
async function readEnv(folder: string, pid: number): Promise<Readonly<Record<string, string>>> {
  const record = await readFile(path.join(folder, `data/run/octet-${pid}.json`), 'utf8');
  return (JSON.parse(record) as { env: Record<string, string> }).env;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  const late = AbortSignal.timeout(STOP_TIMEOUT_MS);
  late.addEventListener('abort', () => child.kill('SIGKILL'));
  await gone;
}
