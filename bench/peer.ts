/** A server as a process of its own: started on a private port in a temporary folder, stopped by its process id. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OctetInput, ServiceName } from '../src/octet/config.ts';
import { EPHEMERAL_PORTS, type OctetProcess, startOctetProcess } from '../test/octet-process.ts';
import type { Place } from './benchmark.ts';
import { processCpuMicros } from './process-cpu.ts';
import type { RunOptions } from './programs.ts';

const READY_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 5_000;
const POLL_MS = 20;
const MAX_OUTPUT_LENGTH = 64 * 1024;

export class Peer implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #program: string;
  #output = '';

  constructor(program: string, child: ChildProcess) {
    this.#program = program;
    this.#child = child;
    const add = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString('utf8')).slice(-MAX_OUTPUT_LENGTH);
    };
    child.stdout?.on('data', add);
    child.stderr?.on('data', add);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Of it and all it started. */
  cpuMicros = (): number => processCpuMicros(this.#child.pid!);

  /** @throws Error with what the process said when nobody answers at `port` in time, or it ended */
  async untilListening(port: number): Promise<void> {
    await this.#until(() => accepts(port), `does not listen on ${port}`);
  }

  /** @returns what `pattern` captured in what the process says. @throws Error as above */
  async untilSaid(pattern: RegExp): Promise<string> {
    const found = async (): Promise<boolean> => pattern.test(this.#output);
    await this.#until(found, `does not say ${pattern}`);
    return pattern.exec(this.#output)?.[1] ?? '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isRunning) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const force = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await gone;
    clearTimeout(force);
  }

  get #isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async #until(condition: () => Promise<boolean>, complaint: string): Promise<void> {
    const deadline = performance.now() + READY_TIMEOUT_MS;
    while (!(await condition())) {
      if (!this.#isRunning) throw new Error(`${this.#program} ended:\n${this.#output.slice(-2_000)}`);
      if (performance.now() > deadline)
        throw new Error(`${this.#program} ${complaint}:\n${this.#output.slice(-2_000)}`);
      await sleep(POLL_MS);
    }
  }
}

/** Starts a found program that stays in the foreground; stopped with `place.stack`. */
export function startPeer(
  place: Place,
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Peer {
  const child = spawn(program, args, {
    cwd: options.cwd ?? place.folder,
    ...options.user,
    env: place.programs.environment(options.env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return place.stack.use(new Peer(program, child));
}

/** Starts a script of `bench/servers` in a Node of its own. @returns it, and the port it chose */
export async function startScript(
  place: Place,
  script: string,
  args: readonly string[] = [],
): Promise<{ peer: Peer; port: number }> {
  const file = `${import.meta.dirname}/servers/${script}`;
  const peer = startPeer(place, process.execPath, [file, ...args]);
  return { peer, port: Number(await peer.untilSaid(/listening on (\d+)\n/)) };
}

/** Starts one service of ours as `octet` would, in a process of its own; stopped with `place.stack`. */
export async function startOurs(
  place: Place,
  service: ServiceName,
  config: OctetInput,
): Promise<OctetProcess> {
  const folder = `${place.folder}/octet`;
  return place.stack.use(
    await startOctetProcess(folder, { ...EPHEMERAL_PORTS, services: [service], ...config }),
  );
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function accepts(port: number): Promise<boolean> {
  const socket = net.connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
