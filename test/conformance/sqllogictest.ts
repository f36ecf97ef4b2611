/**
 * sqllogictest's scripts against our row store, over its own client, with the label `postgresql`. The data is read
 * in place and is no part of this project. A script is one case: it passes when every record in it does.
 */
import { hash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { testHost } from '../../src/core/testing/host.ts';
import { connectDatabase, type DatabaseClient, startDatabase } from '../../src/database/index.ts';
import type { ConformanceResult } from './suite.ts';

const DATA =
  process.env['SQLLOGICTEST'] ?? path.resolve(import.meta.dirname, '../../../shared/suites/sqllogictest');
const LABEL = 'postgresql';
const OPTIONS = { host: '127.0.0.1', port: 0, user: 'octet', password: 'octet', database: 'octet' };

interface Record {
  readonly line: number;
  readonly head: readonly string[];
  readonly sql: string;
  readonly expected: readonly string[];
  /** False when it is meant for other engines. */
  readonly isMeant: boolean;
}

export async function run(): Promise<ConformanceResult> {
  const found = await readdir(DATA, { recursive: true }).catch(() => undefined);
  if (found === undefined)
    return { passed: 0, total: 0, failures: [`skipped: no data at ${DATA}`], passes: [] };
  const results = { passed: 0, total: 0, failures: [] as string[], passes: [] as string[] };
  for (const file of found.filter(isMeant).sort()) {
    const before = results.failures.length;
    await runFile(file, results);
    if (results.failures.length === before) results.passes.push(file);
  }
  return results;
}

/** `index/random` puts a sign before texts, which PostgreSQL refuses too. */
function isMeant(file: string): boolean {
  return file.endsWith('.test') && !file.startsWith(path.join('index', 'random'));
}

async function runFile(
  file: string,
  results: { passed: number; total: number; failures: string[] },
): Promise<void> {
  const records = parseRecords(await readFile(path.join(DATA, file), 'utf8'));
  const host = testHost('database');
  await using database = await startDatabase(OPTIONS, host);
  const url = `postgres://octet:octet@127.0.0.1:${database.endpoints['main']!.port}/octet`;
  await using client = await connectDatabase({ ...host, url, maxConnections: 1 });
  for (const record of records) {
    if (record.head[0] === 'halt' && record.isMeant) return;
    if (!record.isMeant || (record.head[0] !== 'statement' && record.head[0] !== 'query')) continue;
    const problem = await runRecord(record, client);
    results.total++;
    if (problem === undefined) results.passed++;
    else results.failures.push(`${file}: line ${record.line}: ${problem}`);
  }
}

function parseRecords(text: string): Record[] {
  const records: Record[] = [];
  const lines = text.split(/\r?\n/);
  for (let at = 0; at < lines.length; at++) {
    if (lines[at] === '' || lines[at]!.startsWith('#')) continue;
    const start = at;
    let isMeant = true;
    for (; /^(skipif|onlyif) /.test(lines[at] ?? ''); at++) {
      const [condition, engine] = lines[at]!.split(/\s+/);
      if ((engine === LABEL) === (condition === 'skipif')) isMeant = false;
    }
    const head = lines[at]!.replace(/#.*$/, '').trim().split(/\s+/);
    const body: string[] = [];
    while (++at < lines.length && lines[at] !== '') body.push(lines[at]!);
    const divider = body.indexOf('----');
    const sql = body.slice(0, divider < 0 ? body.length : divider).join('\n');
    records.push({
      line: start + 1,
      head,
      sql,
      expected: divider < 0 ? [] : body.slice(divider + 1),
      isMeant,
    });
  }
  return records;
}

/** @returns what is different, or undefined */
async function runRecord(
  { head, sql, expected }: Record,
  client: DatabaseClient,
): Promise<string | undefined> {
  const [kind, argument = '', order = 'nosort'] = head;
  try {
    const { rows } = await client.query(sql);
    if (kind === 'statement') return argument === 'ok' ? undefined : 'should have failed';
    return difference(arrange(rows, argument, order), expected);
  } catch (thrown) {
    if (kind === 'statement' && argument === 'error') return undefined;
    return `${(thrown as { code?: string }).code} ${(thrown as Error).message} in ${sql.slice(0, 120)}`;
  }
}

function arrange(rows: readonly (readonly (string | null)[])[], types: string, order: string): string[] {
  const shown = rows.map((row) => row.map((value, i) => show(value, types[i] ?? 'T')));
  if (order === 'rowsort') shown.sort((a, b) => compare(a.join('\n'), b.join('\n')));
  const values = shown.flat();
  return order === 'valuesort' ? values.sort(compare) : values;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function show(value: string | null, type: string): string {
  if (value === null) return 'NULL';
  if (type === 'I') return value === 't' ? '1' : value === 'f' ? '0' : String(Math.trunc(Number(value)));
  if (type === 'R') return Number(value).toFixed(3);
  return value === '' ? '(empty)' : value.replace(/[^\x20-\x7e]/g, '@');
}

function difference(values: readonly string[], expected: readonly string[]): string | undefined {
  const hashed = /^(\d+) values hashing to ([0-9a-f]{32})$/.exec(expected[0] ?? '');
  if (hashed !== null) {
    const digest = hash('md5', values.map((value) => `${value}\n`).join(''));
    return values.length === Number(hashed[1]) && digest === hashed[2]
      ? undefined
      : `${values.length} values hashing to ${digest}, not ${expected[0]}`;
  }
  const wanted = values.length === expected.length ? expected : expected.flatMap((line) => line.split(/\s+/));
  return values.join('\n') === wanted.join('\n')
    ? undefined
    : `gave ${values.slice(0, 8).join(' ')}, not ${wanted.slice(0, 8).join(' ')}`;
}
