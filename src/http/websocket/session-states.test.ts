import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { suite } from 'node:test';
import { after, type Step, TRANSITIONS, type WebSocketState } from './session-states.ts';

/** The table as Mermaid. */
function diagram(): string {
  const arrows = new Map<string, string[]>();
  for (const [from, row] of Object.entries(TRANSITIONS)) {
    for (const [step, to] of Object.entries(row)) {
      const arrow = `  ${from} --> ${to}`;
      arrows.set(arrow, [...(arrows.get(arrow) ?? []), step]);
    }
  }
  const lines = [...arrows].map(([arrow, steps]) => `${arrow}: ${steps.join(', ')}`);
  return ['```mermaid', 'stateDiagram-v2', '  [*] --> open', ...lines, '```'].join('\n');
}

suite('the states of a WebSocket', () => {
  test('are drawn in the README as they are in the table', () => {
    const readme = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8');
    assert.ok(readme.includes(diagram()), `README.md lacks this picture:\n${diagram()}`);
  });

  test('lead nowhere once it has ended', () => {
    const steps: readonly Step[] = ['receive', 'send', 'close', 'peer-close', 'fail', 'lose'];
    for (const state of ['closed', 'failed', 'lost'] satisfies WebSocketState[])
      for (const step of steps) assert.equal(after(state, step), undefined, `${state} ${step}`);
  });

  test('allow nothing to be sent after our close frame', () => {
    assert.equal(after('closing', 'send'), undefined);
    assert.equal(after('closing', 'close'), undefined);
  });

  test('are all reached', () => {
    const reached = new Set<string>([
      'open',
      ...Object.values(TRANSITIONS).flatMap((row) => Object.values(row)),
    ]);
    assert.deepEqual(
      Object.keys(TRANSITIONS).filter((state) => !reached.has(state)),
      [],
    );
  });
});
