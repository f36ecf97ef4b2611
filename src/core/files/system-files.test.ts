import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type FilesUnderTest, filesContract } from '../testing/files-contract.ts';
import type { Files } from './files.ts';
import { SyncPace } from './sync-pace.ts';
import { createSystemFiles, systemFiles } from './system-files.ts';

const folders = (files: Files) => async (): Promise<FilesUnderTest> => {
  const folder = await mkdtemp(join(tmpdir(), 'octet-files-'));
  return { files, folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
};

filesContract('system', folders(systemFiles));
filesContract('system, its small syncs at once', folders(createSystemFiles(paceOfFastDisk())));

function paceOfFastDisk(): SyncPace {
  const pace = new SyncPace();
  while (!pace.atOnce) {
    pace.begin();
    pace.end(0);
  }
  return pace;
}

test('small syncs at once leave the event loop its turns', async () => {
  await using subject = await folders(createSystemFiles(paceOfFastDisk()))();
  const file = await subject.files.open(`${subject.folder}/f`, 'create');
  let turned = false;
  setImmediate(() => (turned = true));
  for (let written = 0; !turned; written += 8) {
    file.writeSync(written, Buffer.from('written\n'));
    await file.sync('little');
  }
  await file.close();
});
