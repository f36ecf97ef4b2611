/**
 * A small file that is whole or recognisably not: one line of JSON, and the SHA-256 of that line. It is made
 * under its own name at once, for only that refuses a second one; a power cut in between leaves a torn file,
 * which counts as none and is replaced.
 */
import { createHash } from 'node:crypto';
import { codeOf } from '../errors.ts';
import type { Files } from '../files/files.ts';
import { MANIFEST_BYTES_MAX } from './limits.ts';

/** @returns undefined when there is no such file, or none that is whole */
export async function readSealed(files: Files, path: string): Promise<unknown> {
  const text = await readText(files, path);
  const [line = '', hash = ''] = text.split('\n');
  return line !== '' && sha256Of(line) === hash ? JSON.parse(line) : undefined;
}

async function readText(files: Files, path: string): Promise<string> {
  const info = await files.stat(path);
  if (info === undefined || info.sizeBytes > MANIFEST_BYTES_MAX) return '';
  const file = await openOrUndefined(files, path);
  if (file === undefined) return '';
  try {
    const bytes = Buffer.alloc(file.size());
    return bytes.toString('utf8', 0, await file.read(0, bytes));
  } finally {
    await file.close();
  }
}

/** It may be removed between the look and the opening. */
async function openOrUndefined(files: Files, path: string) {
  try {
    return await files.open(path, 'read');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Makes the file, durable when it resolves; leaves none when it rejects. Only one writer at a time.
 * @returns false when there is a whole file of this name: it was left as it is
 */
export async function createSealed(
  files: Files,
  folder: string,
  name: string,
  value: unknown,
): Promise<boolean> {
  const path = `${folder}/${name}`;
  if ((await readSealed(files, path)) !== undefined) return false;
  await files.remove(path);
  const line = JSON.stringify(value);
  try {
    const file = await files.open(path, 'create');
    try {
      await file.write(0, Buffer.from(`${line}\n${sha256Of(line)}\n`));
      await file.sync();
    } finally {
      await file.close();
    }
    await files.syncFolder(folder);
    return true;
  } catch (error) {
    await files.remove(path).catch(() => undefined);
    throw error;
  }
}

function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
