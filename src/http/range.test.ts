import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { contentRange, parseRange, unsatisfiedRange } from './range.ts';

/** Ranges as `first-last`, or the kind. */
function parsed(field: string | undefined, size: number): string {
  const result = parseRange(field, size);
  if (result.kind !== 'ranges') return result.kind;
  return result.ranges.map(({ first, last }) => `${first}-${last}`).join(',');
}

const cases: readonly [field: string | undefined, size: number, outcome: string][] = [
  [undefined, 100, 'whole'],
  ['bytes=0-0', 100, '0-0'],
  ['bytes=0-499', 100, '0-99'],
  ['BYTES=10-19', 100, '10-19'],
  ['bytes=90-', 100, '90-99'],
  ['bytes=-10', 100, '90-99'],
  ['bytes=-500', 100, '0-99'],
  ['bytes=0-0, -1', 100, '0-0,99-99'],
  ['bytes=100-', 100, 'unsatisfiable'],
  ['bytes=-0', 100, 'unsatisfiable'],
  ['bytes=0-', 0, 'unsatisfiable'],
  ['bytes=-5', 0, 'unsatisfiable'],
  ['bytes=200-300,0-1', 100, '0-1'],
  ['bytes=5-4', 100, 'whole'],
  ['bytes=', 100, 'whole'],
  ['bytes=-', 100, 'whole'],
  ['bytes=a-b', 100, 'whole'],
  ['bytes=+1-2', 100, 'whole'],
  ['bytes=1 - 2', 100, 'whole'],
  ['items=0-1', 100, 'whole'],
  ['bytes=99999999999999999999-', 100, 'whole'],
  ['bytes=0-10,5-15', 100, 'whole'],
  [`bytes=${Array.from({ length: 17 }, (_, at) => `${at * 2}-${at * 2}`).join(',')}`, 100, 'whole'],
];

suite('ranges', () => {
  for (const [field, size, outcome] of cases) {
    test(`${field} of ${size} → ${outcome}`, () => assert.equal(parsed(field, size), outcome));
  }

  test('are told back in Content-Range', () => {
    assert.equal(contentRange({ first: 0, last: 9 }, 100), 'bytes 0-9/100');
    assert.equal(unsatisfiedRange(100), 'bytes */100');
  });
});
