/**
 * The two root pages of a file that may be damaged, each by itself: a root that says it is of a later format
 * while its checksum is wrong is taken for damaged as long as the other one is sound.
 */
import { codeOf, messageOf } from '../errors.ts';
import type { OpenFile } from '../files/files.ts';
import { PAGE_BYTES } from './limits.ts';
import { flawOf } from './page.ts';
import { decodeRoot, type Root } from './root.ts';

export type RootPage =
  | { readonly kind: 'root'; readonly number: number; readonly root: Root }
  | { readonly kind: 'unwritten'; readonly number: number }
  | { readonly kind: 'damaged'; readonly number: number; readonly what: string };

const ROOT_PAGES = [0, 1];

/**
 * Both root pages, page 0 first.
 * @throws StoreError `newer-format`; a system error of the disk but for pages that cannot be read
 */
export async function readRootPages(file: OpenFile): Promise<RootPage[]> {
  const read = await Promise.all(ROOT_PAGES.map((number) => readOne(file, number)));
  const newer = read.find(({ error }) => error !== undefined);
  const isOtherSound = read.some(({ page }) => page?.kind === 'root');
  if (newer?.error !== undefined && !(newer.isSuspect && isOtherSound)) throw newer.error;
  return read.map(({ page, error }, number) => page ?? { kind: 'damaged', number, what: messageOf(error) });
}

interface Attempt {
  readonly page?: RootPage;
  /** It is of a later format. */
  readonly error?: unknown;
  /** Its checksum is wrong, as far as this release can tell. */
  readonly isSuspect?: boolean;
}

async function readOne(file: OpenFile, number: number): Promise<Attempt> {
  const bytes = Buffer.alloc(PAGE_BYTES);
  let length: number;
  try {
    length = await file.read(number * PAGE_BYTES, bytes);
  } catch (error) {
    return { page: { kind: 'damaged', number, what: messageOf(error) } };
  }
  if (bytes.every((byte) => byte === 0)) return { page: { kind: 'unwritten', number } };
  if (length < PAGE_BYTES) return { page: { kind: 'damaged', number, what: 'the file ends within it' } };
  return decodeOne(bytes, number);
}

function decodeOne(bytes: Buffer, number: number): Attempt {
  try {
    const root = decodeRoot(bytes, number);
    if (typeof root === 'string') return { page: { kind: 'damaged', number, what: root } };
    return { page: { kind: 'root', number, root } };
  } catch (error) {
    if (codeOf(error) !== 'newer-format') throw error;
    return { error, isSuspect: flawOf(bytes, { number, stamp: 0 }) !== undefined };
  }
}

/** The roots among them, the newest first. */
export function soundRoots(pages: readonly RootPage[]): Root[] {
  const roots = pages.filter((page) => page.kind === 'root').map(({ root }) => root);
  return roots.sort((left, right) => right.generation - left.generation);
}
