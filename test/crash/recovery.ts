/**
 * One start on a long journal: `octet up` fills a table, its stores bounded so widely that they take no checkpoint,
 * and is killed. Then the journal of its database is made as long as asked for, by appending its own records to it
 * again and again, as a database would that is given the same changes again and again: what it holds stays the same.
 * The start that replays all this has to say how far it is, and to find every row.
 */
import { rmSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { systemFiles } from '../../src/core/files/system-files.ts';
import { openFileJournal } from '../../src/core/journal/file-journal.ts';
import { batchesAfter } from '../../src/core/journal/replay.ts';
import type { Journal, JournalWriter } from '../../src/core/journal/types.ts';
import { startWriter } from '../../src/core/journal/writer.ts';
import { systemRandom } from '../../src/core/random/system-random.ts';
import type { OctetInput } from '../../src/octet/config.ts';
import { EPHEMERAL_PORTS, exitOnSignals, startOctetProcess } from '../octet-process.ts';

/** Of about 150 bytes; the more, the less of a replay is spared by changes of one row that follow closely. */
const ROWS = 600_000;
const ROWS_AT_ONCE = 20_000;
/** Nothing is written to the page file before the kill. */
const WIDE_BOUNDS = { dirtyBytes: 2 ** 31, journalBytes: 2 ** 40, checkpointAfterMs: 2 ** 31 - 1 } as const;
/** For a slow machine, or a journal that is longer still. */
const READY_TIMEOUT_MS = 600_000;
/** Of `/proc`, on every Linux. */
const TICKS_PER_SECOND = 100;
/** Records that wait for the disk. */
const WINDOW_BYTES = 32_000_000;
const FINGERPRINT =
  'SELECT count(*)::int AS rows, sum(length(body))::int AS bytes, max(body) AS last FROM long';

/** @returns the exit code */
export async function showRecovery(megabytes: number, seed: number): Promise<number> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'octet-recovery-'));
  exitOnSignals(() => rmSync(folder, { recursive: true, force: true }));
  try {
    const written = await fill(folder, seed);
    const bytes = await lengthen(path.join(folder, 'data/database/store/journal'), megabytes * 1_000_000);
    console.log(`recovery: ${ROWS} rows, ${Math.round(bytes / 1_000_000)} MB of journal`);
    const found = await startAndLook(folder);
    const isSame = JSON.stringify(found) === JSON.stringify(written);
    console.log(isSame ? 'recovery: every row is there' : `recovery: LOST: ${written} became ${found}`);
    return isSame ? 0 : 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const config = (storage: OctetInput['storage']): OctetInput => ({
  ...EPHEMERAL_PORTS,
  services: ['database'],
  storage,
});

async function fill(folder: string, seed: number): Promise<unknown> {
  await using octet = await startOctetProcess(folder, config(WIDE_BOUNDS));
  const client = new pg.Client({ connectionString: octet.env['DATABASE_URL'] });
  await client.connect();
  await client.query('CREATE TABLE long (id bigint PRIMARY KEY, body text NOT NULL)');
  for (let first = 1; first < ROWS; first += ROWS_AT_ONCE) {
    // Keys in no order, and bodies of 100 to 160 characters.
    await client.query(`INSERT INTO long
      SELECT ((n + ${seed}) * 2654435761) % 4294967291, repeat('x', 100 + n % 60) || n
      FROM generate_series(${first}, ${first + ROWS_AT_ONCE - 1}) AS n`);
  }
  const { rows } = await client.query(FINGERPRINT);
  await client.end();
  await octet.kill();
  return rows[0];
}

/** @returns the bytes of the journal */
async function lengthen(folder: string, bytes: number): Promise<number> {
  await using journal = await openFileJournal({ files: systemFiles, folder, random: systemRandom });
  await using writer = await startWriter(journal, { random: systemRandom });
  const { last } = await journal.head();
  while (journal.report().storedBytes < bytes) await repeatUpTo(last.position, journal, writer, bytes);
  return journal.report().storedBytes;
}

async function repeatUpTo(
  position: number,
  journal: Journal,
  writer: JournalWriter,
  bytes: number,
): Promise<void> {
  for await (const batch of batchesAfter(journal, undefined)) {
    if (batch.position > position) return;
    if (batch.kind !== 'data') continue;
    const durable = Promise.all(batch.records.map((record) => writer.propose(record)));
    if (writer.waitingBytes > WINDOW_BYTES || journal.report().storedBytes > bytes) await durable;
  }
  await writer.cut();
}

async function startAndLook(folder: string): Promise<unknown> {
  const startedAtMs = performance.now();
  await using octet = await startOctetProcess(folder, config({}), READY_TIMEOUT_MS);
  const readyMs = Math.round(performance.now() - startedAtMs);
  const cpu = await cpuSeconds(octet.pid);
  for (const line of octet.output.split('\n')) if (line.includes('journal')) console.log(`  ${said(line)}`);
  console.log(
    `recovery: ready in ${readyMs} ms${cpu === undefined ? '' : `, with ${cpu.toFixed(1)} s of CPU`}`,
  );
  const client = new pg.Client({ connectionString: octet.env['DATABASE_URL'] });
  await client.connect();
  const { rows } = await client.query(FINGERPRINT);
  await client.end();
  await octet.kill();
  return rows[0];
}

/** What a process has used until now, where the system tells. */
async function cpuSeconds(pid: number): Promise<number | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // Behind the name, which may hold anything: user and system time are fields 14 and 15 of all.
  const [user, system] = stat?.slice(stat.lastIndexOf(')')).split(' ').slice(12, 14) ?? [];
  return user === undefined ? undefined : (Number(user) + Number(system)) / TICKS_PER_SECOND;
}

/** What a line of the log says. */
function said(line: string): string {
  try {
    const { service, msg } = JSON.parse(line) as { service: string; msg: string };
    return `${service}: ${msg}`;
  } catch {
    return line;
  }
}
