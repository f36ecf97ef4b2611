/** `octet up`, and `octet <service>` for one alone: start, say where everything is, run until told to stop. */
import { constants } from 'node:fs';
import { access, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { codeOf, messageOf } from '../core/errors.ts';
import { systemFiles } from '../core/files/system-files.ts';
import { isLoopback } from '../core/net/loopback.ts';
import type { ServiceName } from '../octet/config.ts';
import { type Octet, startOctet } from '../octet.ts';
import { goOnWhenNobodyReads } from './closed-output.ts';
import { CliError, EXIT } from './exit.ts';
import { formatLogLine } from './log-line.ts';
import { removeRecord, writeRecord } from './run-record.ts';
import { readSettings, type SettingFlags, type Settings } from './settings.ts';
import { VERSION } from './version.ts';

const DRAIN_TIMEOUT_MS = 10_000;

/** Several services alone on one machine cannot all have the standard admin port. */
const ALONE = { place: 'one service alone', values: { adminPort: 0 } } as const;

export async function up(flags: SettingFlags, only?: ServiceName): Promise<number> {
  goOnWhenNobodyReads();
  const settings = await readSettings(flags, only === undefined ? [] : [ALONE]);
  const name = only ?? 'octet';
  process.title = name === 'octet' ? name : `octet ${name}`;
  {
    await using running = new AsyncDisposableStack();
    const octet = await start(settings, only, running);
    // Before anybody is told that it runs: whoever reads that may stop it at once.
    const stop = stopSignal();
    running.defer(() => removeRecord(settings.dataDir, name));
    await writeRecord(settings.dataDir, name, {
      pid: process.pid,
      startedAtMs: octet.startedAtMs,
      portOffset: settings.config.portOffset,
      adminUrl: octet.env['OCTET_ADMIN_URL'] ?? '',
      adminToken: settings.config.adminToken,
      controlKey: octet.controlKey,
      env: octet.env,
    });
    process.stdout.write(screen(octet, settings, Math.round(performance.now())));
    const signal = await stop;
    process.stdout.write(`\n${signal}: finishing what is in flight (again to stop at once) …\n`);
  }
  process.stdout.write('stopped\n');
  return EXIT.ok;
}

/** What is started is stopped with `running`, whatever happens in between. */
async function start(
  settings: Settings,
  only: ServiceName | undefined,
  running: AsyncDisposableStack,
): Promise<Octet> {
  await prepareFolder(settings.dataDir);
  // One service alone locks its own folder only, so that several may share the data folder.
  if (only === undefined) {
    const held = await systemFiles.lock(settings.dataDir);
    running.defer(() => held.release());
  }
  const octet = await startOctet({
    ...settings.config,
    dataDir: settings.dataDir,
    baseDir: settings.baseDir,
    ports: 'configured',
    ...(only === undefined ? {} : { services: [only] }),
    log: (line) => process.stderr.write(process.stderr.isTTY ? formatLogLine(line) : line),
  });
  running.defer(() => octet.close(DRAIN_TIMEOUT_MS));
  return octet;
}

/** Its content is nobody else's to read, and nobody's source code. @throws CliError when it cannot be written to */
async function prepareFolder(dataDir: string): Promise<void> {
  try {
    const created = await mkdir(dataDir, { recursive: true, mode: 0o700 });
    await access(dataDir, constants.W_OK);
    // In a folder that was there before it could hide what is somebody's source code.
    if (created !== undefined) await writeFile(path.join(dataDir, '.gitignore'), '*\n');
  } catch (error) {
    const code = codeOf(error);
    const why =
      code === 'EEXIST' || code === 'ENOTDIR' ? 'a file is in its place or above it' : messageOf(error);
    throw new CliError(
      EXIT.failed,
      `the data folder ${dataDir} cannot be used: ${why}`,
      'name another with --data-dir',
    );
  }
}

/** The first signal is returned, the second ends the process at once. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let stopping = false;
    const stop = (signal: NodeJS.Signals): void => {
      if (stopping) process.exit(signal === 'SIGINT' ? EXIT.interrupted : EXIT.terminated);
      stopping = true;
      resolve(signal);
    };
    process.on('SIGINT', stop).on('SIGTERM', stop);
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
    ...(isLoopback(settings.config.host) ? [] : [`  listens   on ${settings.config.host}`]),
    `  data      ${settings.dataDir}`,
    ...(settings.configFile === undefined ? [] : [`  config    ${settings.configFile}`]),
    '',
    'Ctrl-C stops. `octet env` prints these for a shell, `octet status` how they are.',
    '',
  ].join('\n');
}
