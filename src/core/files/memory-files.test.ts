import { filesContract } from '../testing/files-contract.ts';
import { createMemoryFiles } from './memory-files.ts';

filesContract('memory', async () => {
  const files = createMemoryFiles();
  await files.makeFolder('/data');
  return { files, folder: '/data', [Symbol.asyncDispose]: async () => {} };
});
