import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { SeededRandom } from '../random/seeded-random.ts';
import { StoreModel } from '../testing/store-contract.ts';
import { PendingChanges } from './pending-changes.ts';
import { changeAt, encodeCommit } from './record.ts';
import type { Change } from './types.ts';

const put = (key: string, value = '', tree = 'a'): Change => ({
  kind: 'put',
  tree,
  key: Buffer.from(key, 'latin1'),
  value: Buffer.from(value),
});

const remove = (key: string, tree = 'a'): Change => ({
  kind: 'delete',
  tree,
  key: Buffer.from(key, 'latin1'),
});

/** What is given out, copied: it is valid during the call only. */
function drained(pending: PendingChanges): Change[] {
  const changes: Change[] = [];
  for (const _ of pending.drain((tree, change) => changes.push(structuredClone(changeAt(change, tree)))));
  return changes;
}

function pendingWith(changes: readonly Change[], perRecord = 7): PendingChanges {
  const pending = new PendingChanges(1_000_000);
  for (let at = 0; at < changes.length; at += perRecord) {
    pending.add(encodeCommit(changes.slice(at, at + perRecord)));
  }
  return pending;
}

const keysOf = (changes: readonly Change[]): string[] =>
  changes.map((change) =>
    Buffer.from(change.kind === 'delete-range' ? change.from : change.key).toString('latin1'),
  );

suite('pending changes', () => {
  test('are given out in the order of their keys, tree by tree, the last of each key only', () => {
    const pending = pendingWith([
      put('c'),
      put('a', '1'),
      put('x', '', 'b'),
      remove('c'),
      put('b'),
      put('a', '2'),
    ]);
    assert.equal(pending.count, 6);
    const changes = drained(pending);
    assert.deepEqual(keysOf(changes), ['a', 'b', 'c', 'x']);
    assert.deepEqual(
      changes.map(({ kind }) => kind),
      ['put', 'put', 'delete', 'put'],
    );
    assert.equal(pending.count, 0);
    assert.deepEqual(drained(pending), []);
  });

  test('keys that begin with others come behind them, and the bytes behind a key are none of it', () => {
    const keys = [
      '',
      'a',
      'a\0',
      'a\0\0',
      'ab',
      'abc',
      'abcd',
      'abce',
      'b',
      'b\xff\xff\xff',
      'b\xff\xff\xff\xff',
    ];
    // The value, which lies right behind the key, would put each of them elsewhere.
    const found = keysOf(
      drained(
        pendingWith(
          keys.toReversed().map((key) => put(key, '\xff\xff\xff\xff')),
          3,
        ),
      ),
    );
    // Four bytes tell the order; those that differ later only keep that of the journal.
    const late = ['b\xff\xff\xff\xff', 'b\xff\xff\xff'];
    const equal = new Set(['a\0\0', 'a\0', 'a', ...late]);
    assert.deepEqual(
      found.filter((key) => !equal.has(key)),
      keys.filter((key) => !equal.has(key)),
    );
    assert.deepEqual(found.toSorted(), keys.toSorted());
    assert.ok(late.every((key) => found.indexOf(key) > found.indexOf('abce')));
  });

  test('changes of many trees that take turns stay with theirs', () => {
    const names = Array.from({ length: 20 }, (_, index) => `tree ${index}`);
    const changes = Array.from({ length: 400 }, (_, index) => put(`${index}`, '', names[(index * 7) % 20]));
    const found = drained(pendingWith(changes, 13));
    assert.equal(found.length, 400);
    for (const change of found) {
      const [key] = keysOf([change]);
      assert.equal(change.tree, names[(Number(key) * 7) % 20]);
    }
  });

  test('nothing of a tree passes a delete-range of it', () => {
    const range = (from: string, to?: string): Change => ({
      kind: 'delete-range',
      tree: 'a',
      from: Buffer.from(from),
      ...(to === undefined ? {} : { to: Buffer.from(to) }),
    });
    const changes = [range('a', 'c'), put('b'), put('a'), range('b'), range('0', '1'), put('z'), put('c')];
    const found = drained(pendingWith(changes));
    assert.deepEqual(keysOf(found), ['a', 'a', 'b', 'b', '0', 'c', 'z']);
    assert.deepEqual(
      found.map((change) => change.kind === 'delete-range' && change.to !== undefined),
      [true, false, false, false, true, false, false],
    );
  });

  test('whatever the changes, they come to what they come to in the order of the journal', () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const random = new SeededRandom(seed);
      const key = (): string =>
        random.pick(['', 'p', 'prefix ']) + 'ab\0'.repeat(random.below(3)) + random.below(12);
      const tree = (): string => random.pick(['a', 'a', 'bb', 'ä']);
      const change = (): Change => {
        const dice = random.below(20);
        if (dice < 12) return put(key(), `${random.below(1_000)}`, tree());
        if (dice < 19) return remove(key(), tree());
        return { kind: 'delete-range', tree: tree(), from: Buffer.from(key()), to: Buffer.from(key()) };
      };
      const changes = Array.from({ length: 1 + random.below(120) }, change);
      const found = drained(pendingWith(changes, 1 + random.below(9)));
      assert.deepEqual(contentOf(found), contentOf(changes), `seed ${seed}`);
    }
  });

  test('more than are sorted in one go are in order as well, and others get their turn on the way', () => {
    const random = new SeededRandom(1);
    const changes = Array.from({ length: 30_000 }, () => put(String(random.below(10_000)).padStart(7, '0')));
    const pending = new PendingChanges(10_000_000);
    for (let at = 0; at < changes.length; at += 500) pending.add(encodeCommit(changes.slice(at, at + 500)));
    const keys: string[] = [];
    let turns = 0;
    let done = 0;
    for (const step of pending.drain((tree, change) => keys.push(...keysOf([changeAt(change, tree)])))) {
      turns += 1;
      done += step;
      assert.ok(step <= 1_000);
    }
    assert.equal(done, changes.length);
    assert.ok(turns > 60);
    assert.deepEqual(keys, [...new Set(keysOf(changes))].sort());
  });

  test('a large value gives others their turn', () => {
    const pending = pendingWith([put('a', 'x'.repeat(400_000)), put('b', 'y'.repeat(400_000)), put('c')], 1);
    const turns = [...pending.drain(() => undefined)].filter((done) => done > 0);
    assert.deepEqual(turns, [1, 1, 1]);
  });

  test('more than the bound is refused, but for a record that waits alone', () => {
    const pending = new PendingChanges(1_000);
    assert.ok(pending.takes(5_000));
    pending.add(encodeCommit([put('a', 'x'.repeat(5_000))]));
    assert.equal(pending.takes(1), false);
    assert.equal(drained(pending).length, 1);
    pending.add(encodeCommit([put('b', 'x'.repeat(100))]));
    assert.ok(pending.takes(800));
    assert.equal(pending.takes(900), false);
  });

  test('a record that was not written by a store is refused', () => {
    const pending = new PendingChanges(1_000);
    assert.throws(() => pending.add(encodeCommit([put('a')]).subarray(0, 9)), { code: 'corrupt' });
    assert.throws(() => pending.add(Buffer.from([9])), { code: 'newer-format' });
  });
});

function contentOf(changes: readonly Change[]): unknown {
  const model = new StoreModel().after(changes);
  return ['a', 'bb', 'ä'].map((tree) => model.keys(tree).map((key) => [key, String(model.get(tree, key))]));
}
