import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
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
  const separately = (position: number, bytes: Buffer): Promise<void> => {
    file.writeSync(position, bytes);
    return file.sync('little');
  };
  const through = (position: number, bytes: Buffer): Promise<void> | undefined =>
    file.writeThrough(position, bytes);
  for (const write of [separately, through]) {
    let turned = false;
    setImmediate(() => (turned = true));
    for (let written = 0; !turned; written += 8) await write(written, Buffer.from('written\n'));
  }
  await file.close();
});

test('a file is quick when its disk has shown that it is', async () => {
  await using fast = await folders(createSystemFiles(paceOfFastDisk()))();
  await using unknown = await folders(createSystemFiles(new SyncPace()))();
  for (const { files, folder } of [fast, unknown]) {
    const file = await files.open(`${folder}/f`, 'create');
    assert.equal(file.isQuick, files === fast.files);
    await file.close();
  }
});

suite('files of the machine', {
  skip: process.platform === 'win32' ? 'no such links or pipes' : false,
}, () => {
  test('realPath and stat follow symbolic links, and a circle of them is an error', async () => {
    await using subject = await folders(systemFiles)();
    const { folder } = subject;
    await writeFile(join(folder, 'f'), 'text');
    await symlink('f', join(folder, 'link'));
    await symlink('circle', join(folder, 'circle'));
    const real = await systemFiles.realPath(`${folder}/f`);
    assert.equal(await systemFiles.realPath(`${folder}/link`), real);
    assert.deepEqual(await systemFiles.stat(`${folder}/link`), await systemFiles.stat(`${folder}/f`));
    await assert.rejects(systemFiles.realPath(`${folder}/circle`), { code: 'ELOOP' });
  });

  test('a pipe is opened without waiting for who writes, and is no file', async () => {
    await using subject = await folders(systemFiles)();
    execFileSync('mkfifo', [join(subject.folder, 'pipe')]);
    const pipe = await systemFiles.open(`${subject.folder}/pipe`, 'read');
    assert.partialDeepStrictEqual(pipe.info(), { isFile: false, isFolder: false });
    await pipe.close();
  });
});
