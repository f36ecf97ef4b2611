/**
 * The way from the root of a tree down to a leaf. Reading it changes nothing; owning it makes every page on it
 * writable, so that a page somebody else still needs is replaced by a copy, and its parent made to point to that.
 */
import { childNumber, childSlot, childStamp, keyCopy, setChild } from './node.ts';
import type { Page, PageRef } from './page.ts';
import type { Pages } from './pages.ts';

/** A branch, and the slot that was followed in it. */
interface Step {
  branch: Page;
  readonly slot: number;
}

export class TreePath {
  /** From the root down. */
  readonly steps: Step[] = [];
  readonly #pages: Pages;

  constructor(pages: Pages) {
    this.#pages = pages;
  }

  /** Reads the path to the leaf that holds `key`, or would. @throws StoreError `corrupt` */
  find(root: PageRef, key: Uint8Array): Page {
    this.steps.length = 0;
    let page = this.#pages.read(root.number, root.stamp);
    while (page.level > 0) {
      const slot = childSlot(page, key);
      this.steps.push({ branch: page, slot });
      page = readChild(this.#pages, page, slot);
    }
    return page;
  }

  /** The path to a page that is the whole tree. */
  clear(): void {
    this.steps.length = 0;
  }

  /** Makes the path writable, from the root to `leaf`, where it ends. @returns the leaf */
  own(leaf: Page): Page {
    let parent: Step | undefined;
    for (const step of this.steps) {
      step.branch = this.#writableBelow(parent, step.branch);
      parent = step;
    }
    return this.#writableBelow(parent, leaf);
  }

  #writableBelow(parent: Step | undefined, page: Page): Page {
    const writable = this.#pages.writable(page);
    if (writable !== page && parent !== undefined) setChild(parent.branch, parent.slot, writable);
    return writable;
  }

  /** A copy of the key at which the next leaf begins; undefined when the path ends in the last one. */
  upper(): Buffer | undefined {
    const step = this.steps.findLast(({ branch, slot }) => slot + 1 < branch.count);
    return step && keyCopy(step.branch, step.slot + 1);
  }

  /** The root of the path that ends in `leaf`. */
  root(leaf: Page): Page {
    return this.steps[0]?.branch ?? leaf;
  }
}

export function readChild(pages: Pages, branch: Page, slot: number): Page {
  return pages.read(childNumber(branch, slot), childStamp(branch, slot));
}
