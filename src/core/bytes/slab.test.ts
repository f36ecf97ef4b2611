import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Slab } from './slab.ts';

test('copies keep little more than themselves, and are never written over', () => {
  const slab = new Slab();
  const source = Buffer.alloc(5_100);
  const sizes = [1, 100, 1_024, 1_025, 5_000, 0, ...Array<number>(40).fill(1_000)];
  const copies = sizes.map((size, index) => {
    source.fill(index);
    return slab.copy(source, 10, 10 + size);
  });
  for (const [index, copy] of copies.entries()) {
    assert.equal(copy.length, sizes[index]);
    assert.ok(copy.every((byte) => byte === index));
    assert.ok(copy.buffer.byteLength <= Math.max(8_192, copy.length), `keeps ${copy.buffer.byteLength}`);
  }
});
