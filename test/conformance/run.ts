/**
 * npm run conformance -- <suite>|all [--update]
 *
 * Suites of others against our code: each file here that exports `run` is one, called by its name or the beginning
 * of it. The data is read in place from `../shared/suites`; where that is absent a suite is skipped.
 *
 * `pass/<suite>.txt` names the cases that passed once. It only grows, with `--update`: a case on it that fails
 * makes the run fail, others do not. A case is taken off by hand, with the reason in the commit.
 */
import { readdirSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { ConformanceResult, Suite } from './suite.ts';

const HERE = import.meta.dirname;
const NOT_SUITES: ReadonlySet<string> = new Set(['run', 'suite']);
const MAX_PRINTED = 40;
const MAX_LINE_LENGTH = 300;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { update: { type: 'boolean', default: false } },
});
process.exitCode = await main(chosen(positionals));

async function main(names: readonly string[]): Promise<number> {
  let passed = 0;
  let total = 0;
  let regressions = 0;
  for (const name of names) {
    const { run } = (await import(`./${name}.ts`)) as { run: Suite };
    const result = await run();
    if (result.total === 0 && result.failures.length > 0) {
      console.log(`${name}: ${result.failures[0]}`);
      continue;
    }
    print(result.failures, (failure) => `  ${name}: ${failure}`);
    regressions += await compare(name, result);
    console.log(`${name}: passed ${result.passed} of ${result.total}`);
    passed += result.passed;
    total += result.total;
  }
  if (names.length > 1) console.log(`all: passed ${passed} of ${total}`);
  return regressions === 0 ? 0 : 1;
}

/** Compares with the pass list of a suite, and adds to it when asked to. @returns how many of the list fail */
async function compare(name: string, { passes, failures }: ConformanceResult): Promise<number> {
  const file = path.join(HERE, 'pass', `${name}.txt`);
  const listed = (await readFile(file, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
  // Of several cases of one name all must pass.
  const failed = (each: string): boolean => failures.some((failure) => failure.startsWith(`${each}: `));
  const passing = new Set(passes.filter((each) => !failed(each)));
  const broken = listed.filter((each) => !passing.has(each));
  print(broken, (each) => `  ${name}: ${each} passed before, and does not now`);
  const added = passing.difference(new Set(listed));
  if (values.update && added.size > 0) {
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, `${[...new Set([...listed, ...added])].sort().join('\n')}\n`);
  } else if (added.size > 0) {
    console.log(`  ${name}: ${added.size} that pass are not on the list; --update puts them there`);
  }
  return broken.length;
}

function print(items: readonly string[], line: (item: string) => string): void {
  for (const item of items.slice(0, MAX_PRINTED)) console.log(line(item).slice(0, MAX_LINE_LENGTH));
  if (items.length > MAX_PRINTED) console.log(`  and ${items.length - MAX_PRINTED} more`);
}

function chosen(words: readonly string[]): string[] {
  const names = readdirSync(HERE)
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => file.slice(0, -'.ts'.length))
    .filter((name) => !NOT_SUITES.has(name))
    .sort();
  if (words.length === 1 && words[0] === 'all') return names;
  const found = words.map((word) => names.find((name) => name === word || name.startsWith(word)));
  if (words.length > 0 && !found.includes(undefined)) return found as string[];
  console.error(`conformance: name a suite: ${names.join(', ')}, or all`);
  process.exit(2);
}
