import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { FilesError } from './errors.ts';
import { lockFolder } from './folder-lock.ts';

const MODULE = new URL('./folder-lock.ts', import.meta.url).href;

/** A process that takes the lock, says so, and then stays until killed. */
const HOLDER = `
  const { lockFolder } = await import(${JSON.stringify(MODULE)});
  try {
    await lockFolder(process.argv[1]);
    process.stdout.write('mine');
    setInterval(() => {}, 1e6);
  } catch (error) {
    process.stdout.write(error.code);
  }
`;

async function temporaryFolder(): Promise<{ folder: string } & AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), 'octet-lock-'));
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

async function numbersIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.startsWith('lock.'));
}

/** @returns what it said first */
async function startHolder(folder: string): Promise<{ child: ChildProcess; said: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', HOLDER, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [chunk] = await once(child.stdout as NodeJS.ReadableStream, 'data');
  return { child, said: String(chunk) };
}

/** The signal takes a moment to arrive. */
async function eventually<Value>(attempt: () => Promise<Value>): Promise<Value> {
  for (let left = 1000; ; left--) {
    try {
      return await attempt();
    } catch (error) {
      if (left === 0) throw error;
      await new Promise((resume) => setImmediate(resume));
    }
  }
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

suite('folder lock', () => {
  test('another process holds it, is named, and loses it by kill -9', async () => {
    await using place = await temporaryFolder();
    const { child, said } = await startHolder(place.folder);
    try {
      assert.equal(said, 'mine');
      await assert.rejects(lockFolder(place.folder), (error: unknown) => {
        assert.ok(error instanceof FilesError);
        assert.equal(error.holderPid, child.pid);
        assert.equal(error.message, `${place.folder} is in use by another process (pid ${child.pid})`);
        return true;
      });
    } finally {
      await kill(child);
    }
    const lock = await lockFolder(place.folder);
    await lock.release();
  });

  test('of many processes that find a dead holder, exactly one takes over', async () => {
    await using place = await temporaryFolder();
    const dead = await startHolder(place.folder);
    await kill(dead.child);
    const holders = await Promise.all(Array.from({ length: 4 }, () => startHolder(place.folder)));
    try {
      const said = holders.map((holder) => holder.said).toSorted();
      assert.deepEqual(said, ['locked', 'locked', 'locked', 'mine']);
    } finally {
      for (const { child } of holders) await kill(child);
    }
  });

  const stale: [string, (mine: Record<string, unknown>) => string][] = [
    ['a process that has ended', (mine) => JSON.stringify({ ...mine, pid: 2 ** 22 + 1 })],
    ['an earlier process with the same pid', (mine) => JSON.stringify({ ...mine, started: '1' })],
    ['a process from before the machine restarted', (mine) => JSON.stringify({ ...mine, boot: 'another' })],
    ['a record cut short by a power cut', () => '{"pid":12'],
    ['an empty record', () => ''],
    ['a released record', () => '{}'],
    ['a record of something else', () => '"hello"'],
  ];
  for (const [name, recordOf] of stale) {
    test(`a lock of ${name} is taken over`, { skip: process.platform !== 'linux' }, async () => {
      await using place = await temporaryFolder();
      const first = await lockFolder(place.folder);
      const mine = JSON.parse(await readFile(join(place.folder, 'lock.1'), 'utf8'));
      assert.equal(mine.pid, process.pid);
      await first.release();
      await writeFile(join(place.folder, 'lock.7'), recordOf(mine));
      const lock = await lockFolder(place.folder);
      assert.deepEqual(await numbersIn(place.folder), ['lock.8']);
      await assert.rejects(lockFolder(place.folder), { code: 'locked' });
      await lock.release();
      assert.deepEqual(await readdir(place.folder), ['lock.8']);
    });
  }

  test('between containers, which do not see each other, the socket tells', {
    skip: process.platform !== 'linux',
  }, async () => {
    await using place = await temporaryFolder();
    const { child } = await startHolder(place.folder);
    try {
      const path = join(place.folder, 'lock.1');
      const holder = JSON.parse(await readFile(path, 'utf8'));
      // As a holder in another container looks: its pid means nothing here.
      await writeFile(path, JSON.stringify({ ...holder, pid: 2 ** 22 + 1, namespace: 'pid:[1]' }));
      await assert.rejects(lockFolder(place.folder), {
        code: 'locked',
        holderPid: 2 ** 22 + 1,
        message: `${place.folder} is in use by a process of another container (pid ${2 ** 22 + 1} there)`,
      });
      await kill(child);
      await writeFile(path, JSON.stringify({ ...holder, pid: process.pid, namespace: 'pid:[1]' }));
      const lock = await lockFolder(place.folder);
      assert.deepEqual(await numbersIn(place.folder), ['lock.2']);
      await lock.release();
    } finally {
      await kill(child);
    }
  });

  test('a killed process that nobody has waited for yet holds nothing', {
    skip: process.platform !== 'linux',
  }, async () => {
    await using place = await temporaryFolder();
    // The shell starts the holder, tells its pid, and becomes a program that never waits for it.
    const script = '"$1" --input-type=module -e "$2" "$3" & echo "$!"; exec sleep 1000';
    const args = ['-c', script, 'sh', process.execPath, HOLDER, place.folder];
    const parent = spawn('/bin/sh', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      let said = '';
      for await (const chunk of parent.stdout) {
        said += chunk;
        if (said.includes('mine')) break;
      }
      process.kill(Number.parseInt(said, 10), 'SIGKILL');
      const lock = await eventually(() => lockFolder(place.folder));
      await lock.release();
    } finally {
      await kill(parent);
    }
  });

  test('what killed processes left is removed by the next holder', async () => {
    await using place = await temporaryFolder();
    const { child } = await startHolder(place.folder);
    await kill(child);
    await writeFile(join(place.folder, 'lock-00000000-0000-4000-8000-000000000000.draft'), '{');
    const lock = await lockFolder(place.folder);
    await lock.release();
    assert.deepEqual(await readdir(place.folder), ['lock.2']);
  });

  test('a late comer withdraws when a higher number is there', async () => {
    await using place = await temporaryFolder();
    const held = await lockFolder(place.folder);
    // As if the file of a late comer, who saw an older state of the folder, were still there.
    await writeFile(join(place.folder, 'lock.0'), '{}');
    await assert.rejects(lockFolder(place.folder), { code: 'locked' });
    await held.release();
    const next = await lockFolder(place.folder);
    assert.deepEqual(await numbersIn(place.folder), ['lock.2']);
    await next.release();
  });

  test('releasing after the folder is gone is fine', async () => {
    const place = await temporaryFolder();
    const lock = await lockFolder(place.folder);
    await rm(place.folder, { recursive: true });
    await lock.release();
  });
});
