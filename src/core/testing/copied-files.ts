/** The content of a folder as bytes, to be damaged in every way and opened again. */

import type { Files } from '../files/files.ts';
import { createMemoryFiles } from '../files/memory-files.ts';

export type Contents = Map<string, Buffer>;

/** Every file below `folder`, but for its locks: path → content. */
export async function contentsOf(files: Files, folder: string): Promise<Contents> {
  const contents: Contents = new Map();
  for (const name of await files.list(folder)) {
    const path = `${folder}/${name}`;
    if ((await files.stat(path))?.isFolder === true) {
      for (const [below, bytes] of await contentsOf(files, path)) contents.set(below, bytes);
    } else if (!name.startsWith('lock')) contents.set(path, await contentOf(files, path));
  }
  return contents;
}

async function contentOf(files: Files, path: string): Promise<Buffer> {
  const file = await files.open(path, 'read');
  const bytes = Buffer.alloc(file.size());
  await file.read(0, bytes);
  await file.close();
  return bytes;
}

/** Files in memory with this content; the given bytes are not shared. */
export async function filesWith(contents: Contents): Promise<Files> {
  const files = createMemoryFiles();
  for (const [path, bytes] of contents) {
    await files.makeFolder(path.slice(0, path.lastIndexOf('/')));
    const file = await files.open(path, 'create');
    await file.write(0, bytes);
    await file.close();
  }
  return files;
}

/** A copy in which `change` has been made to one file: in place, or by the buffer that it returns. */
export function withChange(contents: Contents, path: string, change: (bytes: Buffer) => unknown): Contents {
  const bytes = Buffer.from(contents.get(path)!);
  const changed = change(bytes);
  return new Map(contents).set(path, Buffer.isBuffer(changed) ? changed : bytes);
}
