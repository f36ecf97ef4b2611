/**
 * npm run differential -- [--requests N] [--seed S]
 *
 * Random requests, given to our session, to h11 (Debian package python3-h11) and to llhttp. We may never take what
 * one of the two refuses, and what we take all have to read alike: see compare.ts. The same seed gives the same
 * requests.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { SeededRandom } from '../../src/core/random/seeded-random.ts';
import { compare } from './compare.ts';
import { parseByLlhttp } from './llhttp.ts';
import { parseByUs } from './ours.ts';
import type { Halt, Message, Outcome } from './outcome.ts';
import { randomRequests } from './requests.ts';
import { Tally } from './tally.ts';

const BATCH = 1_000;
const PYTHON = '/usr/bin/python3';

const { values } = parseArgs({
  options: { requests: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' } },
});
process.exitCode = await main(Number(values.requests), Number(values.seed));

async function main(requests: number, seed: number): Promise<number> {
  if (!Number.isSafeInteger(requests) || requests < 1 || !Number.isSafeInteger(seed)) {
    console.error('differential: --requests and --seed are whole numbers');
    return 2;
  }
  const h11 = await startH11();
  if (h11 === undefined) {
    console.log('differential: skipped, needs Debian package python3-h11');
    return 0;
  }
  const random = new SeededRandom(seed);
  const tally = new Tally();
  const startedAt = performance.now();
  for (let left = requests; left > 0; left -= BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, left) }, () =>
      Buffer.from(randomRequests(random), 'latin1'),
    );
    const answer = h11.parse(batch);
    const others = batch.map((bytes) => [parseByUs(bytes), parseByLlhttp(bytes)] as const);
    const byH11 = await answer;
    for (const [at, [ours, llhttp]] of others.entries()) {
      const problem = compare('h11', ours, byH11[at]!) ?? compare('llhttp', ours, llhttp);
      const bothTake =
        byH11[at]!.messages.length > ours.messages.length && llhttp.messages.length > ours.messages.length;
      tally.add(batch[at]!, ours, problem, bothTake);
    }
  }
  h11.stop();
  return tally.report((performance.now() - startedAt) / 1_000, seed);
}

interface H11 {
  parse(batch: readonly Buffer[]): Promise<Outcome[]>;
  stop(): void;
}

/** @returns undefined when this machine has no h11 */
async function startH11(): Promise<H11 | undefined> {
  const has = spawn(PYTHON, ['-c', 'import h11'], { stdio: 'ignore' });
  const [code] = await Promise.race([once(has, 'exit'), once(has, 'error').then(() => [1])]);
  if (code !== 0) return undefined;
  const child: ChildProcess = spawn(PYTHON, [path.join(import.meta.dirname, 'h11-oracle.py')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  return {
    async parse(batch) {
      child.stdin!.write(framed(batch));
      const { value, done } = await lines.next();
      if (done === true) throw new Error('h11 ended');
      return (
        JSON.parse(value) as [[string, string, [string, string][], string][], boolean, Halt | null][]
      ).map(([messages, refused, halt]) => ({
        messages: messages.map(toMessage),
        refused,
        halt: halt ?? undefined,
      }));
    },
    stop: () => void child.stdin!.end(),
  };
}

function toMessage([method, target, fields, content]: [string, string, [string, string][], string]): Message {
  return { method, target, fields, content };
}

function framed(batch: readonly Buffer[]): Buffer {
  const parts: Buffer[] = [uint32(batch.length)];
  for (const bytes of batch) parts.push(uint32(bytes.length), bytes);
  return Buffer.concat(parts);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
