/** `octet up`, and `octet <service>` for one alone: start, say where everything is, run until told to stop. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { systemFiles } from '../core/files/system-files.ts';
import type { ServiceName } from '../octet/config.ts';
import { type Octet, startOctet } from '../octet.ts';
import { formatLogLine } from './log-line.ts';
import { removeRecord, writeRecord } from './run-record.ts';
import { readSettings, type SettingFlags, type Settings } from './settings.ts';
import { VERSION } from './version.ts';

const DRAIN_TIMEOUT_MS = 10_000;

export async function up(flags: SettingFlags, only?: ServiceName): Promise<number> {
  const startedAtMs = performance.timeOrigin;
  const settings = await readSettings(flags);
  const name = only ?? 'octet';
  await prepareFolder(settings.dataDir);
  // One service alone locks its own folder only, so that several may share the data folder.
  await using lock = new AsyncDisposableStack();
  if (only === undefined) {
    const held = await systemFiles.lock(settings.dataDir);
    lock.defer(() => held.release());
  }
  const octet = await startOctet({
    ...settings.config,
    dataDir: settings.dataDir,
    baseDir: settings.baseDir,
    ports: 'configured',
    ...(only === undefined ? {} : { services: [only] }),
    log: (line) => process.stderr.write(process.stderr.isTTY ? formatLogLine(line) : line),
  });
  const { env } = octet;
  await writeRecord(settings.dataDir, name, {
    pid: process.pid,
    startedAtMs: octet.startedAtMs,
    portOffset: settings.config.portOffset,
    adminUrl: env['OCTET_ADMIN_URL'] ?? '',
    adminToken: settings.config.adminToken,
    env,
  });
  const readyMs = Math.round(performance.timeOrigin + performance.now() - startedAtMs);
  process.stdout.write(screen(octet, settings, readyMs));
  const signal = await stopSignal();
  process.stdout.write(`\n${signal}: finishing what is in flight (again to stop at once) …\n`);
  await octet.close(DRAIN_TIMEOUT_MS);
  await removeRecord(settings.dataDir, name);
  process.stdout.write('stopped\n');
  return 0;
}

/** State is nobody's source code. */
async function prepareFolder(dataDir: string): Promise<void> {
  await mkdir(dataDir, { recursive: true });
  await writeFile(path.join(dataDir, '.gitignore'), '*\n', { flag: 'wx' }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    },
  );
}

/** The first signal is returned, the second ends the process at once. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        resolve(signal);
        process.on(signal, () => process.exit(signal === 'SIGINT' ? 130 : 143));
      });
    }
  });
}

const rows: readonly (readonly [label: string, variables: readonly string[]])[] = [
  ['dns', ['DNS_SERVER']],
  ['api', ['API_URL']],
  ['balancer', ['BALANCER_URL']],
  ['database', ['DATABASE_URL']],
  ['cache', ['REDIS_URL']],
  ['queue', ['AMQP_URL']],
  ['objects', ['AWS_ENDPOINT_URL_S3', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']],
  ['mail', ['SMTP_URL', 'MAIL_URL']],
  ['console', ['CONSOLE_URL']],
  ['admin', ['OCTET_ADMIN_URL']],
];

function screen(octet: Octet, settings: Settings, readyMs: number): string {
  const { env } = octet;
  const lines = rows.flatMap(([label, variables]) => {
    const values = variables.flatMap((name) => env[name] ?? []);
    return values.length === 0 ? [] : [`  ${label.padEnd(9)} ${values.join('  ')}`];
  });
  return [
    `octet ${VERSION}  ready in ${readyMs} ms`,
    '',
    ...lines,
    '',
    `  data      ${settings.dataDir}`,
    ...(settings.configFile === undefined ? [] : [`  config    ${settings.configFile}`]),
    '',
    'Ctrl-C stops. `octet env` prints these for a shell, `octet status` how they are.',
    '',
  ].join('\n');
}
