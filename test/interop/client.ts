/** What a client of others is here: a program from Debian, the services it talks to, and what it has to get done. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { ServiceName } from '../../src/octet/config.ts';

export interface Client {
  readonly name: string;
  /** Debian's package that has it. */
  readonly packages: readonly string[];
  /** Ends with 0 when the client is there with all it needs. */
  readonly probe: readonly [program: string, ...args: string[]];
  readonly services: readonly ServiceName[];
  /** Run one after another; a later one may rely on what an earlier one left. */
  readonly checks: Readonly<Record<string, Check>>;
}

/** @throws (AssertionError, mostly) when the client did not get what it should */
export type Check = (world: InteropWorld) => Promise<void>;

export interface InteropWorld {
  /** Connection strings of the Octet under test. */
  readonly env: Readonly<Record<string, string>>;
  /** An empty folder of the client's own at its first check. */
  readonly folder: string;
}

export interface RunOptions {
  readonly input?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
}

export interface Outcome {
  /** null when it had to be killed. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly bytes: Buffer;
}

const TIMEOUT_MS = 60_000;
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** Runs a client to its end, or kills it. @throws Error when there is no such program */
export async function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Outcome> {
  const child = spawn(find(program), args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, LC_ALL: 'C.UTF-8', ...options.env },
    timeout: options.timeoutMs ?? TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  let size = 0;
  const gather = (into: Buffer[]) => (chunk: Buffer) => {
    size += chunk.length;
    if (size > MAX_OUTPUT_BYTES) child.kill('SIGKILL');
    else into.push(chunk);
  };
  child.stdout.on('data', gather(stdout));
  child.stderr.on('data', gather(stderr));
  // A client that has seen enough closes its input.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  await once(child, 'close');
  const bytes = Buffer.concat(stdout);
  return {
    exitCode: child.exitCode,
    stdout: bytes.toString('utf8'),
    stderr: Buffer.concat(stderr).toString('utf8'),
    bytes,
  };
}

/** Like `run`, for what must succeed. @returns what it wrote to its standard output. @throws Error otherwise */
export async function succeed(
  program: string,
  args: readonly string[],
  options?: RunOptions,
): Promise<string> {
  const outcome = await run(program, args, options);
  if (outcome.exitCode !== 0) throw new Error(`${program} ${args.join(' ')}: ${describe(outcome)}`);
  return outcome.stdout;
}

export function describe({ exitCode, stdout, stderr }: Outcome): string {
  const ended = exitCode === null ? 'did not end in time' : `ended with ${exitCode}`;
  return `${ended}\n${stdout.slice(-2_000)}${stderr.slice(-2_000)}`;
}

/** The distribution's own programs before what else may be in front of them in the search path. */
function find(program: string): string {
  const own = `/usr/bin/${program}`;
  return existsSync(own) ? own : program;
}
