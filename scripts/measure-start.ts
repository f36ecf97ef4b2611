/**
 * `npm run measure`: how long a start takes and how much memory it holds at rest, written into the README.
 *   up          the bundled command in a process of its own, from spawn to its first screen, in a new folder
 *   startOctet  in this process, in memory, after the modules have been loaded once
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startOctet } from '../src/octet.ts';

const ROUNDS = 7;
/** Beside anything that runs on the standard ports. */
const PORT_OFFSET = 13_000;

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

async function measureUp(): Promise<{ readyMs: number; residentMiB: number }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'octet-measure-'));
  const startedAtMs = performance.now();
  const child = spawn(
    process.execPath,
    ['dist/octet.mjs', 'up', '--data-dir', folder, '--port-offset', String(PORT_OFFSET)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`octet up ended with ${code}`)));
  });
  const readyMs = performance.now() - startedAtMs;
  // At rest: what start-up left behind has been collected, nothing is asked of it.
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
  const residentKiB = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
  child.kill('SIGTERM');
  await exited;
  await rm(folder, { recursive: true, force: true });
  return { readyMs, residentMiB: residentKiB / 1024 };
}

async function measureEmbedded(): Promise<number> {
  const startedAtMs = performance.now();
  const octet = await startOctet();
  const readyMs = performance.now() - startedAtMs;
  await octet.close();
  return readyMs;
}

const ups: { readyMs: number; residentMiB: number }[] = [];
for (let round = 0; round < ROUNDS; round++) ups.push(await measureUp());
await measureEmbedded();
const embedded: number[] = [];
for (let round = 0; round < ROUNDS; round++) embedded.push(await measureEmbedded());

const readyMs = median(ups.map((up) => up.readyMs));
const residentMiB = median(ups.map((up) => up.residentMiB));
const embeddedMs = median(embedded);
const table = [
  `Medians of ${ROUNDS} runs on two shared cores, Node ${process.versions.node}:`,
  '',
  '| | |',
  '|---|---|',
  `| \`octet up\` from the bundle, spawn to all services ready | ${readyMs.toFixed(0)} ms |`,
  `| its resident memory at rest | ${residentMiB.toFixed(0)} MiB |`,
  `| \`startOctet()\` in a test, modules loaded | ${embeddedMs.toFixed(0)} ms |`,
].join('\n');
console.log(table);

const readme = await readFile('README.md', 'utf8');
const from = readme.indexOf('<!-- measured:');
const start = readme.indexOf('\n', from) + 1;
const end = readme.indexOf('<!-- /measured -->');
await writeFile('README.md', `${readme.slice(0, start)}${table}\n${readme.slice(end)}`);

const failures = [
  readyMs > 1_000 && 'octet up takes over 1 s',
  embeddedMs > 300 && 'startOctet takes over 300 ms',
].filter(Boolean);
for (const failure of failures) console.error(`measure: ${failure}`);
