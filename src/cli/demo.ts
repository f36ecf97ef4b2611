/** `octet demo`: the spells system of `examples/spells`, against a fresh Octet or the running one. */
import { access } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { loadConfig } from '../core/config/load.ts';
import { startOctet } from '../octet.ts';
import { CliError, EXIT } from './exit.ts';
import { envOf, requireRunning } from './run-record.ts';
import { readSettings, type SettingFlags } from './settings.ts';

interface DemoModule {
  runDemo(options: {
    env: Readonly<Record<string, string>>;
    adminUrls: readonly string[];
    stateFile?: string;
    print: (line: string) => void;
  }): Promise<void>;
}

export async function demo(flags: SettingFlags & { attach?: boolean }): Promise<number> {
  // From the sources as from the bundle in `dist/`.
  const root = path.join(import.meta.dirname, import.meta.dirname.endsWith('cli') ? '../..' : '..');
  const folder = path.join(root, 'examples/spells');
  const file = path.join(folder, 'demo.ts');
  await access(file).catch(() => {
    throw new CliError(
      EXIT.failed,
      'the demo needs a checkout with its development packages',
      'git clone, npm ci, npm run demo',
    );
  });
  const { runDemo } = (await import(pathToFileURL(file).href)) as DemoModule;
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  if (flags.attach === true) {
    const { config, dataDir } = await readSettings(flags);
    const running = await requireRunning(dataDir, config.portOffset);
    const adminUrls = running.map(({ record }) => record.adminUrl);
    await runDemo({ env: envOf(running), adminUrls, stateFile: path.join(dataDir, 'demo.json'), print });
    return 0;
  }
  const { values } = await loadConfig(path.join(folder, 'octet.config.ts'));
  const startedAtMs = performance.now();
  await using octet = await startOctet({ ...values, baseDir: folder });
  print(
    `octet: ${octet.services.length} services in memory, ready in ${(performance.now() - startedAtMs).toFixed(0)} ms`,
  );
  await runDemo({ env: octet.env, adminUrls: [octet.env['OCTET_ADMIN_URL'] ?? ''], print });
  return 0;
}
