/**
 * Runs one kind of tests with node:test.
 *   unit         beside the code and the scripts, all in one process (so no module may keep state)
 *   integration  whole services and unmodified clients, one process per file
 *   browser      pages of a real Chromium, skipped where there is none
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';

const kinds: Readonly<Record<string, { patterns: string[]; flags: string[] }>> = {
  unit: {
    patterns: [
      'src/**/*.test.ts',
      'scripts/**/*.test.ts',
      'test/{crash,power-cut}/**/*.test.ts',
      'bench/**/*.test.ts',
    ],
    flags: ['--test-isolation=none'],
  },
  browser: {
    patterns: ['test/browser/**/*.test.ts'],
    flags: ['--test-concurrency=1'],
  },
  integration: {
    patterns: ['test/integration/**/*.test.ts', 'test/simulation/**/*.test.ts'],
    flags: ['--test-concurrency=2'],
  },
};

const [kindName = 'unit', ...rest] = process.argv.slice(2);
const kind = kinds[kindName];
if (kind === undefined) {
  console.error(`run-tests: no kind "${kindName}"; there are ${Object.keys(kinds).join(', ')}`);
  process.exit(2);
}
// The peers of the benchmarks, once installed, bring tests of their own.
const files = globSync(kind.patterns, { exclude: ['**/node_modules/**'] }).sort();
if (files.length === 0) {
  console.error(`run-tests: no ${kindName} tests found`);
  process.exit(1);
}
// A test that hangs must end by itself: what it waits for will not come.
const flags = [
  '--test',
  ...kind.flags,
  '--test-timeout=120000',
  `--test-reporter=${process.env['TEST_REPORTER'] ?? './scripts/reporter.ts'}`,
  '--test-reporter-destination=stdout',
];
const result = spawnSync(process.execPath, [...flags, ...rest, ...files], { stdio: 'inherit' });
process.exit(result.status ?? 1);
