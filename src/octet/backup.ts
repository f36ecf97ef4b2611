/**
 * Backups of all that a data folder holds, in a folder of their own:
 *
 *   <folder>/backups/20261123T054200123Z-1f0c9a2e.json    a backup: a snapshot of each service, of one moment
 *   <folder>/snapshots/…, <folder>/parts/…                the snapshots (core/backup/folder-snapshots.ts)
 *
 * The states of all services of a process are held in one turn of the event loop and then copied one after the
 * other, while everything goes on. The file that names the snapshots comes last: without it there is no backup.
 */
import path from 'node:path';
import { type HeldState, holdState } from '../core/backup/backup.ts';
import { BackupError } from '../core/backup/errors.ts';
import { createFolderSnapshots } from '../core/backup/folder-snapshots.ts';
import { restore } from '../core/backup/restore.ts';
import { createSealed, readSealed } from '../core/backup/sealed-file.ts';
import type { SnapshotManifest } from '../core/backup/snapshot-store.ts';
import { openBlobs } from '../core/blobs/blobs.ts';
import type { Files } from '../core/files/files.ts';
import type { ServiceState, World } from '../core/lifecycle.ts';
import type { Random } from '../core/random/random.ts';
import { openStore } from '../core/store/store.ts';

/** The state of one service as it lies in a backup. */
export interface ServiceBackup {
  readonly service: string;
  readonly storeFolder: string;
  readonly blobsFolder?: string;
  /** The snapshot: the journal it is of, and the position in that. */
  readonly incarnation: string;
  readonly position: number;
  readonly bytes: number;
}

export interface Backup {
  readonly format: number;
  /** When it was sealed, milliseconds since 1970. */
  readonly atMs: number;
  readonly services: readonly ServiceBackup[];
}

/** A backup in a folder of backups. */
export interface StoredBackup {
  /** Of its file, without the folder. */
  readonly name: string;
  readonly backup: Backup;
}

export interface NamedState {
  readonly service: string;
  readonly state: ServiceState;
}

const FORMAT = 1;
const BACKUP_NAME = /^\d{8}T\d{9}Z-[0-9a-f]{8}\.json$/;
/** What a backup may call a folder of a restored data folder. */
const FOLDER_NAME = /^[a-z][a-z0-9-]*$/;

/**
 * Copies what `states` hold at the call to the folder `to`. To make a backup of it is left to `sealBackup`.
 * @throws BackupError, StoreError, BlobError; FilesError `locked` when another backup is being made there
 */
export async function copyStates(
  states: readonly NamedState[],
  files: Files,
  to: string,
  signal?: AbortSignal,
): Promise<ServiceBackup[]> {
  using holding = new DisposableStack();
  const held = await holdAll(states, holding);
  const snapshots = createFolderSnapshots({ files, folder: to });
  const copied: ServiceBackup[] = [];
  for (const [index, { service, state }] of states.entries()) {
    const manifest = await held[index]!.copyTo(snapshots, signal);
    const { storeFolder, blobsFolder } = state;
    const folders = blobsFolder === undefined ? { storeFolder } : { storeFolder, blobsFolder };
    const { incarnation, position } = manifest;
    copied.push({ service, ...folders, incarnation, position, bytes: bytesOf(manifest) });
  }
  return copied;
}

/** All in this turn of the event loop, so that they are of one moment. */
async function holdAll(states: readonly NamedState[], holding: DisposableStack): Promise<HeldState[]> {
  const outcomes = await Promise.allSettled(states.map(({ state }) => holdState(state)));
  const held: HeldState[] = [];
  for (const outcome of outcomes) if (outcome.status === 'fulfilled') held.push(holding.use(outcome.value));
  const refused = outcomes.find((outcome) => outcome.status === 'rejected');
  if (refused !== undefined) throw refused.reason;
  return held;
}

function bytesOf({ parts }: SnapshotManifest): number {
  return parts.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Makes a backup of copied states: it is there from here on. @returns it, with its name */
export async function sealBackup(
  world: Pick<World, 'files' | 'clock' | 'random'>,
  to: string,
  services: readonly ServiceBackup[],
): Promise<StoredBackup> {
  const { files, clock, random } = world;
  const folder = path.join(to, 'backups');
  const backup = { format: FORMAT, atMs: clock.now(), services };
  const moment = new Date(backup.atMs).toISOString().replaceAll(/[-:.]/g, '');
  const name = `${moment}-${random.bytes(4).toString('hex')}.json`;
  await files.makeFolder(folder);
  await createSealed(files, folder, name, backup);
  return { name, backup };
}

/** The whole backups in `folder`, newest first. */
export async function listBackups(files: Files, folder: string): Promise<StoredBackup[]> {
  const backups: StoredBackup[] = [];
  for (const name of await files.list(path.join(folder, 'backups'))) {
    if (!BACKUP_NAME.test(name)) continue;
    const backup = await readSealed(files, path.join(folder, 'backups', name));
    if (isBackup(backup)) backups.push({ name, backup });
  }
  return backups.sort((left, right) => right.backup.atMs - left.backup.atMs);
}

function isBackup(value: unknown): value is Backup {
  return typeof value === 'object' && value !== null && 'services' in value && Array.isArray(value.services);
}

/** Removes all backups but the `keep` newest, and the snapshots that only they need. @returns the removed */
export async function pruneBackups(files: Files, folder: string, keep: number): Promise<StoredBackup[]> {
  const backups = await listBackups(files, folder);
  const removed = backups.slice(keep);
  if (removed.length === 0) return [];
  for (const { name } of removed) await files.remove(path.join(folder, 'backups', name));
  await files.syncFolder(path.join(folder, 'backups'));
  const kept = new Set(snapshotsOf(backups.slice(0, keep)));
  const idle = new Set(snapshotsOf(removed).filter((snapshot) => !kept.has(snapshot)));
  const snapshots = createFolderSnapshots({ files, folder });
  for (const manifest of await snapshots.list()) {
    if (idle.has(idOf(manifest))) await snapshots.delete(manifest);
  }
  return removed;
}

function snapshotsOf(backups: readonly StoredBackup[]): string[] {
  return backups.flatMap(({ backup }) => backup.services.map(idOf));
}

function idOf({ incarnation, position }: Pick<SnapshotManifest, 'incarnation' | 'position'>): string {
  return `${incarnation} ${position}`;
}

/**
 * Makes the data folder `dataDir`, which is missing or empty, out of a backup in the folder `from`: whole and
 * verified, or not at all.
 * @throws BackupError `damaged` naming what is, `not-empty`, `newer-format`, `no-space`
 */
export async function restoreBackup(
  world: { readonly files: Files; readonly random: Random },
  from: string,
  { name, backup }: StoredBackup,
  dataDir: string,
): Promise<void> {
  const { files, random } = world;
  if (backup.format > FORMAT) {
    throw new BackupError(
      'newer-format',
      `${name} has format ${backup.format}, this release knows ${FORMAT}`,
    );
  }
  await requireEmpty(files, dataDir);
  const draft = `${dataDir}.draft-${random.bytes(4).toString('hex')}`;
  try {
    await files.makeFolder(draft);
    for (const service of backup.services) await restoreService(world, from, service, draft);
    await requireEmpty(files, dataDir);
    await files.rename(draft, dataDir);
    await files.syncFolder(path.dirname(dataDir));
  } catch (error) {
    await files.removeFolder(draft).catch(() => undefined);
    throw error;
  }
}

async function requireEmpty(files: Files, folder: string): Promise<void> {
  const [name] = await files.list(folder);
  if (name !== undefined) throw new BackupError('not-empty', `${folder} holds ${name} already`);
}

async function restoreService(
  world: { readonly files: Files; readonly random: Random },
  from: string,
  backup: ServiceBackup,
  dataDir: string,
): Promise<void> {
  const { service, storeFolder, blobsFolder } = backup;
  for (const name of [service, storeFolder, blobsFolder ?? 'none']) {
    if (!FOLDER_NAME.test(name)) throw new BackupError('damaged', `"${name}" is not the name of a folder`);
  }
  const snapshots = createFolderSnapshots({ files: world.files, folder: from });
  const manifest = (await snapshots.list()).find((one) => idOf(one) === idOf(backup));
  if (manifest === undefined) {
    const snapshot = `position ${backup.position} of journal ${backup.incarnation}`;
    throw new BackupError('damaged', `${from} holds no snapshot of ${service} at ${snapshot}`);
  }
  const folder = path.join(dataDir, service);
  await restore(snapshots, manifest, {
    ...world,
    storeFolder: path.join(folder, storeFolder),
    blobsFolder: blobsFolder === undefined ? undefined : path.join(folder, blobsFolder),
  });
}

/**
 * Opens the states of services that do not run, to copy them; they are closed with `opened`.
 * @throws FilesError `locked` when one does run
 */
export async function openStates(
  world: Pick<World, 'files' | 'clock' | 'random'>,
  dataDir: string,
  services: readonly string[],
  opened: AsyncDisposableStack,
): Promise<NamedState[]> {
  const states: NamedState[] = [];
  for (const service of services) {
    const folder = path.join(dataDir, service);
    const names = await world.files.list(folder);
    const storeFolder = await storeIn(world.files, folder, names);
    if (storeFolder === undefined) continue;
    const store = opened.use(await openStore({ ...world, folder: path.join(folder, storeFolder) }));
    const state = { store, storeFolder };
    if (names.includes(BLOBS_FOLDER)) {
      const blobs = opened.use(await openBlobs({ ...world, folder: path.join(folder, BLOBS_FOLDER) }));
      states.push({ service, state: { ...state, blobs, blobsFolder: BLOBS_FOLDER } });
    } else states.push({ service, state });
  }
  return states;
}

/** Where every service that has blobs keeps them. */
const BLOBS_FOLDER = 'blobs';

/** The one folder of a service that holds a page file. */
async function storeIn(files: Files, folder: string, names: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    if (!FOLDER_NAME.test(name)) continue;
    const info = await files.stat(path.join(folder, name, 'pages'));
    if (info !== undefined && !info.isFolder) return name;
  }
  return undefined;
}
