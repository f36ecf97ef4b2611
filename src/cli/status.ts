/** `octet status` and `octet env`: what runs on a data folder. */

import { SERVICE_NAMES } from '../octet/config.ts';
import type { OctetEnv } from '../octet/urls.ts';
import { EXIT } from './exit.ts';
import { envOf, type Running, requireRunning } from './run-record.ts';
import { readSettings, type SettingFlags } from './settings.ts';

/** @returns 0 when every service is sound, else 1 */
export async function status(flags: SettingFlags & { json?: boolean }): Promise<number> {
  const { config, dataDir } = await readSettings(flags);
  const running = await requireRunning(dataDir, config.portOffset);
  process.stdout.write(flags.json === true ? asJson(dataDir, running) : running.map(describe).join(''));
  const isSound = running.every((one) => one.status.services.every(({ health }) => health.state === 'ok'));
  return isSound ? EXIT.ok : EXIT.failed;
}

function asJson(dataDir: string, running: readonly Running[]): string {
  const processes = running.map(({ record, status }) => ({ pid: record.pid, ...status }));
  return `${JSON.stringify({ schemaVersion: 1, dataDir, processes }, null, 2)}\n`;
}

function describe({ record, status }: Running): string {
  const services = status.services.toSorted((a, b) => place(a.name) - place(b.name));
  const lines = services.map((service) => {
    const at = service.endpoints['main'];
    const address = at === undefined ? '' : `${at.address}:${at.port}`;
    const { state, reason } = service.health;
    return `  ${service.name.padEnd(9)} ${state.padEnd(8)} ${address}${reason === undefined ? '' : `  ${reason}`}`;
  });
  const megabytes = (status.memory / 1024 / 1024).toFixed(0);
  const seconds = Math.max(0, Math.round((status.nowMs - status.startedAtMs) / 1000));
  return [`process ${record.pid}, up ${seconds} s, ${megabytes} MiB`, ...lines, ''].join('\n');
}

/** Services that need one another last, as they are named in the configuration; `api-2` beside `api-1`. */
function place(service: string): number {
  return SERVICE_NAMES.findIndex((name) => service === name || service.startsWith(`${name}-`));
}

/** `octet env`: shell lines, or one JSON object. */
export async function printEnv(flags: SettingFlags & { json?: boolean }): Promise<number> {
  const env = await runningEnv(flags);
  process.stdout.write(flags.json === true ? `${JSON.stringify(env, null, 2)}\n` : shellLines(env));
  return EXIT.ok;
}

/** The connection strings of what runs, of all its processes together. */
export async function runningEnv(flags: SettingFlags): Promise<OctetEnv> {
  const { config, dataDir } = await readSettings(flags);
  return envOf(await requireRunning(dataDir, config.portOffset));
}

function shellLines(env: OctetEnv): string {
  return Object.entries(env)
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'\n`)
    .join('');
}
