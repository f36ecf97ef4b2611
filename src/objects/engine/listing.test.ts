import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Position } from '../wire/list-parameters.ts';
import { listPage, type Page, positionOfMarker } from './listing.ts';
import type { ListedObject, ObjectStorage } from './storage.ts';

/** Only what a listing uses; counts how many entries were looked at. */
class SortedKeys implements Pick<ObjectStorage, 'objects'> {
  readonly #keys: readonly Buffer[];
  examined = 0;

  constructor(keys: Iterable<string>) {
    this.#keys = [...new Set(keys)].map((key) => Buffer.from(key, 'utf8')).sort(Buffer.compare);
  }

  *objects(_bucket: string, from: Buffer): Iterable<ListedObject> {
    for (const key of this.#keys) {
      if (Buffer.compare(key, from) < 0) continue;
      this.examined++;
      yield { key, etag: 'e', sizeBytes: 0, modifiedMs: 0 };
    }
  }
}

function list(
  keys: SortedKeys,
  prefix: string,
  delimiter: string | undefined,
  after: Position | undefined,
  limit: number,
) {
  return listPage(keys as unknown as ObjectStorage, { bucket: 'b', prefix, delimiter, after, limit });
}

/** Objects and common prefixes in their one order. */
function entriesOf({ objects, prefixes }: Page): string[] {
  const names = [...objects.map(({ key }) => key.toString('utf8')), ...prefixes];
  return names.sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
}

/** The same by looking at every key. */
function oracle(keys: Iterable<string>, prefix: string, delimiter: string | undefined): string[] {
  const entries = new Set<string>();
  for (const key of keys) {
    if (!key.startsWith(prefix)) continue;
    const at = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
    entries.add(at < 0 ? key : key.slice(0, at + delimiter!.length));
  }
  return [...entries].sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
}

const key = fc.string({
  unit: fc.constantFrom('a', 'b', '/', '0', 'é', '😀', '\uffff', '.'),
  minLength: 1,
  maxLength: 6,
});
const request = fc.record({
  keys: fc.array(key, { maxLength: 40 }),
  prefix: fc.oneof(fc.constant(''), key),
  delimiter: fc.constantFrom(undefined, '/', 'a', '//', 'é'),
  limit: fc.integer({ min: 1, max: 7 }),
});

describe('listing', () => {
  test('pages together are what an oracle finds', () => {
    fc.assert(
      fc.property(request, ({ keys, prefix, delimiter, limit }) => {
        const storage = new SortedKeys(keys);
        const found: string[] = [];
        let after: Position | undefined;
        for (;;) {
          const page = list(storage, prefix, delimiter, after, limit);
          const entries = entriesOf(page);
          assert.ok(entries.length <= limit);
          assert.equal(page.last?.name, entries.at(-1));
          found.push(...entries);
          if (!page.truncated) break;
          assert.equal(entries.length, limit);
          after = page.last;
        }
        assert.deepEqual(found, oracle(keys, prefix, delimiter));
      }),
      { numRuns: 500 },
    );
  });

  test('the marker of ListObjects continues as a token does', () => {
    fc.assert(
      fc.property(request, ({ keys, prefix, delimiter, limit }) => {
        const storage = new SortedKeys(keys);
        const found: string[] = [];
        let marker: string | undefined;
        for (;;) {
          const page = list(storage, prefix, delimiter, positionOfMarker(marker, prefix, delimiter), limit);
          found.push(...entriesOf(page));
          if (!page.truncated) break;
          marker = page.last?.name;
        }
        assert.deepEqual(found, oracle(keys, prefix, delimiter));
      }),
    );
  });

  test('a page begins after any key, there or not', () => {
    fc.assert(
      fc.property(fc.array(key), key, (keys, startAfter) => {
        const page = list(new SortedKeys(keys), '', undefined, { kind: 'key', name: startAfter }, 1000);
        const start = Buffer.from(startAfter);
        const expected = oracle(keys, '', undefined).filter(
          (name) => Buffer.compare(Buffer.from(name), start) > 0,
        );
        assert.deepEqual(entriesOf(page), expected);
      }),
    );
  });

  test('a common prefix costs one look, however much lies below', () => {
    const many = Array.from({ length: 5000 }, (_, index) => `b/${index}`);
    const storage = new SortedKeys(['a', ...many, 'c', 'd/1', 'd/2']);
    const page = list(storage, '', '/', undefined, 1000);
    assert.deepEqual(entriesOf(page), ['a', 'b/', 'c', 'd/']);
    assert.equal(storage.examined, 4);
  });

  test('keys of no bytes asked for, none given', () => {
    const page = list(new SortedKeys(['a']), '', undefined, undefined, 0);
    assert.deepEqual([entriesOf(page), page.truncated], [[], false]);
  });
});
