import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TopicTrie } from './topic-trie.ts';

/** The definition, tried in every way. */
function matches(pattern: readonly string[], words: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return words.length === 0;
  if (first === '#') return matches(rest, words) || (words.length > 0 && matches(pattern, words.slice(1)));
  return words.length > 0 && (first === '*' || first === words[0]) && matches(rest, words.slice(1));
}

const split = (text: string): string[] => (text === '' ? [] : text.split('.'));

const CASES: readonly [pattern: string, key: string, expected: boolean][] = [
  ['#', '', true],
  ['*', '', false],
  ['#', 'a.b', true],
  ['*.*', 'a', false],
  ['a.#.b', 'a.b', true],
  ['a.#.b', 'a.x.y.b', true],
  ['a.*.b', 'a..b', true],
  ['#.#', 'a', true],
  ['', '', true],
  ['a', 'a.', false],
];

for (const [pattern, key, expected] of CASES) {
  test(`'${pattern}' ${expected ? 'matches' : 'does not match'} '${key}'`, () => {
    const trie = new TopicTrie<string>();
    trie.add(pattern, 'x');
    const found: string[] = [];
    trie.match(key, (value) => found.push(value));
    assert.deepEqual(found, expected ? ['x'] : []);
    trie.remove(pattern, 'x');
    trie.match(key, () => assert.fail('removed'));
  });
}

test('agrees with the definition for any patterns, also after removals', () => {
  const word = fc.constantFrom('a', 'b', '*', '#', '');
  const pattern = fc.array(word, { maxLength: 5 }).map((words) => words.join('.'));
  const key = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 5 }).map((words) => words.join('.'));
  fc.assert(
    fc.property(
      fc.uniqueArray(pattern, { maxLength: 8 }),
      key,
      fc.nat(8),
      (patterns, routingKey, removed) => {
        const trie = new TopicTrie<string>();
        for (const one of patterns) trie.add(one, one);
        const [gone] = patterns.splice(removed, 1);
        if (gone !== undefined) trie.remove(gone, gone);
        const found = new Set<string>();
        trie.match(routingKey, (value) => found.add(value));
        const expected = patterns.filter((one) => matches(split(one), split(routingKey)));
        assert.deepEqual([...found].sort(), expected.sort());
      },
    ),
  );
});

test('many hashes do not take exponential time', () => {
  const trie = new TopicTrie<number>();
  trie.add(Array.from({ length: 30 }, () => '#').join('.x.'), 1);
  let found = 0;
  trie.match(Array.from({ length: 120 }, () => 'x').join('.'), () => found++);
  assert.equal(found, 1);
});
