/**
 * A machine whose power can be cut: an ext4 file system on a loop device on a disk that records what it is told.
 *
 *   data folder ─▶ ext4 ─▶ loop device ─▶ disk-server.ts ─▶ image, as it is now
 *                                                      └──▶ log of writes and flushes
 *   image from before + a part of the log ─▶ image after the cut
 */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { mkdir, open, readFile, rm, stat, truncate } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { SeededRandom } from '../../src/core/random/seeded-random.ts';
import { DISK_NAME } from './fuse.ts';
import { decodeLog, type Entry, remainsOf } from './write-log.ts';

const run = promisify(execFile);

const SERVER = path.join(import.meta.dirname, 'disk-server.ts');
const MOUNT_TIMEOUT_MS = 20_000;
/** A file system that its process has left may be in use for a moment longer. */
const UNMOUNT_ATTEMPTS = 50;
const UNMOUNT_PAUSE_MS = 100;

/** Why nothing of this can be done here, or undefined when it can. */
export async function whyNotHere(folder: string): Promise<string | undefined> {
  if (process.platform !== 'linux') return `it takes Linux, this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'it takes root, to mount';
  for (const device of ['/dev/fuse', '/dev/loop-control']) {
    if ((await stat(device).catch(() => undefined)) === undefined) return `there is no ${device}`;
  }
  try {
    const image = path.join(folder, 'trial.img');
    await makeImage(image, 16 * 1024 * 1024);
    await using trial = await mountRecorded(image, path.join(folder, 'trial'));
    trial.logBytes();
    return undefined;
  } catch (error) {
    return String(error).trim();
  }
}

/** Makes an empty ext4 file system in a file of `sizeBytes`. */
export async function makeImage(image: string, sizeBytes: number): Promise<void> {
  await rm(image, { force: true });
  const file = await open(image, 'wx');
  await file.close();
  await truncate(image, sizeBytes);
  await run('mkfs.ext4', ['-q', '-F', image]);
}

/** Leaves out what was never written. */
export async function copyImage(from: string, to: string): Promise<void> {
  await run('cp', ['--sparse=always', from, to]);
}

export interface Mounted extends AsyncDisposable {
  /** Where the file system is. */
  readonly folder: string;
}

/** Mounts the file system in `image` on `folder`; ext4 replays its own journal here. */
export async function mountImage(image: string, folder: string): Promise<Mounted> {
  await mkdir(folder, { recursive: true });
  await run('mount', ['-o', 'loop', image, folder], { timeout: MOUNT_TIMEOUT_MS });
  return { folder, [Symbol.asyncDispose]: () => unmount(folder) };
}

export interface Recorded extends Mounted {
  /** How much of the log there is: a moment, for `imageAfterCut`. */
  logBytes(): number;
  /** What the disk was told up to `logBytes`. */
  entries(logBytes: number): Promise<Entry[]>;
}

/** Mounts a copy of `image` under `place`, and records what the disk is told from now on. */
export async function mountRecorded(image: string, place: string): Promise<Recorded> {
  await rm(place, { recursive: true, force: true });
  const [outer, inner] = [path.join(place, 'disk'), path.join(place, 'files')];
  await mkdir(outer, { recursive: true });
  const [work, log] = [path.join(place, 'work.img'), path.join(place, 'log')];
  await copyImage(image, work);
  const opened = new AsyncDisposableStack();
  try {
    const server = await startServer(outer, work, log);
    opened.defer(() => stopServer(server, outer));
    opened.use(await mountImage(path.join(outer, DISK_NAME), inner));
    const held = opened.move();
    return {
      folder: inner,
      logBytes: () => statSync(log).size,
      entries: async (logBytes) => decodeLog((await readFile(log)).subarray(0, logBytes)),
      [Symbol.asyncDispose]: () => held.disposeAsync(),
    };
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

/** What a cut has left, for what is said about it. */
export interface Cut {
  readonly unflushed: number;
  readonly lost: number;
}

/** Brings `image` from what it was before `entries` to what a power cut after them leaves. */
export async function cutPower(image: string, entries: readonly Entry[], random: SeededRandom): Promise<Cut> {
  const { writes, unflushed, lost } = remainsOf(entries, random);
  const file = await open(image, 'r+');
  try {
    for (const { offset, data } of writes) await file.write(data, 0, data.length, offset);
  } finally {
    await file.close();
  }
  return { unflushed, lost };
}

/** Takes down at once all that is mounted under `folder`, whoever still uses it: for a run that is interrupted. */
export function detachAllUnder(folder: string): void {
  const mounted = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((place) => place.startsWith(`${folder}/`));
  // What was mounted last stands on what was mounted first.
  for (const place of mounted.reverse()) spawnSync('umount', ['--lazy', place]);
}

async function startServer(outer: string, work: string, log: string): Promise<ChildProcess> {
  const server = spawn(process.execPath, [SERVER, outer, work, log], { stdio: ['ignore', 'pipe', 'pipe'] });
  const said: string[] = [];
  server.stderr?.on('data', (chunk: Buffer) => said.push(chunk.toString()));
  const ended = once(server, 'exit').then(() => {
    throw new Error(said.join('') || 'the disk ended');
  });
  ended.catch(() => undefined);
  await Promise.race([once(server.stdout!, 'data'), ended]);
  return server;
}

async function stopServer(server: ChildProcess, outer: string): Promise<void> {
  const gone = server.exitCode === null ? once(server, 'exit') : undefined;
  await unmount(outer);
  await gone;
}

async function unmount(folder: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await run('umount', [folder]);
      return;
    } catch (error) {
      if (attempt === UNMOUNT_ATTEMPTS) throw error;
    }
    await new Promise((resume) => setTimeout(resume, UNMOUNT_PAUSE_MS));
  }
}
