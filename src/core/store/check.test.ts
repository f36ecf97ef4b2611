/** Damage of every kind that check() is for, planted in memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMemoryFiles } from '../files/memory-files.ts';
import { checkStore } from './check.ts';
import { Forest } from './forest.ts';
import { PAGE_BYTES } from './limits.ts';
import { childNumber, keyAt, longValueRef, removeCells, valueAt } from './node.ts';
import { HEADER_BYTES, type Page } from './page.ts';
import { PageSet } from './page-set.ts';
import { Pages } from './pages.ts';

async function soundForest(): Promise<Forest> {
  const file = await createMemoryFiles().open('/pages', 'open');
  const forest = new Forest(new Pages(file, 1_000_000, 7));
  for (let index = 0; index < 500; index += 1) {
    const key = Buffer.from(String(index).padStart(4, '0'));
    const value = Buffer.alloc(index === 0 ? 20_000 : 50);
    forest.apply({ kind: 'put', tree: 't', key, value });
  }
  return forest;
}

function rootOf(forest: Forest): Page {
  const root = forest.root('t')!;
  return forest.pages.read(root.number, root.stamp);
}

function firstLeaf(forest: Forest): Page {
  return forest.pages.peek(childNumber(rootOf(forest), 0))!;
}

test('a sound forest has no findings', async () => {
  assert.deepEqual(await checkStore(await soundForest(), []), []);
});

const cases: [string, (forest: Forest) => void, RegExp][] = [
  ['a page that leaked', ({ pages }) => pages.live.add(77), /page 77 counts as used, and nothing reaches it/],
  [
    'a page that is used and free',
    (forest) => forest.pages.live.delete(rootOf(forest).number),
    /is reached, and counts as free/,
  ],
  [
    'a page reached twice',
    (forest) => forest.pages.versions.setRoot('again', forest.root('t')),
    /is reached twice/,
  ],
  [
    'keys out of order',
    (forest) => firstLeaf(forest).bytes.write('9', keyAt(firstLeaf(forest), 3)),
    /key 3 of page \d+ is out of order/,
  ],
  [
    'a key below its branch',
    (forest) => rootOf(forest).bytes.write('9999', keyAt(rootOf(forest), 1)),
    /is out of order/,
  ],
  ['a level that is skipped', (forest) => rootOf(forest).bytes.writeUInt8(0x82, 13), /has level 0 below 2/],
  [
    'a node without cells',
    (forest) => {
      firstLeaf(forest).count = 0;
    },
    /is no sound node/,
  ],
  [
    'a long value that ends early',
    (forest) => {
      const first = forest.pages.peek(longValueRef(firstLeaf(forest), 0).number)!;
      first.view.setUint32(20, 0);
    },
    /a long value has \d+ bytes instead of 20000/,
  ],
  [
    'a leaf that denies its long value',
    (forest) => firstLeaf(forest).bytes.writeUInt8(0, 13),
    /page \d+ denies its long values/,
  ],
  [
    'a branch that denies the long values below',
    (forest) => rootOf(forest).bytes.writeUInt8(1, 13),
    /page \d+ denies the long values below/,
  ],
  [
    'a branch whose first key is not empty',
    (forest) => removeCells(rootOf(forest), 0, 1),
    /page \d+ has a first key/,
  ],
  [
    'a cell that lies outside of its page',
    (forest) => firstLeaf(forest).view.setUint16(HEADER_BYTES, 0xffff),
    /page \d+ is no sound node/,
  ],
  [
    'a page of a long value without bytes',
    (forest) => {
      forest.pages.peek(longValueRef(firstLeaf(forest), 0).number)!.count = 0;
    },
    /page \d+ says that it has 0 bytes of a long value/,
  ],
  [
    'a long value whose pages are those of another',
    (forest) => {
      const value = Buffer.alloc(20_000);
      forest.apply({ kind: 'put', tree: 't', key: Buffer.from('00000'), value });
      const leaf = firstLeaf(forest);
      const [first, second] = [longValueRef(leaf, 0), longValueRef(leaf, 1)];
      leaf.view.setUint32(valueAt(leaf, 1), first.number);
      leaf.view.setUint32(valueAt(leaf, 1) + 4, second.stamp);
    },
    /page \d+ is reached twice/,
  ],
  [
    'a long value on a page of another kind',
    (forest) => {
      const leaf = firstLeaf(forest);
      leaf.view.setUint32(valueAt(leaf, 0), childNumber(rootOf(forest), 1));
    },
    /is no part of a long value/,
  ],
  [
    'a page that is not there',
    (forest) => {
      const leaf = firstLeaf(forest);
      leaf.view.setUint32(valueAt(leaf, 0), 5_000);
    },
    new RegExp(`page 5000 of /pages \\(offset ${5_000 * PAGE_BYTES}\\): it lies past the end`),
  ],
];
for (const [name, damage, finding] of cases) {
  test(`${name} is found`, async () => {
    const forest = await soundForest();
    damage(forest);
    assert.match((await checkStore(forest, [])).join('\n'), finding);
  });
}

test('a page that is held by nobody, or live and held, is found', async () => {
  const forest = await soundForest();
  const { pages } = forest;
  const version = pages.versions.take();
  pages.versions.hold(rootOf(forest).number, 1);
  const findings = (await checkStore(forest, [])).join('\n');
  assert.match(findings, /is held by a version, and counts as free/);
  assert.match(findings, /is live and held/);
  version.held = [];
  forest.apply({ kind: 'put', tree: 't', key: Buffer.from('0'), value: Buffer.alloc(0) });
  version.held = [];
  assert.match((await checkStore(forest, [])).join('\n'), /counts as held, and no version holds it/);
});

test('a root that lists other pages than it reaches is found', async () => {
  const forest = await soundForest();
  const root = {
    generation: 3,
    catalog: undefined,
    used: { number: 9_000, stamp: 1 },
    usedBytes: 4,
    mark: { position: 1, epoch: 1, chain: Buffer.alloc(16) },
    incarnation: '',
  };
  const findings = (await checkStore(forest, [{ root, reached: new PageSet() }])).join('\n');
  assert.match(findings, /root 3: the set of used pages: page 9000/);
  assert.match(findings, /root 3: page 0 is reached, and counts as free/);
});
