import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_DNS_LIMITS } from '../../limits.ts';
import { CLASS, TYPE } from '../../wire/codes.ts';
import { type Name, nameFromText } from '../../wire/name.ts';
import type { ResourceRecord } from '../../wire/record.ts';
import { AnswerCache } from './cache.ts';

const name = (text: string): Name => nameFromText(text);
const a = (owner: string, ttlSeconds: number): ResourceRecord => ({
  name: name(owner),
  type: TYPE.A,
  class: CLASS.IN,
  ttlSeconds,
  rdata: Buffer.from([192, 0, 2, 1]),
});
const soa = (ttlSeconds: number, minimum: number): ResourceRecord => {
  const rdata = Buffer.alloc(22);
  rdata.writeUInt32BE(minimum, 18);
  return { ...a('test.', ttlSeconds), type: TYPE.SOA, rdata };
};
const cache = (limits: Partial<typeof DEFAULT_DNS_LIMITS> = {}): AnswerCache =>
  new AnswerCache({ ...DEFAULT_DNS_LIMITS, ...limits });

test('names are found in any case', () => {
  const answers = cache();
  answers.putData([a('www.Test.', 60)], 0);
  assert.equal(answers.lookup(name('WWW.test.'), TYPE.A, 0)?.kind, 'data');
});

test('the lowest TTL of a set counts, and zero is not kept', () => {
  const answers = cache();
  answers.putData([a('x.', 60), a('x.', 10)], 0);
  assert.equal(answers.lookup(name('x.'), TYPE.A, 9_999)?.kind, 'data');
  assert.equal(answers.lookup(name('x.'), TYPE.A, 10_000), undefined);
  answers.putData([a('y.', 0)], 0);
  assert.equal(answers.lookup(name('y.'), TYPE.A, 0), undefined);
});

test('TTLs are capped', () => {
  const answers = cache({ maxCacheTtlSeconds: 100, maxNegativeTtlSeconds: 50 });
  answers.putData([a('x.', 1_000)], 0);
  assert.equal(answers.lookup(name('x.'), TYPE.A, 100_000), undefined);
  answers.putNegative('no-data', name('y.'), TYPE.A, soa(1_000, 1_000), 0);
  assert.equal(answers.lookup(name('y.'), TYPE.A, 49_999)?.kind, 'no-data');
  assert.equal(answers.lookup(name('y.'), TYPE.A, 50_000), undefined);
});

test('a negative answer lasts as long as the lower of TTL and MINIMUM of its SOA', () => {
  const answers = cache();
  answers.putNegative('no-name', name('x.test.'), TYPE.A, soa(30, 10), 0);
  answers.putNegative('no-name', name('y.test.'), TYPE.A, soa(10, 30), 0);
  for (const owner of ['x.test.', 'y.test.']) {
    assert.equal(answers.lookup(name(owner), TYPE.MX, 9_999)?.kind, 'no-name');
    assert.equal(answers.lookup(name(owner), TYPE.MX, 10_000), undefined);
  }
});

test('what exists below a name that did not is still found', () => {
  const answers = cache();
  answers.putNegative('no-name', name('x.test.'), TYPE.A, soa(30, 30), 0);
  answers.putData([a('y.x.test.', 60)], 0);
  assert.equal(answers.lookup(name('y.x.test.'), TYPE.A, 0)?.kind, 'data');
  assert.equal(answers.lookup(name('z.x.test.'), TYPE.A, 0)?.kind, 'no-name');
  assert.equal(answers.lookup(name('zx.test.'), TYPE.A, 0), undefined);
});

test('failures in a row are remembered longer, up to a bound', () => {
  const answers = cache({ minFailureTtlSeconds: 1, maxFailureTtlSeconds: 4 });
  const error = { infoCode: 22, text: 'nobody' };
  let now = 0;
  for (const seconds of [1, 2, 4, 4]) {
    answers.putFailure(name('x.'), TYPE.A, error, now);
    assert.equal(answers.lookup(name('x.'), TYPE.A, now + seconds * 1000 - 1)?.kind, 'failure');
    now += seconds * 1000;
    assert.equal(answers.lookup(name('x.'), TYPE.A, now), undefined);
  }
  answers.putData([a('x.', 1)], now);
  now += 1_000;
  answers.putFailure(name('x.'), TYPE.A, error, now);
  assert.equal(
    answers.lookup(name('x.'), TYPE.A, now + 1_000),
    undefined,
    'an answer between them starts anew',
  );
});

test('bounded by entries and by octets, the least recently used goes first', () => {
  const few = cache({ maxCacheEntries: 2 });
  few.putData([a('a.', 60)], 0);
  few.putData([a('b.', 60)], 0);
  few.lookup(name('a.'), TYPE.A, 0);
  few.putData([a('c.', 60)], 0);
  assert.deepEqual(
    ['a.', 'b.', 'c.'].map((owner) => few.lookup(name(owner), TYPE.A, 0)?.kind),
    ['data', undefined, 'data'],
  );
  const small = cache({ maxCacheBytes: 10_000 });
  for (let at = 0; at < 1_000; at += 1) small.putData([{ ...a(`n${at}.`, 60), rdata: Buffer.alloc(500) }], 0);
  assert.ok(small.bytes <= 10_000 && small.entries < 15);
  small.clear();
  assert.deepEqual([small.bytes, small.entries], [0, 0]);
});
