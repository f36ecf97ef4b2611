import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Measurement } from './measure.ts';
import { describeRatios } from './report.ts';

const figure = { rate: 100, cpuMicros: 1 };
const ratio = { median: 1.5, lowest: 1, highest: 2 };
const measurement: Measurement = {
  name: 'read',
  operation: 'read',
  ours: figure,
  peer: figure,
  rate: ratio,
  cpu: ratio,
  rounds: [],
  goalOf: 'rate',
};

function linesOf(goal: Measurement['goal'], goalOf: Measurement['goalOf'] = 'rate'): string[] {
  const measured = goal === undefined ? measurement : { ...measurement, goal, goalOf };
  return describeRatios({ service: 'cache', compared: '', measurements: [measured] }).split('\n');
}

test('a ratio says its goal, that there is none yet, or that there will be none', () => {
  assert.deepEqual(linesOf(undefined), [
    'ratio cache.read.rate: 1.50 (goal: none yet)',
    'ratio cache.read.cpu: 1.50 (goal: none yet)',
    '',
  ]);
  assert.deepEqual(linesOf(0.8), [
    'ratio cache.read.rate: 1.50 (goal: 0.8)',
    'ratio cache.read.cpu: 1.50 (reported)',
    '',
  ]);
  assert.deepEqual(linesOf(0.8, 'cpu').slice(0, 2), [
    'ratio cache.read.rate: 1.50 (reported)',
    'ratio cache.read.cpu: 1.50 (goal: 0.8)',
  ]);
  assert.equal(linesOf('reported')[0], 'ratio cache.read.rate: 1.50 (reported)');
});

test('figures that are no ratios follow, each with whose they are', () => {
  const findings = [
    { name: 'pause', unit: 'ms', values: { with: 1.234, without: 1 }, goal: 'at most 4' },
    { name: 'size', unit: 'bytes', values: { ours: 2 } },
  ];
  assert.equal(
    describeRatios({ service: 'store', compared: '', measurements: [], findings }),
    'figure store.pause: with 1.23, without 1.00 ms (goal: at most 4)\nfigure store.size: ours 2.00 bytes (reported)\n',
  );
});
