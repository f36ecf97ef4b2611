import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { codedTag, strongEqual, tagsOf, uncodedTag, weakEqual } from './entity-tag.ts';

const lists: readonly [list: string, tags: readonly string[]][] = [
  ['', []],
  ['"a"', ['"a"']],
  ['"a,b" ,, W/"c", "d', ['"a,b"', 'W/"c"']],
  ['"", "\x80"', ['""', '"\x80"']],
  ['"a""b"', ['"a"', '"b"']],
  ['*', []],
  ['a, "b"', []],
  ['w/"a"', []],
  ['W/ "a"', []],
  ['"a b"', []],
  ['"a\tb"', []],
  ['"a", nonsense, "b"', ['"a"']],
];

suite('entity tags', () => {
  for (const [list, tags] of lists) {
    test(`of ${JSON.stringify(list)}`, () => assert.deepEqual([...tagsOf(list)], tags));
  }

  // The table of RFC 9110 section 8.8.3.2.
  const comparisons: readonly [left: string, right: string, strong: boolean, weak: boolean][] = [
    ['W/"1"', 'W/"1"', false, true],
    ['W/"1"', 'W/"2"', false, false],
    ['W/"1"', '"1"', false, true],
    ['"1"', '"1"', true, true],
  ];
  for (const [left, right, strong, weak] of comparisons) {
    test(`${left} and ${right}`, () => {
      assert.equal(strongEqual(left, right), strong);
      assert.equal(weakEqual(left, right), weak);
    });
  }

  test('get a suffix under a coding, and lose it again', () => {
    assert.equal(codedTag('"a"', 'gzip'), '"a--gzip"');
    assert.equal(codedTag('W/"a"', 'gzip'), 'W/"a"');
    assert.equal(codedTag('nonsense', 'gzip'), 'nonsense');
    assert.equal(uncodedTag('"a--gzip"', ['br', 'gzip']), '"a"');
    assert.equal(uncodedTag('W/"a--br"', ['br', 'gzip']), 'W/"a"');
    assert.equal(uncodedTag('"a--zstd"', ['br', 'gzip']), undefined);
    assert.equal(uncodedTag('"a"', ['br', 'gzip']), undefined);
  });
});
