/**
 * How commands find what runs: each process leaves a file with its addresses in `<data folder>/run/` while it
 * lives. A file of a process that was killed is recognised by its silent admin address and passed over.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { OctetEnv } from '../octet/urls.ts';
import { CliError, EXIT } from './exit.ts';

export interface RunRecord {
  readonly pid: number;
  readonly startedAtMs: number;
  readonly portOffset: number;
  readonly adminUrl: string;
  readonly adminToken: string;
  readonly env: OctetEnv;
}

/** @param name `octet` for all in one process, else the service */
export async function writeRecord(dataDir: string, name: string, record: RunRecord): Promise<void> {
  const file = recordFile(dataDir, name);
  await mkdir(path.dirname(file), { recursive: true });
  // It holds credentials.
  await writeFile(`${file}.new`, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

export async function removeRecord(dataDir: string, name: string): Promise<void> {
  await rm(recordFile(dataDir, name), { force: true });
}

/** The records of processes that answer. */
export async function livingRecords(dataDir: string, portOffset: number): Promise<RunRecord[]> {
  const folder = path.join(dataDir, 'run');
  const names = await readdir(folder).catch(() => []);
  const records = await Promise.all(
    names
      .filter((name) => name.endsWith('.json'))
      .map(async (name) => JSON.parse(await readFile(path.join(folder, name), 'utf8')) as RunRecord),
  );
  const matching = records.filter((record) => record.portOffset === portOffset);
  const alive = await Promise.all(matching.map(answers));
  return matching.filter((_, index) => alive[index]);
}

/** @throws CliError when nothing runs there */
export async function requireRunning(dataDir: string, portOffset: number): Promise<RunRecord[]> {
  const records = await livingRecords(dataDir, portOffset);
  if (records.length > 0) return records;
  const offset = portOffset === 0 ? '' : ` with port offset ${portOffset}`;
  throw new CliError(EXIT.notRunning, `no Octet runs on ${dataDir}${offset}`, 'start one with `octet up`');
}

async function answers(record: RunRecord): Promise<boolean> {
  try {
    const response = await fetch(`${record.adminUrl}/healthz`, { signal: AbortSignal.timeout(2_000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

function recordFile(dataDir: string, name: string): string {
  return path.join(dataDir, 'run', `${name}.json`);
}
