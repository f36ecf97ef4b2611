/** Nodes whose checksum is right and which are wrong all the same, and ranges of keys. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { createMemoryFiles } from '../files/memory-files.ts';
import { PAGE_BYTES } from './limits.ts';
import { insertChild, insertValue, keyView } from './node.ts';
import { BRANCH, clearPage, LEAF, Page, sealPage } from './page.ts';
import { Pages } from './pages.ts';
import { ALL_KEYS, isIn, type KeyRange, overlap, type Step, walkTree } from './salvage-walk.ts';

const STAMP = 5;

/** Pages of which `change` may spoil any before they are sealed: a branch on 4 over leaves on 2 and 3. */
async function pagesWith(change: (pages: Page[]) => void = () => undefined): Promise<Pages> {
  const [left, right, branch] = [2, 3, 4].map((number) => {
    return new Page(Buffer.alloc(PAGE_BYTES), number, STAMP, 0, true);
  }) as [Page, Page, Page];
  for (const leaf of [left, right]) clearPage(leaf, LEAF, 0);
  clearPage(branch, BRANCH, 1);
  for (const [slot, key] of ['a', 'b', 'c'].entries())
    insertValue(left, slot, Buffer.from(key), Buffer.from('1'));
  for (const [slot, key] of ['m', 'n'].entries())
    insertValue(right, slot, Buffer.from(key), Buffer.from('2'));
  insertChild(branch, 0, Buffer.alloc(0), left);
  insertChild(branch, 1, Buffer.from('k'), right);
  change([left, right, branch]);
  const file = await createMemoryFiles().open('/pages', 'open');
  for (const page of [left, right, branch]) {
    sealPage(page.bytes);
    await file.write(page.number * PAGE_BYTES, page.bytes);
  }
  return new Pages(file, 0, 0);
}

function walked(pages: Pages, range: KeyRange = ALL_KEYS, number = 4): string[] {
  return [...walkTree({ pages }, { number, stamp: STAMP }, range)].map(told);
}

function told(step: Step): string {
  const { from, to } = step.range;
  const keys = `${from ?? ''}..${to ?? ''}`;
  return step.kind === 'leaf' ? `${keyView(step.leaf, 0)} ${keys}` : `${step.lost.what} ${keys}`;
}

suite('walkTree', () => {
  test('leaves come in order, each with its range', async () => {
    assert.deepEqual(walked(await pagesWith()), ['a ..k', 'm k..']);
  });

  test('only what may hold keys of the range is read', async () => {
    const pages = await pagesWith(([, right]) => right!.bytes.fill(0xee, 30));
    const range = (from: string | undefined, to: string | undefined): KeyRange => ({
      from: from === undefined ? undefined : Buffer.from(from),
      to: to === undefined ? undefined : Buffer.from(to),
    });
    assert.deepEqual(walked(pages, range('b', 'k')), ['a b..k']);
    assert.deepEqual(walked(pages, range('b', 'c')), ['a b..c']);
    assert.equal(walked(pages, range('k', undefined)).length, 1);
    assert.match(walked(pages, range('c', 'l'))[1]!, / k\.\.l$/);
  });

  const spoiled: [string, (pages: Page[]) => void, RegExp][] = [
    ['no cells', ([left]) => void (left!.count = 0), /it is no sound node \.\.k/],
    ['another kind', ([left]) => void left!.view.setUint8(12, 3), /it is no sound node \.\.k/],
    ['another level', ([left]) => left!.view.setUint16(12, (BRANCH << 8) | 1), /it has level 1 instead of 0/],
    ['keys out of order', ([left]) => void swapSlots(left!), /its key 1 is out of order \.\.k/],
    ['cells outside of the page', ([left]) => void left!.view.setUint16(22, 0xffff), / \.\.k/],
    ['more cells than it can have', ([left]) => void (left!.count = 60_000), / \.\.k/],
  ];
  for (const [name, spoil, flaw] of spoiled) {
    test(`a leaf with ${name} is lost, and the next is read`, async () => {
      const [first, second] = walked(await pagesWith(spoil));
      assert.match(first!, flaw);
      assert.doesNotMatch(first!, /^a/);
      assert.equal(second, 'm k..');
    });
  }

  test('a page of another stamp, and one past the end, are lost', async () => {
    const pages = await pagesWith();
    const [old] = [...walkTree({ pages }, { number: 4, stamp: 9 }, ALL_KEYS)];
    assert.ok(old?.kind === 'lost');
    assert.equal(old.lost.what, 'it is an older page: a later write was lost');
    assert.match(walked(pages, ALL_KEYS, 9)[0]!, /^it lies past the end of the file/);
  });

  function swapSlots(page: Page): void {
    const first = page.view.getUint16(20);
    page.view.setUint16(20, page.view.getUint16(22));
    page.view.setUint16(22, first);
  }
});

suite('ranges of keys', () => {
  const keys = fc.option(fc.uint8Array({ maxLength: 2 }), { nil: undefined });
  const ranges = fc
    .tuple(keys, keys)
    .map(([from, to]) => ({ from: from && Buffer.from(from), to: to && Buffer.from(to) }));

  test('a key is in the overlap when it is in both', () => {
    fc.assert(
      fc.property(ranges, ranges, fc.uint8Array({ maxLength: 3 }), (one, other, bytes) => {
        const key = Buffer.from(bytes);
        const both = overlap(one, other);
        assert.equal(both !== undefined && isIn(both, key), isIn(one, key) && isIn(other, key));
      }),
    );
  });

  test('ranges that only touch have nothing in common', () => {
    const at = Buffer.from('m');
    assert.equal(overlap({ from: undefined, to: at }, { from: at, to: undefined }), undefined);
    assert.deepEqual(overlap(ALL_KEYS, ALL_KEYS), ALL_KEYS);
  });
});
