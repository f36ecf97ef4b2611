import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import fc from 'fast-check';
import { formatDate, parseDate } from './date.ts';

const instant = Date.UTC(1994, 10, 6, 8, 49, 37);

suite('an HTTP date', () => {
  test('is written as IMF-fixdate and read in three forms', () => {
    assert.equal(formatDate(instant), 'Sun, 06 Nov 1994 08:49:37 GMT');
    assert.equal(parseDate('Sun, 06 Nov 1994 08:49:37 GMT'), instant);
    assert.equal(parseDate('Sunday, 06-Nov-94 08:49:37 GMT'), instant);
    assert.equal(parseDate('Sun Nov  6 08:49:37 1994'), instant);
  });

  for (const bad of [
    '',
    'now',
    'Sun, 06 Nov 1994 08:49:37 UTC',
    'Sun, 31 Feb 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 24:49:37 GMT',
    'Sun, 06 nov 1994 08:49:37 GMT',
    'Sun, 6 Nov 1994 08:49:37 GMT',
    'Xyz, 06 Nov 1994 08:49:37 GMT',
  ]) {
    test(`"${bad}" is none`, () => assert.equal(parseDate(bad), undefined));
  }

  test('comes back as it went', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799 }), (seconds) => {
        assert.equal(parseDate(formatDate(seconds * 1_000)), seconds * 1_000);
      }),
    );
  });
});
