import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { DeadlineHeap, type Expiring } from '../deadline-heap.ts';
import { globMatches } from '../glob.ts';
import { addFloats, addIntegers, parseInteger } from '../numbers.ts';
import { ByteString } from './byte-string.ts';
import { ChunkedList } from './chunked-list.ts';
import { DenseMap, DenseSet, scanPlaces } from './dense-set.ts';
import { SortedTree } from './sorted-tree.ts';

describe('the sorted tree against a sorted array', () => {
  type Step = { readonly score: number; readonly member: string };
  const step = fc.record({
    score: fc.integer({ min: 0, max: 40 }),
    member: fc.string({ maxLength: 2, unit: 'binary-ascii' }),
  });
  const inOrder = (a: Step, b: Step): number =>
    a.score !== b.score ? a.score - b.score : a.member < b.member ? -1 : a.member > b.member ? 1 : 0;

  test('insertion, removal, ranks and walks agree, and the invariants hold', () => {
    const property = fc.property(fc.array(step, { maxLength: 900 }), fc.nat(), (steps, salt) => {
      const tree = new SortedTree();
      const oracle = new Map<string, number>();
      for (const { score, member } of steps) {
        const before = oracle.get(member);
        if (before !== undefined) tree.remove(before, member);
        if (before === score) oracle.delete(member);
        else {
          tree.insert(score, member);
          oracle.set(member, score);
        }
      }
      tree.check();
      const pairs = [...oracle].map(([member, score]) => ({ score, member })).sort(inOrder);
      assert.equal(tree.size, pairs.length);
      const walked: Step[] = [];
      tree.walk(0, tree.size, false, (member, score) => walked.push({ score, member }) > 0);
      assert.deepEqual(walked, pairs);
      if (pairs.length === 0) return;
      const rank = salt % pairs.length;
      assert.deepEqual(tree.at(rank), pairs[rank]);
      assert.equal(tree.rankOf(pairs[rank]!.score, pairs[rank]!.member), rank);
      const back: string[] = [];
      tree.walk(rank, 5, true, (member) => back.push(member) > 0);
      assert.deepEqual(
        back,
        pairs
          .slice(Math.max(0, rank - 4), rank + 1)
          .reverse()
          .map(({ member }) => member),
      );
      assert.equal(
        tree.countBefore((score) => score < 20),
        pairs.filter(({ score }) => score < 20).length,
      );
    });
    fc.assert(property, { numRuns: 150 });
  });

  test('stays in shape when it grows large and is emptied from any end', () => {
    for (const order of ['up', 'down', 'shuffled'] as const) {
      const tree = new SortedTree();
      const members = Array.from({ length: 20_000 }, (_, i) => ({
        score: (i * 7_919) % 20_011,
        member: `m${i}`,
      }));
      for (const { score, member } of members) tree.insert(score, member);
      tree.check();
      const victims = order === 'shuffled' ? members : [...members].sort((a, b) => a.score - b.score);
      if (order === 'down') victims.reverse();
      victims.forEach(({ score, member }, i) => {
        tree.remove(score, member);
        if (i % 1_999 === 0) tree.check();
      });
      assert.equal(tree.size, 0);
      tree.check();
    }
  });
});

describe('the chunked list against an array', () => {
  const operation = fc.oneof(
    fc.record({ op: fc.constant('push'), item: fc.string({ maxLength: 3 }) }),
    fc.record({ op: fc.constant('unshift'), item: fc.string({ maxLength: 3 }) }),
    fc.record({ op: fc.constantFrom('pop', 'shift') }),
    fc.record({
      op: fc.constantFrom('insert', 'set', 'removeAt'),
      at: fc.nat(),
      item: fc.string({ maxLength: 3 }),
    }),
    fc.record({ op: fc.constant('many'), count: fc.integer({ min: 1, max: 300 }) }),
  );

  test('all operations agree', () => {
    const property = fc.property(fc.array(operation, { maxLength: 60 }), fc.nat(), (operations, salt) => {
      const list = new ChunkedList();
      const oracle: string[] = [];
      for (const each of operations as { op: string; item?: string; at?: number; count?: number }[]) {
        apply(list, oracle, each);
        assert.equal(list.size, oracle.length);
      }
      assert.deepEqual([...list.from(0)], oracle);
      assert.deepEqual([...list.backFrom(list.size - 1)], [...oracle].reverse());
      const start = oracle.length === 0 ? 0 : salt % oracle.length;
      assert.deepEqual(list.slice(start, oracle.length), oracle.slice(start));
    });
    fc.assert(property, { numRuns: 200 });
  });

  function apply(
    list: ChunkedList,
    oracle: string[],
    { op, item = '', at = 0, count = 0 }: { op: string; item?: string; at?: number; count?: number },
  ): void {
    const size = oracle.length;
    const place = at % (size + 1);
    if (op === 'push') {
      list.push(item);
      oracle.push(item);
    } else if (op === 'unshift') {
      list.unshift(item);
      oracle.unshift(item);
    } else if (op === 'pop') assert.equal(list.pop(), oracle.pop());
    else if (op === 'shift') assert.equal(list.shift(), oracle.shift());
    else if (op === 'many') addMany(list, oracle, count);
    else if (op === 'insert') {
      list.insert(place, item);
      oracle.splice(place, 0, item);
    }
    if (size === 0) return;
    if (op === 'set') {
      assert.equal(list.set(at % size, item), oracle[at % size]);
      oracle[at % size] = item;
    } else if (op === 'removeAt') assert.equal(list.removeAt(at % size), oracle.splice(at % size, 1)[0]);
  }
});

function addMany(list: ChunkedList, oracle: string[], count: number): void {
  for (let i = 0; i < count; i++) {
    list.unshift(`${i}`);
    oracle.unshift(`${i}`);
  }
}

describe('scanning', () => {
  test('what is there all the time is returned, whatever comes and goes meanwhile', () => {
    const change = fc.record({ add: fc.boolean(), key: fc.integer({ min: 1_000, max: 1_400 }) });
    const property = fc.property(
      fc.integer({ min: 1, max: 400 }),
      fc.integer({ min: 1, max: 30 }),
      fc.array(fc.array(change, { maxLength: 40 }), { minLength: 1, maxLength: 30 }),
      fc.array(fc.integer({ min: 1_000, max: 1_400 }), { maxLength: 300 }),
      (permanent, count, rounds, early) => {
        const set = new DenseSet();
        for (const key of early) set.add(`${key}`);
        for (let i = 0; i < permanent; i++) set.add(`p${i}`);
        for (const key of early) set.add(`${key}`);
        const seen = new Set<string>();
        let cursor = 0;
        let round = 0;
        do {
          const step = scanPlaces(set.size, cursor, count);
          for (const place of step.visited) seen.add(set.keys[place]!);
          for (const { add, key } of rounds[round++ % rounds.length]!) {
            if (add) set.add(`${key}`);
            else set.remove(`${key}`);
          }
          cursor = step.cursor;
        } while (cursor !== 0);
        for (let i = 0; i < permanent; i++) assert.ok(seen.has(`p${i}`), `p${i} was not returned`);
      },
    );
    fc.assert(property, { numRuns: 300 });
  });

  test('index, keys and values stay together', () => {
    const property = fc.property(
      fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 200 }), fc.nat())),
      (steps) => {
        const map = new DenseMap<number>();
        const oracle = new Map<string, number>();
        for (const [add, key, value] of steps) {
          if (add) assert.equal(map.set(`${key}`, value), !oracle.has(`${key}`));
          else assert.equal(map.remove(`${key}`), oracle.delete(`${key}`));
          if (add) oracle.set(`${key}`, value);
        }
        assert.equal(map.size, oracle.size);
        assert.deepEqual(new Map(map.keys.map((key, i) => [key, map.values[i]!])), oracle);
        map.keys.forEach((key, i) => {
          assert.equal(map.index.get(key), i);
        });
      },
    );
    fc.assert(property);
  });
});

test('the deadline heap gives the earliest first, after any updates and removals', () => {
  interface Item extends Expiring {
    readonly name: number;
  }
  const property = fc.property(fc.array(fc.tuple(fc.nat(50), fc.option(fc.nat(1_000)))), (steps) => {
    const heap = new DeadlineHeap<Item>();
    const items = new Map<number, Item>();
    for (const [name, deadline] of steps) {
      const item = items.get(name) ?? { name, deadline: undefined, heapPosition: -1 };
      items.set(name, item);
      if (deadline === null) heap.remove(item);
      else heap.update(item, deadline);
    }
    const expected = [...items.values()].flatMap(({ deadline }) => deadline ?? []).sort((a, b) => a - b);
    const given: number[] = [];
    for (let first = heap.first(); first !== undefined; first = heap.first()) {
      given.push(first.deadline!);
      heap.remove(first);
    }
    assert.deepEqual(given, expected);
  });
  fc.assert(property);
});

test('a byte string is changed in place and grows with zeros', () => {
  const value = new ByteString('abc');
  value.write(5, 'x\xff');
  assert.equal(value.text(), 'abc\0\0x\xff');
  value.setByte(0, 0x7a);
  assert.equal(value.text(0, 1), 'z');
  assert.equal(value.byteAt(100), 0);
  for (let i = 0; i < 10_000; i++) value.write(value.length, 'y');
  assert.equal(value.length, 10_007);
});

describe('glob patterns', () => {
  const CASES: readonly [pattern: string, text: string, matches: boolean][] = [
    ['*', '', true],
    ['h?llo', 'hello', true],
    ['h?llo', 'hllo', false],
    ['h*llo', 'heeeello', true],
    ['h[ae]llo', 'hallo', true],
    ['h[^e]llo', 'hello', false],
    ['h[a-c]llo', 'hbllo', true],
    ['h[c-a]llo', 'hbllo', true],
    ['h\\*llo', 'h*llo', true],
    ['h\\*llo', 'hxllo', false],
    ['[\\]]', ']', true],
    ['a*b*c', 'aXbYc', true],
    ['a*b*c', 'aXbY', false],
    ['[a', 'a', true],
    ['', '', true],
    ['', 'a', false],
    ['a\\', 'a\\', true],
  ];
  for (const [pattern, text, matches] of CASES) {
    test(`${pattern} and ${text}`, () => assert.equal(globMatches(pattern, text), matches));
  }

  test('a pattern of many stars costs no more than pattern times text', () => {
    assert.equal(globMatches(`${'a*'.repeat(500)}b`, 'a'.repeat(5_000)), false);
  });
});

describe('numbers', () => {
  const INTEGERS: readonly [text: string, value: number | bigint | undefined][] = [
    ['0', 0],
    ['-1', -1],
    ['9007199254740993', 9007199254740993n],
    ['9223372036854775807', 9223372036854775807n],
    ['-9223372036854775808', -9223372036854775808n],
    ['9223372036854775808', undefined],
    ['+1', undefined],
    [' 1', undefined],
    ['01', undefined],
    ['-0', undefined],
    ['', undefined],
    ['-', undefined],
    ['1.0', undefined],
  ];
  for (const [text, value] of INTEGERS)
    test(JSON.stringify(text), () => assert.equal(parseInteger(text), value));

  test('sums beyond 2^53 are exact, beyond 2^63 refused', () => {
    assert.equal(addIntegers(9007199254740991, 2), 9007199254740993n);
    assert.equal(addIntegers(9007199254740993n, -3), 9007199254740990);
    assert.throws(() => addIntegers(9223372036854775807n, 1), /overflow/);
  });

  const SUMS: readonly [string, string, string][] = [
    ['0.1', '0.2', '0.3'],
    ['10.50', '0.1', '10.6'],
    ['5.0e3', '2.0e2', '5200'],
    ['3', '-3', '0'],
    ['-1.5', '0.25', '-1.25'],
    ['1e-17', '0', '0.00000000000000001'],
    ['.5', '+1', '1.5'],
  ];
  for (const [a, b, sum] of SUMS) test(`${a} + ${b}`, () => assert.equal(addFloats(a, b), sum));
});
