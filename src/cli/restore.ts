/** `octet restore <folder>`: makes a data folder out of a backup, verified whole before it is there. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { systemFiles } from '../core/files/system-files.ts';
import { systemRandom } from '../core/random/system-random.ts';
import { listBackups, restoreBackup, type StoredBackup } from '../octet/backup.ts';
import { CliError, EXIT } from './exit.ts';
import { readSettings, type SettingFlags } from './settings.ts';
import { sizeText } from './size-text.ts';

export async function restore(
  folder: string,
  flags: SettingFlags & { backup?: string; list?: boolean },
): Promise<number> {
  const from = path.resolve(folder);
  const backups = await listBackups(systemFiles, from);
  if (flags.list === true) {
    for (const backup of backups) process.stdout.write(describe(backup));
    return EXIT.ok;
  }
  const wanted = flags.backup === undefined ? backups[0] : backups.find(({ name }) => name === flags.backup);
  if (wanted === undefined) {
    const what = flags.backup === undefined ? 'no backup' : `no backup ${flags.backup}`;
    throw new CliError(EXIT.failed, `${from} holds ${what}`, '`octet restore <folder> --list` shows which');
  }
  const { dataDir } = await readSettings(flags);
  await restoreBackup({ files: systemFiles, random: systemRandom }, from, wanted, dataDir);
  await writeFile(path.join(dataDir, '.gitignore'), '*\n');
  process.stdout.write(`${describe(wanted)}restored to ${dataDir}\n`);
  return EXIT.ok;
}

function describe({ name, backup }: StoredBackup): string {
  const services = backup.services.map(({ service, bytes }) => `${service} ${sizeText(bytes)}`);
  return `${name}  ${services.join(', ')}\n`;
}
