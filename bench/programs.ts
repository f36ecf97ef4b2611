/** Programs of Debian and packages of npm: where they are, and how programs are run to their end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, existsSync, globSync } from 'node:fs';
import path from 'node:path';

/** A peer or a load tool that this machine does not have. */
export class MissingPackage extends Error {
  /** @param needs what, and how to get it */
  constructor(needs: string) {
    super(`needs ${needs}`);
    this.name = 'MissingPackage';
  }
}

export const INSTALL_NPM_PEERS = 'npm ci --prefix bench/peers';

/** Servers stand outside the search path of many users. */
const FOLDERS = ['/usr/bin', '/usr/sbin'];
const TIMEOUT_MS = 30_000;
const MAX_OUTPUT_LENGTH = 1024 * 1024;

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Runs as this user, when we are root: some servers refuse to be root. */
  readonly user?: UserIds | undefined;
}

export interface UserIds {
  readonly uid: number;
  readonly gid: number;
}

export class Programs {
  readonly #unpacked: string;
  readonly #npmPeers: string;

  /**
   * @param unpacked folder into which Debian packages were unpacked instead of installed
   * @param npmPeers folder in whose `node_modules` the peers of npm lie
   */
  constructor(unpacked: string, npmPeers: string) {
    this.#unpacked = unpacked;
    this.#npmPeers = npmPeers;
  }

  /** @returns the folder of a package. @throws MissingPackage */
  findNpmPackage(name: string): string {
    const found = path.resolve(this.#npmPeers, 'node_modules', name);
    if (!existsSync(found)) throw new MissingPackage(`the npm package ${name}: ${INSTALL_NPM_PEERS}`);
    return found;
  }

  /** @param folder where else than the usual places. @returns its path. @throws MissingPackage */
  find(program: string, debianPackage: string, folder?: string): string {
    const patterns = folder === undefined ? FOLDERS : [folder];
    const roots = [this.#unpacked, ''];
    // Of several versions the newest.
    const folders = roots.flatMap((root) =>
      globSync(patterns.map((at) => root + at))
        .toSorted()
        .reverse(),
    );
    const found = folders.map((folder) => path.join(folder, program)).find(isExecutable);
    if (found === undefined) throw new MissingPackage(`Debian package ${debianPackage}`);
    return found;
  }

  /** The environment in which programs run: libraries of an unpacked package are beside it. */
  environment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
    const libraries = globSync(`${this.#unpacked}/usr/lib/*/`).join(':');
    return {
      ...process.env,
      LC_ALL: 'C.UTF-8',
      ...(libraries === '' ? {} : { LD_LIBRARY_PATH: libraries }),
      ...more,
    };
  }

  /** Runs a found program to its end. @returns what it wrote. @throws Error when it fails or hangs */
  async run(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
    const child = spawn(program, args, {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...options.user,
      env: this.environment(options.env),
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    let output = '';
    const add = (chunk: Buffer): void => {
      output = (output + chunk.toString('utf8')).slice(-MAX_OUTPUT_LENGTH);
    };
    child.stdout.on('data', add);
    child.stderr.on('data', add);
    await once(child, 'close');
    if (child.exitCode === 0) return output;
    const ended = child.exitCode === null ? 'did not end in time' : `ended with ${child.exitCode}`;
    throw new Error(`${program} ${args.join(' ')} ${ended}:\n${output.slice(-2_000)}`);
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The number that `pattern` captures. @throws Error when the tool's output has another shape than expected */
export function numberIn(output: string, pattern: RegExp): number {
  const value = Number(pattern.exec(output)?.[1]);
  if (Number.isNaN(value)) throw new Error(`no ${pattern} in:\n${output.slice(-2_000)}`);
  return value;
}
