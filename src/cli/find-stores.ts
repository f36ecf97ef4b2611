/** What lies below a data folder: `octet up` keeps a store, and for some services blobs, per service. */
import path from 'node:path';
import { BLOB_NAME, FOLDER_NAME } from '../core/blobs/blobs.ts';
import type { Files } from '../core/files/files.ts';
import { firstOfName } from '../core/journal/segment.ts';
import { CliError, EXIT } from './exit.ts';

export interface Stored {
  readonly kind: 'store' | 'journal' | 'blobs';
  readonly folder: string;
  /** From the folder that was searched; `.` for itself. */
  readonly name: string;
}

/** What is being made, or was when its process ended: nobody looks for anything in it. */
const UNFINISHED = /\.(draft-[0-9a-f]+|unfinished)$/;

/** `<data>/<service>/<part>` is as deep as it gets; a folder above the data folder may be named as well. */
const DEPTH_MAX = 5;

/**
 * Every store, every journal that belongs to none, and every folder of blobs in `folder` and below, in the order
 * of their names.
 * @throws CliError when there is no such folder, or nothing of the kind in it
 */
export async function findStores(files: Files, command: string, folder: string): Promise<Stored[]> {
  if ((await files.stat(folder))?.isFolder !== true) {
    throw new CliError(EXIT.usage, `${command}: there is no folder ${folder}`);
  }
  const found = await search(files, folder, '.', DEPTH_MAX);
  if (found.length > 0) return found;
  throw new CliError(EXIT.usage, `${command}: there is no store and no blob in ${folder}`);
}

async function search(files: Files, folder: string, name: string, depth: number): Promise<Stored[]> {
  const names = await files.list(folder);
  const kind = await kindOf(files, folder, names);
  if (kind !== undefined) return [{ kind, folder, name }];
  if (depth === 0) return [];
  const found: Stored[] = [];
  for (const child of names) {
    const below = path.join(folder, child);
    if (UNFINISHED.test(child)) continue;
    if ((await files.stat(below))?.isFolder !== true) continue;
    found.push(...(await search(files, below, path.join(name, child), depth - 1)));
  }
  return found;
}

async function kindOf(
  files: Files,
  folder: string,
  names: readonly string[],
): Promise<Stored['kind'] | undefined> {
  const isFolder = async (name: string) => (await files.stat(path.join(folder, name)))?.isFolder === true;
  if (names.some((name) => firstOfName(name) !== undefined)) return 'journal';
  if (names.includes('pages') && !(await isFolder('pages'))) return 'store';
  if (names.includes('journal') && (await isFolder('journal'))) return 'store';
  for (const name of names) {
    // A service may have a name of two such digits.
    if (FOLDER_NAME.test(name) && (await holdsBlobs(files, path.join(folder, name)))) return 'blobs';
  }
  return undefined;
}

async function holdsBlobs(files: Files, group: string): Promise<boolean> {
  if ((await files.stat(group))?.isFolder !== true) return false;
  return (await files.list(group)).some((name) => BLOB_NAME.test(name));
}
