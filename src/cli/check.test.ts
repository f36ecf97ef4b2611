/** `octet check` and `octet salvage` on folders as `octet up` lays them out. */
import assert from 'node:assert/strict';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { openBlobs } from '../core/blobs/blobs.ts';
import { systemFiles } from '../core/files/system-files.ts';
import { SeededRandom } from '../core/random/seeded-random.ts';
import { PAGE_BYTES } from '../core/store/limits.ts';
import { openStore } from '../core/store/store.ts';
import type { Change, Store } from '../core/store/types.ts';
import { SimulatedClock } from '../core/time/simulated-clock.ts';
import { EXIT } from './exit.ts';
import { LongRun } from './long-run.ts';
import { main } from './main.ts';

class Home implements AsyncDisposable {
  readonly path: string;

  private constructor(folder: string) {
    this.path = folder;
  }

  static async create(): Promise<Home> {
    return new Home(await mkdtemp(path.join(tmpdir(), 'octet-check-')));
  }

  at(...names: string[]): string {
    return path.join(this.path, ...names);
  }

  openStore(name: string): Promise<Store> {
    const random = new SeededRandom(name.length);
    return openStore({ files: systemFiles, folder: this.at(name), clock: new SimulatedClock(), random });
  }

  /** A data folder with the parts of two services. @returns the path of a blob */
  async fill(): Promise<string> {
    for (const name of ['data/queue/store', 'data/database/store']) {
      const store = await this.openStore(name);
      for (let round = 0; round < 3; round += 1) {
        await store.commit(puts(round, 200));
        await store.checkpoint();
      }
      await store.close();
    }
    const folder = this.at('data/queue/blobs');
    const blobs = await openBlobs({ files: systemFiles, folder, random: new SeededRandom(4) });
    const writer = await blobs.create();
    await writer.write(Buffer.alloc(100_000, 'b'));
    const { id } = await writer.finish();
    await blobs.close();
    return path.join(folder, id.slice(8, 10), `${id}.blob`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.path, { recursive: true });
  }
}

function puts(round: number, keys: number): Change[] {
  return Array.from({ length: keys }, (_, index) => ({
    kind: 'put',
    tree: 'rows',
    key: Buffer.from(`k${index}`),
    value: Buffer.alloc(100, round),
  }));
}

async function flip(file: string, at: number): Promise<void> {
  const bytes = await readFile(file);
  bytes[at]! ^= 1;
  await writeFile(file, bytes);
}

interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function octet(context: TestContext, ...words: string[]): Promise<Said> {
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    context.mock.method(process[stream], 'write', (text: string) => {
      said[stream] += text;
      return true;
    });
  }
  try {
    return { code: await main(words), ...said };
  } finally {
    context.mock.restoreAll();
  }
}

suite('octet check', () => {
  test('a sound data folder: a line for each part, and 0', async (context) => {
    await using home = await Home.create();
    await home.fill();
    const { code, stdout, stderr } = await octet(context, 'check', home.at('data'));
    assert.equal(code, EXIT.ok);
    assert.equal(stderr, '');
    const lines = stdout.trimEnd().split('\n');
    assert.equal(lines.length, 3);
    assert.match(
      lines[0]!,
      /^database\/store: sound \(roots \d+ and \d+, \d+ pages, \d+ batches in 1 segments/,
    );
    assert.equal(lines[1], 'queue/blobs: sound (1 blobs of 100000 bytes)');
    assert.match(lines[2]!, /^queue\/store: sound/);
  });

  test('damage: a line with its place, and 1; as JSON the same', async (context) => {
    await using home = await Home.create();
    const blob = await home.fill();
    await flip(blob, 70_000);
    const pages = home.at('data/queue/store/pages');
    await flip(pages, 100);
    const journal = home.at('data/database/store/journal/0000000000000001.segment');
    await flip(journal, 300);
    const { code, stdout } = await octet(context, 'check', home.at('data'));
    assert.equal(code, EXIT.failed);
    assert.match(stdout, /^database\/store: DAMAGED .*\n! .*segment, offset \d+, position \d+: wrong CRC$/m);
    assert.match(stdout, new RegExp(`^! ${blob}, offset 65540: chunk 1: wrong CRC$`, 'm'));
    const root = 'this root is damaged: its checksum is wrong';
    assert.match(stdout, new RegExp(`^! ${pages}, page 0, offset 0: ${root}$`, 'm'));

    const json = await octet(context, 'check', '--json', home.at('data'));
    assert.equal(json.code, EXIT.failed);
    const { isSound, checked } = JSON.parse(json.stdout);
    assert.equal(isSound, false);
    assert.deepEqual(
      checked.map(({ name, findings }: { name: string; findings: unknown[] }) => [name, findings.length]),
      [
        ['database/store', 1],
        ['queue/blobs', 1],
        ['queue/store', 1],
      ],
    );
    assert.deepEqual(checked[2].findings, [{ path: pages, page: 0, offset: 0, what: root }]);
  });

  test('one store, one journal, one folder of blobs', async (context) => {
    await using home = await Home.create();
    await home.fill();
    for (const part of ['store', 'store/journal', 'blobs']) {
      const { code, stdout } = await octet(context, 'check', home.at('data/queue', part));
      assert.equal(code, EXIT.ok);
      assert.match(stdout, /^\.: sound \(/);
    }
  });

  test('what a killed process leaves is a note', async (context) => {
    await using home = await Home.create();
    await home.fill();
    await using store = await home.openStore('data/queue/store');
    await store.commit(puts(9, 1));
    await cp(home.at('data/queue/store'), home.at('killed'), {
      recursive: true,
      filter: (name) => !path.basename(name).startsWith('lock'),
    });
    const journal = home.at('killed/journal/0000000000000001.segment');
    const whole = await readFile(journal);
    const end = whole.findLastIndex((byte) => byte !== 0);
    await writeFile(journal, whole.subarray(0, end - 50));
    const { code, stdout } = await octet(context, 'check', home.at('killed'));
    assert.equal(code, EXIT.ok, stdout);
    const note = 'an append did not come to its end, and is cut off by the next start';
    assert.match(stdout, new RegExp(`^  ${note}: .*, offset \\d+, position \\d+: the file ends within`, 'm'));
  });

  test('a folder in use is refused with what to do, and looked at with --running', async (context) => {
    await using home = await Home.create();
    await home.fill();
    const store = await home.openStore('data/queue/store');
    const refused = await octet(context, 'check', home.at('data'));
    assert.equal(refused.code, EXIT.locked);
    assert.match(
      refused.stderr,
      /^octet: check: .*queue\/store is in use by .*\n {7}stop that process, or .* --running\n$/,
    );
    const looked = await octet(context, 'check', '--running', home.at('data'));
    assert.equal(looked.code, EXIT.ok);
    assert.match(looked.stdout, /^queue\/store: sound \(roots \d+, /m);
    await store.close();
  });

  test('what an interrupted salvage or restore has left is passed over', async (context) => {
    await using home = await Home.create();
    await home.fill();
    for (const name of ['store.draft-0a1b2c3d', 'store.unfinished']) {
      await systemFiles.makeFolder(home.at('data/queue', name, 'journal'));
      await writeFile(home.at('data/queue', name, 'pages'), 'half');
    }
    const { code, stdout } = await octet(context, 'check', home.at('data'));
    assert.equal(code, EXIT.ok, stdout);
    assert.equal(stdout.trimEnd().split('\n').length, 3);
  });

  test('no folder, and nothing in it: wrong usage', async (context) => {
    await using home = await Home.create();
    for (const folder of [home.at('nowhere'), home.path]) {
      for (const words of [
        ['check', folder],
        ['salvage', folder, '--to', home.at('new')],
      ]) {
        const { code, stderr } = await octet(context, ...words);
        assert.equal(code, EXIT.usage);
        assert.match(stderr, /there is no (folder|store and no blob in) \//);
      }
    }
  });
});

suite('octet salvage', () => {
  test('a sound folder is complete, and the new one is a data folder', async (context) => {
    await using home = await Home.create();
    await home.fill();
    const { code, stdout } = await octet(context, 'salvage', home.at('data'), '--to', home.at('new'));
    assert.equal(code, EXIT.ok, stdout);
    assert.match(stdout, /^queue\/blobs: complete$/m);
    assert.match(stdout, /^ {2}tree "rows": 200 keys$/m);
    assert.match(stdout, /new: complete\n$/);
    const again = await octet(context, 'check', home.at('new'));
    assert.equal(again.code, EXIT.ok, again.stdout);
    assert.deepEqual((await readdir(home.path)).sort(), ['data', 'new']);
    const store = await home.openStore('new/database/store');
    assert.equal([...store.range('rows')].length, 200);
    await store.close();
  });

  test('what is lost is listed, and the exit code says so', async (context) => {
    await using home = await Home.create();
    const blob = await home.fill();
    await flip(blob, 5);
    await rm(home.at('data/queue/store/journal'), { recursive: true });
    const pages = home.at('data/queue/store/pages');
    const bytes = await readFile(pages);
    for (let page = 2; page * PAGE_BYTES < bytes.length; page += 1) {
      // Every leaf: the highest bit of the kind is no part of it.
      if ((bytes[page * PAGE_BYTES + 12]! & 0x7f) === 2) await flip(pages, page * PAGE_BYTES + 5_000);
    }
    const { code, stdout } = await octet(context, 'salvage', home.at('data'), '--to', home.at('new'));
    assert.equal(code, EXIT.failed);
    assert.match(stdout, /^queue\/blobs: NOT COMPLETE\n {2}0 blobs of 0 bytes copied\n! 1 blobs are lost$/m);
    assert.match(stdout, /^! lost trees with names from the beginning to the end \(.*page \d+.*\)$/m);
    assert.match(stdout, /new: NOT COMPLETE, the lines with ! say what is lost or in doubt\n$/);

    const json = await octet(context, 'salvage', home.at('data'), '--to', home.at('other'), '--json');
    assert.equal(json.code, EXIT.failed);
    const { isComplete, parts } = JSON.parse(json.stdout);
    assert.equal(isComplete, false);
    assert.deepEqual(
      parts.map(({ kind, name }: { kind: string; name: string }) => [kind, name]),
      [
        ['store', 'database/store'],
        ['blobs', 'queue/blobs'],
        ['store', 'queue/store'],
      ],
    );
    assert.equal(parts[0].account.isComplete, true);
    assert.ok(parts[2].account.losses.some(({ kind }: { kind: string }) => kind === 'trees'));
  });

  test('it writes only where nothing is: not over a folder, not into the damaged one', async (context) => {
    await using home = await Home.create();
    await home.fill();
    const data = home.at('data');
    const targets: [string, RegExp][] = [
      [data, /lies in the damaged folder/],
      [home.at('data/new'), /lies in the damaged folder/],
      [home.path, /is there already/],
    ];
    for (const [to, says] of targets) {
      const { code, stderr } = await octet(context, 'salvage', data, '--to', to);
      assert.equal(code, EXIT.usage);
      assert.match(stderr, says);
    }
    await systemFiles.makeFolder(home.at('new.unfinished'));
    const left = await octet(context, 'salvage', data, '--to', home.at('new'));
    assert.equal(left.code, EXIT.usage);
    assert.match(left.stderr, /new\.unfinished is there from an earlier salvage\n {7}remove it first/);
    const alone = await octet(context, 'salvage', home.at('data/queue/store/journal'), '--to', home.at('j'));
    assert.equal(alone.code, EXIT.usage);
    assert.match(alone.stderr, /is a journal alone/);
    assert.deepEqual((await readdir(home.path)).sort(), ['data', 'new.unfinished']);
    assert.equal((await octet(context, 'salvage', data)).code, EXIT.usage);
  });

  test('a folder in use is refused, and the new one does not get its name', async (context) => {
    await using home = await Home.create();
    await home.fill();
    const store = await home.openStore('data/database/store');
    const { code, stderr } = await octet(context, 'salvage', home.at('data'), '--to', home.at('new'));
    assert.equal(code, EXIT.locked);
    assert.match(stderr, /is in use by/);
    assert.deepEqual(await readdir(home.path), ['data']);
    await store.close();
  });
});

test('a long run shows how far it is on a terminal, and takes the line away', () => {
  const lines: string[] = [];
  const write = (text: string) => lines.push(text) > 0;
  const run = new LongRun({ isTTY: true, write });
  run.begin('checking a');
  run.add(10_000_000);
  assert.deepEqual(lines, []);
  run.add(10_000_000);
  assert.deepEqual(lines, ['\rchecking a: 19 MiB read']);
  run.begin('checking b');
  const all = ['\rchecking a: 19 MiB read', '\r\u001b[K'];
  assert.deepEqual(lines, all);
  // What was counted for a does not count for b.
  run.add(10_000_000);
  run.clear();
  assert.deepEqual(lines, all);
  const silent = new LongRun({ isTTY: false, write: () => assert.fail('nobody looks') });
  silent.begin('x');
  silent.add(100_000_000);
  silent.clear();
});
