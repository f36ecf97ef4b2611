import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { suite } from 'node:test';
import { type Half, type HalfState, STATES, type Step, TRANSITIONS } from './session-states.ts';

/** The table as Mermaid, but for `fail`, which leads from everywhere to `error`, and steps on the spot. */
function diagram(half: Half): string {
  const arrows = new Map<string, string[]>();
  for (const [from, row] of Object.entries(TRANSITIONS[half])) {
    for (const [step, to] of Object.entries(row)) {
      if (step === 'fail' || (from === to && step !== 'data' && step !== 'informational')) continue;
      const arrow = `  ${from.replace('-', '_')} --> ${to.replace('-', '_')}`;
      arrows.set(arrow, [...(arrows.get(arrow) ?? []), step]);
    }
  }
  const lines = [...arrows].map(([arrow, steps]) => `${arrow}: ${steps.join(', ')}`);
  return ['```mermaid', 'stateDiagram-v2', '  [*] --> idle', ...lines, '```'].join('\n');
}

suite('the states of a connection', () => {
  test('are drawn in the README as they are in the table', () => {
    const readme = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8');
    for (const half of ['request', 'response'] as const) {
      assert.ok(readme.includes(diagram(half)), `README.md lacks this picture:\n${diagram(half)}`);
    }
  });

  test('lead nowhere from a switch, and back from an error never', () => {
    const steps: readonly Step[] = ['request', 'informational', 'head', 'data', 'end', 'switch', 'reuse'];
    for (const half of ['request', 'response'] as const) {
      for (const final of ['switched', 'error', 'closed', 'must-close'] satisfies HalfState[]) {
        for (const step of steps)
          assert.equal(STATES[half][final].after[step], undefined, `${half} ${final} ${step}`);
      }
    }
  });

  test('lead where the table says, and nowhere else', () => {
    for (const half of ['request', 'response'] as const) {
      const led = Object.values(STATES[half]).map(({ name, after }) => {
        const steps = Object.entries(after).filter(([, to]) => to !== undefined);
        return [name, Object.fromEntries(steps.map(([step, to]) => [step, to?.name]))];
      });
      assert.deepEqual(Object.fromEntries(led), TRANSITIONS[half]);
      assert.ok(Object.values(STATES[half]).every((state) => STATES[half][state.name] === state));
    }
  });

  test('are all reached', () => {
    for (const half of ['request', 'response'] as const) {
      const reached = new Set<string>(['idle']);
      for (const row of Object.values(TRANSITIONS[half]))
        for (const to of Object.values(row)) reached.add(to);
      const unused = half === 'request' ? ['awaiting'] : [];
      assert.deepEqual(
        Object.keys(TRANSITIONS[half]).filter((state) => !reached.has(state)),
        unused,
      );
    }
  });
});
