/** `octet inspect journal|store <folder>`: what lies on disk, in words. */
import { systemFiles } from '../core/files/system-files.ts';
import { describeJournal } from '../core/journal/describe.ts';
import { describeStore, renderStoreDescription } from '../core/store/describe.ts';
import { CliError, EXIT } from './exit.ts';

export async function inspect(what: string, folder: string): Promise<number> {
  if (what !== 'journal' && what !== 'store') {
    throw new CliError(EXIT.usage, `inspect: ${what} is not known; there are journal and store`);
  }
  if ((await systemFiles.stat(folder))?.isFolder !== true) {
    throw new CliError(EXIT.failed, `inspect: there is no folder ${folder}`);
  }
  if (what === 'store') {
    process.stdout.write(renderStoreDescription(await describeStore(systemFiles, folder)));
    return 0;
  }
  for await (const line of describeJournal(systemFiles, folder)) process.stdout.write(`${line}\n`);
  return 0;
}
