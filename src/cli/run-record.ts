/**
 * How commands find what runs: each process leaves a file with its addresses in `<data folder>/run/` while it
 * lives. A file of a process that was killed is recognised by its admin address, which is silent or is by now
 * that of another process, and passed over.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '../core/errors.ts';
import type { OctetEnv } from '../octet/urls.ts';
import { CliError, EXIT } from './exit.ts';

export interface RunRecord {
  readonly pid: number;
  readonly startedAtMs: number;
  readonly portOffset: number;
  readonly adminUrl: string;
  readonly adminToken: string;
  /** Asked for by what only the owner of the data folder may do; absent in the record of an older release. */
  readonly controlKey?: string;
  readonly env: OctetEnv;
}

/** What `/status` of the admin address tells. */
export interface StatusAnswer {
  readonly startedAtMs: number;
  readonly nowMs: number;
  /** Resident, in bytes. */
  readonly memory: number;
  readonly services: readonly {
    readonly name: string;
    readonly endpoints: Readonly<Record<string, { readonly address: string; readonly port: number }>>;
    readonly health: { readonly state: string; readonly reason?: string };
  }[];
}

export interface Running {
  readonly record: RunRecord;
  readonly status: StatusAnswer;
}

const ANSWER_TIMEOUT_MS = 2_000;

/** @param name `octet` for all in one process, else the service. Replaces what dead processes have left. */
export async function writeRecord(dataDir: string, name: string, record: RunRecord): Promise<void> {
  const file = recordFile(dataDir, name);
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  await removeStale(dataDir);
  // It holds credentials.
  await writeFile(`${file}.new`, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

export async function removeRecord(dataDir: string, name: string): Promise<void> {
  await rm(recordFile(dataDir, name), { force: true });
}

/** The processes that answer, in the order of their names. @throws CliError when there is none */
export async function requireRunning(dataDir: string, portOffset: number): Promise<Running[]> {
  const running = (await findRunning(dataDir)).filter(({ record }) => record.portOffset === portOffset);
  if (running.length > 0) return running;
  const offset = portOffset === 0 ? '' : ` with port offset ${portOffset}`;
  throw new CliError(EXIT.notRunning, `no Octet runs on ${dataDir}${offset}`, 'start one with `octet up`');
}

/** The processes that answer, whatever their ports. */
export async function findRunning(dataDir: string): Promise<Running[]> {
  const found = await Promise.all((await recordFiles(dataDir)).map(readRecord));
  const asked = await Promise.all(found.filter((record) => record !== undefined).map(ask));
  return asked.filter((one) => one !== undefined);
}

/** The connection strings of all of them together. */
export function envOf(running: readonly Running[]): OctetEnv {
  return Object.assign({}, ...running.map(({ record }) => record.env)) as OctetEnv;
}

async function removeStale(dataDir: string): Promise<void> {
  for (const file of await recordFiles(dataDir)) {
    const record = await readRecord(file);
    if (record === undefined || (await ask(record)) === undefined) await rm(file, { force: true });
  }
}

/** Undefined when another process answers there, or none. */
async function ask(record: RunRecord): Promise<Running | undefined> {
  const { adminToken, adminUrl, startedAtMs } = record;
  try {
    const response = await fetch(`${adminUrl}/status`, {
      headers: adminToken === '' ? {} : { authorization: `Bearer ${adminToken}` },
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    const status = (await response.json()) as StatusAnswer;
    return status.startedAtMs === startedAtMs ? { record, status } : undefined;
  } catch {
    return undefined;
  }
}

async function recordFiles(dataDir: string): Promise<string[]> {
  const folder = path.join(dataDir, 'run');
  const names = await readdir(folder).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return [];
    throw error;
  });
  return names
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => path.join(folder, name));
}

/** Undefined when it is not whole: a power cut can do that. */
async function readRecord(file: string): Promise<RunRecord | undefined> {
  try {
    const record = JSON.parse(await readFile(file, 'utf8')) as RunRecord | null;
    return typeof record?.adminUrl === 'string' ? record : undefined;
  } catch {
    return undefined;
  }
}

/** The process id keeps those apart that run the same service on other ports. */
function recordFile(dataDir: string, name: string): string {
  return path.join(dataDir, 'run', `${name}-${process.pid}.json`);
}
