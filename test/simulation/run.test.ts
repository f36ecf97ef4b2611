import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runPortion, SIMULATIONS } from './simulations.ts';

const RUN = fileURLToPath(new URL('./run.ts', import.meta.url));

interface Ended {
  readonly status: number | null;
  readonly output: string;
  readonly errors: string;
}

function simulate(...args: string[]): Ended {
  const { status, stdout, stderr } = spawnSync(process.execPath, [RUN, ...args], { encoding: 'utf8' });
  return { status, output: stdout, errors: stderr };
}

suite('npm run simulate', () => {
  for (const name of Object.keys(SIMULATIONS)) {
    test(`${name}: a seed is the same world again, whatever ran before`, async () => {
      const portion = { names: [name], first: 40, count: 3, digests: true };
      const once = await runPortion(portion);
      await runPortion({ ...portion, first: 11, count: 2, digests: false });
      const again = await runPortion(portion);
      assert.equal(again.digest, once.digest);
      const other = await runPortion({ ...portion, first: 41 });
      assert.notEqual(other.digest, once.digest);
    });
  }

  test('threads change nothing but the time it takes', () => {
    const one = simulate('--seeds', '90', '--only', 'journal', '--digest', '--threads', '1');
    const two = simulate('--seeds', '90', '--only', 'journal', '--digest', '--threads', '2');
    assert.equal(one.status, 0, one.errors);
    assert.match(one.output, /^simulate: 90 seeds, 0 violations\ndigest [0-9a-f]{64}\n$/);
    assert.equal(two.output, one.output);
    assert.match(two.errors, /90 of 90 seeds, 0 violations/);
  });

  test('what it does not understand it says', () => {
    for (const args of [
      ['--seeds', 'many'],
      ['--only', 'nothing'],
      ['--threads', '-1'],
    ]) {
      const { status, errors } = simulate(...args);
      assert.notEqual(status, 0);
      assert.match(errors, /takes (a whole number|one of)|argument/);
    }
  });
});
