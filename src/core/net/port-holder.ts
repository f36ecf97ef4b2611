/**
 * Which process listens on a port: for the one error message that everybody meets. Linux only, from
 * proc(5); elsewhere, or without the right to look, nothing is said.
 */
import { readdir, readFile, readlink } from 'node:fs/promises';

export interface PortHolder {
  readonly pid: number;
  readonly command: string;
}

/** In /proc/net/tcp the state column of a listening socket. */
const LISTEN = '0A';

export async function findPortHolder(port: number): Promise<PortHolder | undefined> {
  try {
    const inodes = await listeningInodes(port);
    if (inodes.size === 0) return undefined;
    for (const entry of await readdir('/proc')) {
      const pid = Number(entry);
      if (Number.isInteger(pid) && (await holdsSocket(pid, inodes))) {
        return { pid, command: (await readFile(`/proc/${pid}/comm`, 'utf8')).trim() };
      }
    }
  } catch {
    // No proc file system, or no right to read it: the error message goes without the name.
  }
  return undefined;
}

async function listeningInodes(port: number): Promise<Set<string>> {
  const inodes = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const text = await readFile(table, 'latin1').catch(() => '');
    for (const line of text.split('\n').slice(1)) {
      // sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode
      const columns = line.trim().split(/\s+/);
      const localPort = Number.parseInt(columns[1]?.split(':')[1] ?? '', 16);
      if (localPort === port && columns[3] === LISTEN && columns[9] !== undefined) inodes.add(columns[9]);
    }
  }
  return inodes;
}

async function holdsSocket(pid: number, inodes: ReadonlySet<string>): Promise<boolean> {
  const folder = `/proc/${pid}/fd`;
  for (const fd of await readdir(folder).catch(() => [])) {
    const target = await readlink(`${folder}/${fd}`).catch(() => '');
    if (target.startsWith('socket:[') && inodes.has(target.slice(8, -1))) return true;
  }
  return false;
}
