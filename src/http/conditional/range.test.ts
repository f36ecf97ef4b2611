import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { contentRange, parseRange, unsatisfiedRange } from './range.ts';

/** Ranges as `first-last`, or the kind. */
function parsed(field: string | undefined, size: number): string {
  const result = parseRange(field, size);
  if (result.kind !== 'ranges') return result.kind;
  return result.ranges.map(({ first, last }) => `${first}-${last}`).join(',');
}

const SIXTEEN = Array.from({ length: 16 }, (_, at) => `${at * 100}-${at * 100}`).join(',');

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
  ['bytes=-0', 0, 'unsatisfiable'],
  // The last five of nothing are the whole of nothing.
  ['bytes=-5', 0, 'whole'],
  ['bytes=200-300,0-1', 100, '0-1'],
  ['bytes=5-4', 100, 'whole'],
  ['bytes=', 100, 'whole'],
  ['bytes=-', 100, 'whole'],
  ['bytes=a-b', 100, 'whole'],
  ['bytes=+1-2', 100, 'whole'],
  ['bytes=1 - 2', 100, 'whole'],
  ['items=0-1', 100, 'whole'],
  ['bytes=99999999999999999999-', 100, 'whole'],
  ['bytes 0-1', 100, 'whole'],
  ['bytes=0-1;q=1', 100, 'whole'],
  ['bytes=0x0-1', 100, 'whole'],
  ['bytes=-1-2', 100, 'whole'],
  ['bytes=0-1, items=2-3', 100, 'whole'],
  ['bytes=9007199254740991-', 100, 'unsatisfiable'],
  ['bytes=9007199254740992-', 100, 'whole'],
  // Empty elements of a list say nothing.
  ['bytes=,0-0,,', 100, '0-0'],
  ['bytes=,,', 100, 'whole'],
  ['bytes=0-0\t,\t99-99', 100, '0-0,99-99'],
  // Overlapping, touching and close ones are one, where the first of them stood.
  ['bytes=0-10,5-15', 1000, '0-15'],
  ['bytes=0-9,10-19', 1000, '0-19'],
  ['bytes=0-9,90-99', 1000, '0-99'],
  ['bytes=0-9,91-99', 1000, '0-9,91-99'],
  ['bytes=500-599,0-9,550-700', 1000, '500-700,0-9'],
  ['bytes=0-0,900-,300-300,-1', 1000, '0-0,900-999,300-300'],
  ['bytes=0-0,200-200,100-100', 1000, '0-0,200-200,100-100'],
  // The third joins the first two.
  ['bytes=0-0,200-200,600-600,100-150', 1000, '0-0,100-200,600-600'],
  ['bytes=0-0,160-160,80-80', 1000, '0-160'],
  // A flood of them is answered with the whole.
  [`bytes=${Array.from({ length: 16 }, (_, at) => `${at * 100}-${at * 100}`).join(',')}`, 2000, SIXTEEN],
  [`bytes=${Array.from({ length: 17 }, (_, at) => `${at * 100}-${at * 100}`).join(',')}`, 2000, 'whole'],
  [`bytes=${'0-,'.repeat(16)}0-`, 1000, 'whole'],
  [`bytes=${'0-,'.repeat(15)}0-`, 1000, '0-999'],
  [`bytes=${','.repeat(16)}0-0`, 1000, 'whole'],
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
