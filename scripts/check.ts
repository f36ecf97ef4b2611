/** `npm run check`: types, lint, import rules and unit tests; stops at the first that fails. */
import { spawnSync } from 'node:child_process';

const steps: readonly [name: string, command: string, args: string[]][] = [
  ['types', 'tsc', ['-p', '.']],
  ['lint', 'biome', ['ci', '--error-on-warnings', ...(process.stdout.isTTY ? [] : ['--colors=off']), '.']],
  ['tidy', process.execPath, ['scripts/tidy.ts']],
  ['unit tests', process.execPath, ['scripts/run-tests.ts', 'unit']],
];

for (const [name, command, args] of steps) {
  const startedAt = performance.now();
  const result = spawnSync(command, args, { stdio: 'inherit', shell: process.platform === 'win32' });
  if (result.status !== 0) {
    console.error(`check: ${name} failed`);
    process.exit(result.status ?? 1);
  }
  console.log(`check: ${name} ok, ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
}
