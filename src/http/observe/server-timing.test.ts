import assert from 'node:assert/strict';
import test from 'node:test';
import { UnsendableError } from '../wire/encode-head.ts';
import { formatServerTiming, type TimingMetric } from './server-timing.ts';

const cases: readonly [metrics: TimingMetric[], value: string][] = [
  [[], ''],
  [[{ name: 'cache' }], 'cache'],
  [
    [
      { name: 'db', durationMs: 53.2, description: 'read "spells" \\ all' },
      { name: 'total', durationMs: 60 },
    ],
    'db;dur=53.2;desc="read \\"spells\\" \\\\ all", total;dur=60'.replace('53.2', '53.200'),
  ],
  [[{ name: 'a', durationMs: 0 }], 'a;dur=0'],
  [[{ name: 'a', durationMs: 0.0004 }], 'a;dur=0'],
  [[{ name: 'a', durationMs: 1e-7 }], 'a;dur=0'],
  [[{ name: 'a', durationMs: 9_007_199_254_740_991 }], 'a;dur=9007199254740991'],
  [[{ name: 'a', description: '' }], 'a;desc=""'],
  [[{ name: 'a', description: 'x;y, z\té' }], 'a;desc="x;y, z\té"'],
];
for (const [metrics, value] of cases)
  test(`timing: ${value}`, () => assert.equal(formatServerTiming(metrics), value));

const refused: readonly TimingMetric[] = [
  { name: '' },
  { name: 'a b' },
  { name: 'a;dur=1' },
  { name: 'a\r\nX: y' },
  { name: 'a', durationMs: -1 },
  { name: 'a', durationMs: Number.NaN },
  { name: 'a', durationMs: Number.POSITIVE_INFINITY },
  { name: 'a', durationMs: 1e21 },
  { name: 'a', description: 'x\r\nX: y' },
  { name: 'a', description: '\0' },
  { name: 'a', description: '😀' },
];
for (const metric of refused)
  test(`timing: no ${JSON.stringify(metric)}`, () =>
    assert.throws(() => formatServerTiming([metric]), UnsendableError));
