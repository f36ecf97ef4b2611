/** `octet status` and `octet env`: what runs on a data folder. */
import type { OctetEnv } from '../octet/urls.ts';
import { type RunRecord, requireRunning } from './run-record.ts';
import { readSettings, type SettingFlags } from './settings.ts';

interface StatusAnswer {
  readonly memory: number;
  readonly services: readonly {
    name: string;
    endpoints: Record<string, { address: string; port: number }>;
    health: { state: string; reason?: string };
  }[];
}

/** @returns 0 when every service is sound, else 1 */
export async function status(flags: SettingFlags & { json?: boolean }): Promise<number> {
  const { config, dataDir } = await readSettings(flags);
  const records = await requireRunning(dataDir, config.portOffset);
  const answers = await Promise.all(records.map(askStatus));
  if (flags.json === true) {
    process.stdout.write(`${JSON.stringify(answers, null, 2)}\n`);
  } else {
    for (const [index, answer] of answers.entries())
      process.stdout.write(describe(records[index] as RunRecord, answer));
  }
  return answers.every((answer) => answer.services.every((service) => service.health.state === 'ok')) ? 0 : 1;
}

async function askStatus(record: RunRecord): Promise<StatusAnswer> {
  const headers: Record<string, string> =
    record.adminToken === '' ? {} : { authorization: `Bearer ${record.adminToken}` };
  const response = await fetch(`${record.adminUrl}/status`, { headers });
  return (await response.json()) as StatusAnswer;
}

function describe(record: RunRecord, answer: StatusAnswer): string {
  const lines = answer.services.map((service) => {
    const at = service.endpoints['main'];
    const address = at === undefined ? '' : `${at.address}:${at.port}`;
    const { state, reason } = service.health;
    return `  ${service.name.padEnd(9)} ${state.padEnd(8)} ${address}${reason === undefined ? '' : `  ${reason}`}`;
  });
  const megabytes = (answer.memory / 1024 / 1024).toFixed(0);
  return [`process ${record.pid}, ${megabytes} MiB`, ...lines, ''].join('\n');
}

/** `octet env`: shell lines, or one JSON object. */
export async function printEnv(flags: SettingFlags & { json?: boolean }): Promise<number> {
  const env = await runningEnv(flags);
  process.stdout.write(flags.json === true ? `${JSON.stringify(env, null, 2)}\n` : shellLines(env));
  return 0;
}

/** The connection strings of what runs, of all its processes together. */
export async function runningEnv(flags: SettingFlags): Promise<OctetEnv> {
  const { config, dataDir } = await readSettings(flags);
  const records = await requireRunning(dataDir, config.portOffset);
  return Object.assign({}, ...records.map((record) => record.env)) as OctetEnv;
}

function shellLines(env: OctetEnv): string {
  return Object.entries(env)
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'\n`)
    .join('');
}
