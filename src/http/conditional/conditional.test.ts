import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import type { HeaderList } from '../types.ts';
import { formatDate } from '../wire/date.ts';
import { Fields } from '../wire/fields.ts';
import { evaluateConditions, ifRangeHolds, type Validators } from './conditional.ts';

const changed = Date.UTC(2026, 5, 1, 12, 0, 0, 500);
const same = formatDate(changed);
const before = formatDate(changed - 60_000);
const later = formatDate(changed + 60_000);
const now: Validators = { etag: '"a"', lastModifiedMs: changed };

const cases: readonly [
  method: string,
  headers: HeaderList,
  now: Validators,
  outcome: 'proceed' | 304 | 412,
][] = [
  ['GET', [], now, 'proceed'],
  ['PUT', [['If-Match', '"a"']], now, 'proceed'],
  ['PUT', [['If-Match', '"x", "a"']], now, 'proceed'],
  ['PUT', [['If-Match', '"x"']], now, 412],
  ['PUT', [['If-Match', 'W/"a"']], now, 412],
  ['PUT', [['If-Match', '"w"']], { etag: 'W/"w"' }, 412],
  ['PUT', [['If-Match', '*']], now, 'proceed'],
  ['PUT', [['If-Match', '*']], { exists: false }, 412],
  ['PUT', [['If-Match', 'nonsense']], now, 412],
  // A tag has no space, and `*` stands alone.
  ['PUT', [['If-Match', '"x y", "a"']], now, 412],
  ['PUT', [['If-Match', '*, "x"']], now, 412],
  ['PUT', [['If-Match', 'w/"a"']], now, 412],
  ['PUT', [['If-Match', '"a']], now, 412],
  ['PUT', [['If-Match', '']], now, 412],
  [
    'PUT',
    [
      ['If-Match', '"x"'],
      ['If-Match', '"a"'],
    ],
    now,
    'proceed',
  ],
  ['GET', [['If-None-Match', '"a"']], now, 304],
  ['HEAD', [['If-None-Match', 'W/"a"']], now, 304],
  ['GET', [['If-None-Match', '"x", W/"a"']], now, 304],
  ['GET', [['If-None-Match', '"x"']], now, 'proceed'],
  ['PUT', [['If-None-Match', '"a"']], now, 412],
  ['PUT', [['If-None-Match', '*']], now, 412],
  ['PUT', [['If-None-Match', '*']], { exists: false }, 'proceed'],
  ['GET', [['If-Modified-Since', same]], now, 304],
  ['GET', [['If-Modified-Since', later]], now, 304],
  ['GET', [['If-Modified-Since', before]], now, 'proceed'],
  ['GET', [['If-Modified-Since', 'yesterday']], now, 'proceed'],
  ['GET', [['If-Modified-Since', same]], { etag: '"a"' }, 'proceed'],
  [
    'GET',
    [
      ['If-Modified-Since', same],
      ['If-Modified-Since', same],
    ],
    now,
    'proceed',
  ],
  ['HEAD', [['If-None-Match', '*']], now, 304],
  ['GET', [['If-None-Match', '"a"']], { lastModifiedMs: changed }, 'proceed'],
  ['DELETE', [['If-None-Match', 'W/"a"']], now, 412],
  ['OPTIONS', [['If-Match', '"x"']], now, 'proceed'],
  ['OPTIONS', [['If-None-Match', '*']], now, 'proceed'],
  ['GET', [['If-Unmodified-Since', before]], now, 412],
  ['PUT', [['If-Unmodified-Since', 'yesterday']], now, 'proceed'],
  ['PUT', [['If-Unmodified-Since', before]], { exists: false }, 'proceed'],
  ['PUT', [['If-Modified-Since', same]], now, 'proceed'],
  ['PUT', [['If-Unmodified-Since', same]], now, 'proceed'],
  ['PUT', [['If-Unmodified-Since', before]], now, 412],
  // The tag decides; the date beside it is not looked at.
  [
    'GET',
    [
      ['If-None-Match', '"x"'],
      ['If-Modified-Since', same],
    ],
    now,
    'proceed',
  ],
  [
    'PUT',
    [
      ['If-Match', '"a"'],
      ['If-Unmodified-Since', before],
    ],
    now,
    'proceed',
  ],
  // Both steps count, the first first.
  [
    'GET',
    [
      ['If-Match', '"x"'],
      ['If-None-Match', '"a"'],
    ],
    now,
    412,
  ],
  [
    'GET',
    [
      ['If-Match', '"a"'],
      ['If-None-Match', '"a"'],
    ],
    now,
    304,
  ],
];

suite('conditions', () => {
  for (const [method, headers, validators, outcome] of cases) {
    test(`${method} ${JSON.stringify(headers)} → ${outcome}`, () => {
      assert.equal(evaluateConditions({ method, headers: Fields.from(headers) }, validators), outcome);
    });
  }

  test('If-Range needs a strong tag or the exact date', () => {
    const holds = (value: string, validators: Validators): boolean =>
      ifRangeHolds(Fields.from([['If-Range', value]]), validators);
    assert.equal(ifRangeHolds(Fields.from([]), now), true);
    assert.equal(holds('"a"', now), true);
    assert.equal(holds('"b"', now), false);
    assert.equal(holds('W/"a"', { etag: 'W/"a"' }), false);
    assert.equal(holds(same, now), true);
    assert.equal(holds(later, now), false);
  });

  test('a date of less than a second ago is no strong validator', () => {
    const holds = (nowMs: number): boolean =>
      ifRangeHolds(Fields.from([['If-Range', same]]), { lastModifiedMs: changed, nowMs });
    assert.equal(holds(changed), false);
    assert.equal(holds(changed + 499), false);
    assert.equal(holds(changed + 500), true);
  });
});
