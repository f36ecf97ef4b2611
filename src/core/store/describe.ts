/**
 * What the files of a store say about themselves, for `octet inspect store`. Reads only, takes no lock, and
 * so may look at a store that is in use: a root is whole at any moment, and the pages that it reaches stay
 * as they are until two checkpoints later.
 */

import { messageOf } from '../errors.ts';
import { renderDamage } from '../files/damage.ts';
import type { Files, OpenFile } from '../files/files.ts';
import { decodeRef } from './forest.ts';
import { PAGE_BYTES } from './limits.ts';
import { readLongValue } from './long-value.ts';
import { hasLongValue, keyView, usedBytes, valueAt, valueBytes } from './node.ts';
import type { Page, PageRef } from './page.ts';
import { PageSet } from './page-set.ts';
import { Pages } from './pages.ts';
import { FORMAT, type Root, readRoots } from './root.ts';
import { ALL_KEYS, type LostPage, walkTree } from './salvage-walk.ts';

export interface TreeDescription {
  readonly name: string;
  /** Branch levels above the leaves, and the leaves: 1 for a tree of one page. */
  readonly levels: number;
  readonly keys: number;
  readonly branchPages: number;
  readonly leafPages: number;
  readonly longValues: number;
  readonly longValueBytes: number;
  /** Bytes of its branches and leaves that are in use, of all that they have. 0 to 1. */
  readonly fill: number;
}

export interface RootDescription {
  readonly generation: number;
  readonly journalPosition: number;
  readonly journalEpoch: number;
  readonly usedPages: number;
}

export interface StoreDescription {
  readonly format: number;
  readonly path: string;
  readonly pageBytes: number;
  readonly filePages: number;
  /** Newest first. */
  readonly roots: readonly RootDescription[];
  readonly journal: string | undefined;
  /** As of the newest root; later commits are in the journal only. */
  readonly trees: readonly TreeDescription[];
  /** What could not be read, with its place. */
  readonly flaws: readonly string[];
}

/**
 * Describes the page file of the store in `folder`.
 * @throws StoreError `newer-format`; a system error, ENOENT when there is no store
 */
export async function describeStore(files: Files, folder: string): Promise<StoreDescription> {
  const file = await files.open(`${folder}/pages`, 'read');
  try {
    const { roots, flaws } = await readRoots(file);
    const pages = new Pages(file, 0, 0);
    return {
      format: roots[0]?.format ?? FORMAT,
      path: file.path,
      pageBytes: PAGE_BYTES,
      filePages: Math.ceil(file.size() / PAGE_BYTES),
      roots: roots.map((root) => describeRoot(pages, root, flaws)),
      journal: roots[0]?.incarnation,
      trees: describeTrees(file, roots[0], flaws),
      flaws,
    };
  } finally {
    await file.close();
  }
}

function describeRoot(pages: Pages, root: Root, flaws: string[]): RootDescription {
  const { generation, mark } = root;
  let usedPages = 0;
  try {
    usedPages = PageSet.decode(readLongValue(pages, root.used, root.usedBytes)).size;
  } catch (error) {
    flaws.push(messageOf(error));
  }
  return { generation, journalPosition: mark.position, journalEpoch: mark.epoch, usedPages };
}

function describeTrees(file: OpenFile, root: Root | undefined, flaws: string[]): TreeDescription[] {
  if (root?.catalog === undefined) return [];
  const pages = new Pages(file, 0, 0);
  const trees: TreeDescription[] = [];
  for (const step of walkTree({ pages }, root.catalog, ALL_KEYS)) {
    if (step.kind === 'lost') flaws.push(flawOf(file, step.lost, 'the catalog'));
    else
      for (const [name, ref] of treesIn(step.leaf)) trees.push(describeTree(file, pages, name, ref, flaws));
  }
  return trees;
}

function* treesIn(leaf: Page): Generator<[name: string, ref: PageRef], void> {
  for (let slot = 0; slot < leaf.count; slot += 1) {
    const start = valueAt(leaf, slot);
    const ref = decodeRef(leaf.bytes.subarray(start, start + valueBytes(leaf, slot)));
    yield [keyView(leaf, slot).toString('utf8'), ref];
  }
}

function flawOf({ path }: OpenFile, { page, what }: LostPage, place: string): string {
  return `${place}: ${renderDamage({ path, page, offset: page * PAGE_BYTES, what })}`;
}

interface Tally {
  levels: number;
  keys: number;
  branchPages: number;
  leafPages: number;
  longValues: number;
  longValueBytes: number;
  usedBytes: number;
}

/** What can be read of a tree; the rest is a flaw each. */
function describeTree(
  file: OpenFile,
  pages: Pages,
  name: string,
  root: PageRef,
  flaws: string[],
): TreeDescription {
  const tally: Tally = {
    levels: 0,
    keys: 0,
    branchPages: 0,
    leafPages: 0,
    longValues: 0,
    longValueBytes: 0,
    usedBytes: 0,
  };
  const walk = { pages, meet: (page: Page) => tallyNode(page, tally) };
  for (const step of walkTree(walk, root, ALL_KEYS)) {
    if (step.kind === 'leaf') tallyLongValues(step.leaf, tally);
    else flaws.push(flawOf(file, step.lost, `tree ${JSON.stringify(name)}`));
  }
  const { usedBytes: used, ...counts } = tally;
  const all = (tally.branchPages + tally.leafPages) * PAGE_BYTES;
  return { name, ...counts, fill: all === 0 ? 0 : used / all };
}

function tallyNode(page: Page, tally: Tally): void {
  tally.levels = Math.max(tally.levels, page.level + 1);
  tally.usedBytes += usedBytes(page);
  if (page.level > 0) {
    tally.branchPages += 1;
    return;
  }
  tally.leafPages += 1;
  tally.keys += page.count;
}

function tallyLongValues(leaf: Page, tally: Tally): void {
  for (let slot = 0; slot < leaf.count; slot += 1) {
    if (!hasLongValue(leaf, slot)) continue;
    tally.longValues += 1;
    tally.longValueBytes += valueBytes(leaf, slot);
  }
}

/** The description as lines of text. */
export function renderStoreDescription(description: StoreDescription): string {
  const { path, format, filePages, pageBytes, journal, roots, trees, flaws } = description;
  const lines = [
    `${path}: format ${format}, ${filePages} pages of ${pageBytes} bytes, journal ${journal ?? 'none'}`,
  ];
  for (const { generation, journalPosition, journalEpoch, usedPages } of roots) {
    lines.push(
      `root ${generation}: journal position ${journalPosition} (epoch ${journalEpoch}), ${usedPages} pages used`,
    );
  }
  for (const tree of trees) lines.push(renderTree(tree));
  for (const flaw of flaws) lines.push(`! ${flaw}`);
  return `${lines.join('\n')}\n`;
}

function renderTree(tree: TreeDescription): string {
  const pages = `${tree.branchPages} + ${tree.leafPages} pages, ${Math.round(tree.fill * 100)} % full`;
  const long =
    tree.longValues === 0 ? '' : `, ${tree.longValues} long values of ${tree.longValueBytes} bytes`;
  return `tree ${JSON.stringify(tree.name)}: ${tree.keys} keys, ${tree.levels} levels, ${pages}${long}`;
}
