import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMemoryFiles } from '../files/memory-files.ts';
import { Cursor } from './cursor.ts';
import { Forest } from './forest.ts';
import { LEAF } from './page.ts';
import { Pages } from './pages.ts';
import type { RangeOptions } from './types.ts';

const keyOf = (n: number) => Buffer.from(`rows/${String(n).padStart(6, '0')}`);

async function newForest(entries: number): Promise<Forest> {
  const file = await createMemoryFiles().open('/pages', 'open');
  const forest = new Forest(new Pages(file, 1_000_000, 7));
  for (let n = 0; n < entries; n += 1) {
    forest.apply({ kind: 'put', tree: 't', key: keyOf(n), value: Buffer.alloc(100, n) });
  }
  return forest;
}

/** The leaves that a scan asks for. */
function leavesOf(forest: Forest, options: RangeOptions): number[] {
  const { pages } = forest;
  const read = new Set<number>();
  const counting = Object.create(pages) as Pages;
  counting.read = (number, stamp) => {
    const page = pages.read(number, stamp);
    if (page.kind === LEAF) read.add(number);
    return page;
  };
  const cursor = new Cursor(counting, forest.root('t'), options, () => true);
  while (cursor.next());
  return [...read];
}

test('a scan reads no leaf but those that its bounds reach', async () => {
  const forest = await newForest(1_000);
  const first = leavesOf(forest, { limit: 1 });
  assert.equal(first.length, 1);
  const perLeaf = 1_000 / leavesOf(forest, {}).length;
  assert.ok(perLeaf > 30 && perLeaf < 100, `${perLeaf} entries in a leaf`);
  for (const reverse of [false, true]) {
    assert.deepEqual(leavesOf(forest, { to: keyOf(20), reverse }), first);
    assert.deepEqual(leavesOf(forest, { from: keyOf(3), to: keyOf(20), reverse }), first);
    const last = leavesOf(forest, { from: keyOf(990), reverse });
    assert.equal(last.length, 1);
    assert.notDeepEqual(last, first);
  }
});

test('keys and values lie in the same memory from the first entry to the last', async () => {
  const forest = await newForest(1_000);
  const cursor = forest.cursor('t', {});
  const buffers = new Set<ArrayBufferLike>();
  const views = new Set<Buffer>();
  for (let n = 0; cursor.next(); n += 1) {
    assert.equal(cursor.key.compare(keyOf(n)), 0);
    assert.equal(cursor.value[99], n & 0xff);
    for (const view of [cursor.key, cursor.value]) {
      views.add(view);
      buffers.add(view.buffer);
    }
  }
  assert.equal(views.size, 2);
  assert.ok(buffers.size <= 2);
});
