import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FilesUnderTest, filesContract } from '../testing/files-contract.ts';
import { systemFiles } from './system-files.ts';

async function temporaryFolder(): Promise<FilesUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), 'octet-files-'));
  return { files: systemFiles, folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

filesContract('system', temporaryFolder);
