import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AnyEntry,
  checkContent,
  contentOf,
  ENTRIES,
  keyOf,
  newKey,
  VALUE_BYTES,
  writeKey,
} from './entries.ts';

test('keys have 16 bytes and stand in the order of the entries', () => {
  const entries = [0, 1, 9, 10, 99_999, 100_000, ENTRIES - 1];
  const keys = entries.map(keyOf);
  assert.deepEqual(
    keys.map((key) => key.toString('latin1')),
    entries.map((entry) => `entry/${String(entry).padStart(10, '0')}`),
  );
  assert.deepEqual(keys.toSorted(Buffer.compare), keys);
  const reused = newKey();
  for (const [n, entry] of entries.entries()) assert.deepEqual(writeKey(reused, entry), keys[n]);
});

test('every version of an entry is known as that entry, and no other is', () => {
  for (const entry of [0, 255, 256, ENTRIES - 1]) {
    for (let version = 0; version < 5; version++) {
      const content = contentOf(entry, version);
      assert.equal(content.length, VALUE_BYTES);
      checkContent(entry, content);
      assert.throws(() => checkContent(entry + 1, content), /another/);
    }
    const versions = Array.from({ length: 1_000 }, (_, version) =>
      contentOf(entry, version).toString('latin1'),
    );
    assert.equal(new Set(versions).size, 1_000);
    assert.throws(() => checkContent(entry, undefined), /missing/);
    assert.throws(() => checkContent(entry, Buffer.alloc(VALUE_BYTES - 1, entry)), /another/);
  }
});

test('entries are drawn alike for the same seed, and from everywhere', () => {
  const [one, other] = [new AnyEntry(7), new AnyEntry(7)];
  const drawn = Array.from({ length: 1_000 }, () => one.next());
  assert.deepEqual(
    drawn,
    drawn.map(() => other.next()),
  );
  const tenths = new Set(drawn.map((entry) => Math.floor((entry * 10) / ENTRIES)));
  assert.deepEqual([...tenths].sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});
