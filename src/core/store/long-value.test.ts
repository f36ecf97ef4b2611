import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMemoryFiles } from '../files/memory-files.ts';
import { PAGE_BYTES } from './limits.ts';
import { LONG_VALUE_PAGE_BYTES, readLongValue, retireLongValue, writeLongValue } from './long-value.ts';
import { Pages } from './pages.ts';

async function newPages(): Promise<Pages> {
  const file = await createMemoryFiles().open('/pages', 'open');
  return new Pages(file, 1_000_000, 7);
}

test('a value of any length comes back from its pages, and gives them back', async () => {
  for (const length of [1, LONG_VALUE_PAGE_BYTES, LONG_VALUE_PAGE_BYTES + 1, 100_000]) {
    const pages = await newPages();
    const value = Buffer.from(Array.from({ length }, (_, index) => index % 251));
    const first = writeLongValue(pages, value);
    assert.equal(pages.live.size, 2 + Math.ceil(length / LONG_VALUE_PAGE_BYTES));
    assert.ok(readLongValue(pages, first, length).equals(value));
    retireLongValue(pages, first);
    assert.deepEqual([...pages.live], [0, 1]);
  }
});

test('a value of another length than its cell says is damage, with its place', async () => {
  const pages = await newPages();
  const first = writeLongValue(pages, Buffer.alloc(20_000));
  const place = `page \\d+ of /pages \\(offset \\d+\\)`;
  assert.throws(() => readLongValue(pages, first, 19_999), {
    code: 'corrupt',
    message: new RegExp(`${place}: its value is longer than its cell says`),
  });
  assert.throws(() => readLongValue(pages, first, 20_001), {
    code: 'corrupt',
    message: new RegExp(
      `page ${first.number} of /pages .offset ${first.number * PAGE_BYTES}.: its value is shorter`,
    ),
  });
});
