/**
 * `octet backup --to <folder>`: what the data folder holds, as one backup. A service that runs is asked for a
 * copy of its state, for only its process knows what is being written; one that does not is opened here.
 */
import path from 'node:path';
import { systemFiles } from '../core/files/system-files.ts';
import { systemRandom } from '../core/random/system-random.ts';
import { systemClock } from '../core/time/system-clock.ts';
import { copyStates, openStates, pruneBackups, type ServiceBackup, sealBackup } from '../octet/backup.ts';
import { SERVICE_NAMES } from '../octet/config.ts';
import { CliError, EXIT } from './exit.ts';
import { findRunning, type Running } from './run-record.ts';
import { readSettings, type SettingFlags } from './settings.ts';
import { sizeText } from './size-text.ts';

const world = { files: systemFiles, clock: systemClock, random: systemRandom };

export async function backup(flags: SettingFlags & { to: string; keep?: string }): Promise<number> {
  const keep = keepOf(flags.keep);
  const { dataDir } = await readSettings(flags);
  const to = path.resolve(flags.to);
  await checkPlaces(dataDir, to);
  const running = await findRunning(dataDir);
  const services: ServiceBackup[] = [];
  for (const process of running) services.push(...(await askForCopy(process, to)));
  services.push(...(await copyStopped(dataDir, running, to)));
  if (services.length === 0) throw new CliError(EXIT.failed, `${dataDir} holds nothing to back up`);
  const { name } = await sealBackup(world, to, services);
  for (const { service, bytes, position } of services) {
    process.stdout.write(
      `  ${service.padEnd(9)} ${sizeText(bytes).padStart(10)}  as of position ${position}\n`,
    );
  }
  process.stdout.write(`backup ${name} in ${to}\n`);
  if (keep !== undefined) {
    for (const removed of await pruneBackups(systemFiles, to, keep)) {
      process.stdout.write(`removed ${removed.name}\n`);
    }
  }
  return EXIT.ok;
}

function keepOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const keep = Number(text);
  if (Number.isInteger(keep) && keep >= 1) return keep;
  throw new CliError(EXIT.usage, `--keep: "${text}" is not a whole number from 1 on`);
}

async function checkPlaces(dataDir: string, to: string): Promise<void> {
  if ((await systemFiles.stat(dataDir))?.isFolder !== true) {
    throw new CliError(EXIT.failed, `there is no data folder ${dataDir}`, 'name one with --data-dir');
  }
  if (!path.relative(dataDir, to).startsWith('..') && !path.isAbsolute(path.relative(dataDir, to))) {
    throw new CliError(EXIT.usage, `${to} lies in the data folder: a backup belongs elsewhere`);
  }
}

interface Outcome {
  readonly services?: readonly ServiceBackup[];
  readonly error?: { readonly code?: string; readonly message: string };
}

async function askForCopy({ record }: Running, to: string): Promise<readonly ServiceBackup[]> {
  const { adminUrl, adminToken, controlKey = '' } = record;
  const response = await fetch(`${adminUrl}/backup?to=${encodeURIComponent(to)}`, {
    method: 'POST',
    headers: {
      'X-Octet-Key': controlKey,
      ...(adminToken === '' ? {} : { authorization: `Bearer ${adminToken}` }),
    },
  });
  const text = await response.text();
  if (!response.ok) {
    throw new CliError(EXIT.failed, `process ${record.pid} makes no backup: ${response.status} ${text}`);
  }
  const { services, error } = JSON.parse(text.trim()) as Outcome;
  if (services !== undefined) return services;
  const exitCode = error?.code === 'corrupt' ? EXIT.corrupt : EXIT.failed;
  throw new CliError(exitCode, `no backup was made: ${error?.message}`);
}

async function copyStopped(
  dataDir: string,
  running: readonly Running[],
  to: string,
): Promise<ServiceBackup[]> {
  const up = new Set(running.flatMap(({ status }) => status.services.map(({ name }) => name)));
  const down = SERVICE_NAMES.filter((service) => !up.has(service));
  await using opened = new AsyncDisposableStack();
  const states = await openStates(world, dataDir, down, opened);
  return states.length === 0 ? [] : await copyStates(states, systemFiles, to);
}
