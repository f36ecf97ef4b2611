/**
 * The command cases of resp-compatibility (cts.json) for servers of version 7.2, against our cache. The data is
 * read in place and is no part of this project.
 *
 * A case is a list of commands, each a line, and the replies expected. As in the suite's own runner a database
 * is emptied before each case, replies whose order is open are sorted, and coordinates are compared as numbers.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type CacheClient, CacheError, connectCache, type Reply, startCache } from '../../src/cache/index.ts';
import { splitInline } from '../../src/cache/wire/inline.ts';
import { testHost } from '../../src/core/testing/host.ts';
import type { ConformanceResult } from './suite.ts';

const DATA =
  process.env['RESP_COMPATIBILITY'] ??
  path.resolve(import.meta.dirname, '../../../shared/suites/resp-compatibility/cts.json');

const VERSION = [7, 2, 0] as const;

interface Case {
  readonly name: string;
  readonly command: readonly string[];
  readonly result: readonly unknown[];
  readonly since: string;
  readonly tags?: string;
  readonly skipped?: boolean;
  readonly sort_result?: boolean;
  readonly float_result?: boolean;
  readonly command_binary?: boolean;
}

export async function run(): Promise<ConformanceResult> {
  const text = await readFile(DATA, 'utf8').catch(() => undefined);
  if (text === undefined)
    return { passed: 0, total: 0, failures: [`skipped: no data at ${DATA}`], passes: [] };
  const cases = (JSON.parse(text) as Case[]).filter(isMeant);
  const host = testHost('cache');
  await using cache = await startCache({ port: 0 }, host);
  const { address, port } = cache.endpoints['main']!;
  const url = `redis://${address}:${port}`;
  const failures: string[] = [];
  const passes: string[] = [];
  for (const each of cases) {
    cache.flush();
    const client = await connectCache({ ...host, url, encoding: 'latin1', reconnect: false });
    // The expected replies are those of RESP2.
    await client.command('HELLO', 2);
    const failure = await runCase(client, each);
    if (failure === undefined) passes.push(each.name);
    else failures.push(`${each.name}: ${failure}`);
    await client.close();
  }
  return { passed: cases.length - failures.length, total: cases.length, failures, passes };
}

/** For a single node, and not of a later version. Cases for clusters repeat those for a single node. */
function isMeant({ since, tags, skipped }: Case): boolean {
  if (skipped || tags === 'cluster') return false;
  const version = since.split('.').map(Number);
  for (let i = 0; i < VERSION.length; i++) {
    if (version[i]! !== VERSION[i]!) return version[i]! < VERSION[i]!;
  }
  return true;
}

async function runCase(client: CacheClient, each: Case): Promise<string | undefined> {
  for (const [i, line] of each.command.entries()) {
    const args = each.command_binary ? binaryArguments(line) : (splitInline(line) ?? [line]);
    const reply = await client.command(...(args as [string])).catch((error: unknown) => {
      if (error instanceof CacheError) return error.message;
      throw error;
    });
    if (!isSame(each, reply, each.result[i])) {
      return `${line}: expected ${JSON.stringify(each.result[i])}, got ${show(reply)}`;
    }
  }
  return undefined;
}

/** The suite escapes bytes within words that are otherwise separated by blanks. */
function binaryArguments(line: string): string[] {
  const words = line.includes('"') ? splitInline(line) : undefined;
  return words ?? line.split(' ').map((word) => splitInline(`"${word}"`)?.[0] ?? word);
}

function isSame(each: Case, reply: Reply, expected: unknown): boolean {
  if (each.float_result && Array.isArray(expected)) return isClose(reply, expected);
  if (each.sort_result && Array.isArray(expected)) return show(sorted(reply)) === show(sorted(expected));
  return show(reply) === show(expected);
}

function isClose(reply: unknown, expected: unknown): boolean {
  if (Array.isArray(expected)) {
    if (!Array.isArray(reply) || reply.length !== expected.length) return false;
    return expected.every((item, i) => isClose(reply[i], item));
  }
  if (reply === expected) return true;
  const [a, b] = [Number(reply), Number(expected)];
  return reply !== null && expected !== null && Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b));
}

function sorted(value: unknown): unknown {
  return Array.isArray(value) ? value.map(sorted).map(show).sort() : value;
}

function show(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? inner.toString() : inner));
}
