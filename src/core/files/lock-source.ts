import { codeOf } from '../errors.ts';
import type { Files, FolderLock } from './files.ts';

/**
 * Takes the lock of a folder that will only be read, so that nobody changes it meanwhile.
 * @returns undefined where nothing can be written, as on a disk that is mounted for reading only: there nobody
 *   could have changed it, and there is no place for a lock
 * @throws FilesError `locked`
 */
export async function lockSource(files: Files, folder: string): Promise<FolderLock | undefined> {
  try {
    return await files.lock(folder);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') return undefined;
    throw error;
  }
}
