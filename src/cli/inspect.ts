/** `octet inspect journal|store <folder>`: what lies on disk, in words. */
import { systemFiles } from '../core/files/system-files.ts';
import { describeJournal } from '../core/journal/describe.ts';
import { describeStore, renderStoreDescription } from '../core/store/describe.ts';
import { CliError, EXIT } from './exit.ts';

export async function inspect(what: string, folder: string): Promise<number> {
  if (what === 'store') {
    process.stdout.write(renderStoreDescription(await describeStore(systemFiles, folder)));
    return 0;
  }
  if (what !== 'journal') {
    throw new CliError(EXIT.usage, `inspect: ${what} is not known; there are journal and store`);
  }
  for await (const line of describeJournal(systemFiles, folder)) process.stdout.write(`${line}\n`);
  return 0;
}
