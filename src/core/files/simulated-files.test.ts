import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { SeededRandom } from '../random/seeded-random.ts';
import { filesContract } from '../testing/files-contract.ts';
import { SimulatedClock } from '../time/simulated-clock.ts';
import type { Files } from './files.ts';
import { type CallInfo, type Fault, SimulatedDisk } from './simulated-files.ts';

filesContract('simulated', async () => {
  const { files } = new SimulatedDisk({ random: new SeededRandom(1) });
  await files.makeFolder('/data');
  return { files, folder: '/data', [Symbol.asyncDispose]: async () => {} };
});

const SEEDS = 200;
const SECTOR = 512;

function diskOf(seed: number, capacityBytes?: number): SimulatedDisk {
  const random = new SeededRandom(seed);
  return new SimulatedDisk(capacityBytes === undefined ? { random } : { random, capacityBytes });
}

async function put(files: Files, path: string, content: Uint8Array, sync = true): Promise<void> {
  const file = await files.open(path, 'open');
  await file.write(0, content);
  if (sync) await file.sync();
  await file.close();
}

async function get(files: Files, path: string): Promise<Buffer> {
  const file = await files.open(path, 'read');
  const into = Buffer.alloc(file.size());
  await file.read(0, into);
  await file.close();
  return into;
}

/** Fails calls of this kind with `code`. */
function failing(call: CallInfo['call'], code: string): (info: CallInfo) => Fault | undefined {
  return (info) => (info.call === call ? { code } : undefined);
}

/** Cuts the power so many microtasks from now. */
async function cutAfter(disk: SimulatedDisk, microtasks: number): Promise<void> {
  for (let count = 0; count < microtasks; count++) await undefined;
  disk.powerCut();
}

suite('simulated disk', () => {
  test('what is synced, under a name that is synced, survives every power cut', async () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const disk = diskOf(seed);
      const content = new SeededRandom(seed).bytes(3000);
      await disk.files.makeFolder('/a/b');
      await put(disk.files, '/a/b/f', content);
      await disk.files.syncFolder('/a/b');
      for (let cut = 0; cut < 3; cut++) {
        disk.powerCut();
        assert.ok((await get(disk.files, '/a/b/f')).equals(content));
      }
    }
  });

  test('what is written through survives every power cut, with what was written before; a failed one may not', async () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const disk = diskOf(seed);
      await disk.files.makeFolder('/a');
      await put(disk.files, '/a/f', Buffer.alloc(2000, 'o'));
      await disk.files.syncFolder('/a');
      const file = await disk.files.open('/a/f', 'write');
      file.writeSync(0, Buffer.from('before'));
      await file.writeThrough(1500, Buffer.from('through'));
      disk.inject = failing(seed % 2 === 0 ? 'write' : 'sync', 'EIO');
      assert.throws(() => file.writeThrough(600, Buffer.alloc(1, 'n')), {
        code: 'EIO',
        syscall: seed % 2 === 0 ? 'write' : 'sync',
      });
      disk.inject = undefined;
      disk.powerCut();
      const left = await get(disk.files, '/a/f');
      assert.equal(left.toString('latin1', 0, 7), 'beforeo');
      assert.equal(left.toString('latin1', 1499, 1508), 'othrougho');
      assert.match(left.toString('latin1', 600, 601), /o|n/);
    }
  });

  test('unsynced sectors are old or new one by one, and every mixture comes up', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < SEEDS; seed++) {
      const disk = diskOf(seed);
      await put(disk.files, '/f', Buffer.alloc(3 * SECTOR, 'o'));
      await disk.files.syncFolder('/');
      await put(disk.files, '/f', Buffer.alloc(3 * SECTOR, 'n'), false);
      disk.powerCut();
      const left = await get(disk.files, '/f');
      const letters = [0, 1, 2].map((sector) =>
        left.toString('latin1', sector * SECTOR, (sector + 1) * SECTOR),
      );
      for (const letter of letters) assert.match(letter, /^(o{512}|n{512})$/);
      seen.add(letters.map((letter) => letter[0]).join(''));
    }
    assert.equal(seen.size, 8, [...seen].join(' '));
  });

  test('of several unsynced versions of a sector any may be left', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < SEEDS; seed++) {
      const disk = diskOf(seed);
      await put(disk.files, '/f', Buffer.from('0'));
      await disk.files.syncFolder('/');
      for (const text of ['1', '2', '3']) await put(disk.files, '/f', Buffer.from(text), false);
      disk.powerCut();
      seen.add((await get(disk.files, '/f')).toString());
    }
    assert.deepEqual([...seen].sort(), ['0', '1', '2', '3']);
  });

  test('growth may be lost, kept, or kept without its bytes', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < SEEDS; seed++) {
      const disk = diskOf(seed);
      await put(disk.files, '/f', Buffer.from('old'));
      await disk.files.syncFolder('/');
      const file = await disk.files.open('/f', 'write');
      await file.write(SECTOR, Buffer.from('new'));
      disk.powerCut();
      const left = await get(disk.files, '/f');
      assert.equal(left.toString('latin1', 0, 3), 'old');
      if (left.length === 3) seen.add('lost');
      else if (left.length === SECTOR + 3)
        seen.add(left.toString('latin1', SECTOR) === 'new' ? 'kept' : 'hollow');
      else seen.add('partly');
    }
    assert.deepEqual([...seen].sort(), ['hollow', 'kept', 'lost', 'partly']);
  });

  test('names made, renamed or removed are certain only after syncFolder', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < SEEDS; seed++) {
      const disk = diskOf(seed);
      await disk.files.makeFolder('/d');
      await put(disk.files, '/d/kept', Buffer.from('k'));
      await put(disk.files, '/d/draft', Buffer.from('new'));
      await put(disk.files, '/d/target', Buffer.from('old'));
      await disk.files.syncFolder('/d');
      await disk.files.rename('/d/draft', '/d/target');
      await disk.files.remove('/d/kept');
      await put(disk.files, '/d/made', Buffer.from('m'));
      disk.powerCut();
      const names = await disk.files.list('/d');
      assert.ok(names.includes('target'));
      const target = (await get(disk.files, '/d/target')).toString();
      assert.equal(target, names.includes('draft') ? 'old' : 'new');
      seen.add(names.join(' '));
    }
    assert.equal(seen.size, 8, [...seen].join('; '));
  });

  test('a name that moved to another folder is in one of them or in both', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < SEEDS; seed++) {
      const disk = diskOf(seed);
      await disk.files.makeFolder('/a');
      await disk.files.makeFolder('/b');
      await put(disk.files, '/a/f', Buffer.from('x'));
      await disk.files.syncFolder('/a');
      await disk.files.rename('/a/f', '/b/f');
      if (seed % 3 === 1) await disk.files.syncFolder('/a');
      if (seed % 3 === 2) await disk.files.syncFolder('/b');
      disk.powerCut();
      const left = [await disk.files.stat('/a/f'), await disk.files.stat('/b/f')].map(
        (info) => info !== undefined,
      );
      seen.add(`${seed % 3} ${left.join(' ')}`);
    }
    const expected = ['0 false true', '0 true false', '1 false true', '2 false true', '2 true true'];
    assert.deepEqual([...seen].sort(), expected);
  });

  test('a failed sync loses bytes that the process still sees, and the next sync does not save them', async () => {
    let lost = 0;
    for (let seed = 0; seed < SEEDS; seed++) {
      const disk = diskOf(seed);
      await put(disk.files, '/f', Buffer.from('old'));
      await disk.files.syncFolder('/');
      disk.inject = failing('sync', 'EIO');
      await assert.rejects(put(disk.files, '/f', Buffer.from('new')), { code: 'EIO' });
      disk.inject = undefined;
      const file = await disk.files.open('/f', 'write');
      await file.sync();
      disk.kill();
      assert.equal((await get(disk.files, '/f')).toString(), 'new');
      disk.powerCut();
      if ((await get(disk.files, '/f')).toString() === 'old') lost += 1;
    }
    assert.ok(lost > SEEDS / 4 && lost < SEEDS, `lost ${lost} of ${SEEDS}`);
  });

  test('a full disk writes a part and fails; space made is space again', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const disk = diskOf(seed, 1000);
      await put(disk.files, '/a', Buffer.alloc(600));
      const file = await disk.files.open('/b', 'create');
      await assert.rejects(file.write(0, Buffer.alloc(500)), { code: 'ENOSPC' });
      assert.ok(file.size() < 500);
      await disk.files.remove('/a');
      await file.write(0, Buffer.alloc(500));
      await assert.rejects(file.write(500, Buffer.alloc(501)), { code: 'ENOSPC' });
      await file.write(0, Buffer.alloc(500, 'overwriting needs no space'));
    }
  });

  test('the nth call can be made to fail, or to be the last of its process', async () => {
    const disk = diskOf(1);
    disk.inject = ({ number }) => (number === 2 ? { code: 'EIO' } : undefined);
    await disk.files.makeFolder('/a');
    await assert.rejects(disk.files.makeFolder('/b'), { code: 'EIO' });
    await disk.files.makeFolder('/c');
    assert.equal(disk.calls, 3);
    assert.deepEqual(await disk.files.list('/'), ['a', 'c']);

    const old = disk.files;
    let returned = false;
    disk.inject = ({ call }) => (call === 'stat' ? 'power-cut' : undefined);
    void old.stat('/a').then(() => {
      returned = true;
    });
    for (let turn = 0; turn < 10; turn++) await new Promise((resume) => setImmediate(resume));
    assert.equal(returned, false);
    assert.notEqual(disk.files, old);
    assert.deepEqual(await disk.files.list('/'), ['a', 'c']);
  });

  test('a power cut at any moment comes before a sync or after it, never between its effect and its answer', async () => {
    const ends = new Set<string>();
    for (let seed = 0; seed < 160; seed++) {
      const disk = diskOf(seed);
      await put(disk.files, '/f', Buffer.from('old'));
      await disk.files.syncFolder('/');
      const file = await disk.files.open('/f', 'write');
      await file.write(0, Buffer.from('new'));
      disk.inject = ({ call }) => {
        if (call === 'sync') void cutAfter(disk, seed % 8);
        return undefined;
      };
      let answered = false;
      void file.sync().then(() => {
        answered = true;
      });
      for (let turn = 0; turn < 10; turn++) await new Promise((resume) => setImmediate(resume));
      disk.inject = undefined;
      const left = (await get(disk.files, '/f')).toString();
      if (answered) assert.equal(left, 'new');
      ends.add(`${answered} ${left}`);
    }
    assert.ok(ends.has('true new'));
  });

  test('a kill ends locks and handles and keeps what was written', async () => {
    const disk = diskOf(1);
    await disk.files.makeFolder('/d');
    await disk.files.lock('/d');
    const file = await disk.files.open('/d/f', 'create');
    await file.write(0, Buffer.from('unsynced'));
    await assert.rejects(disk.files.lock('/d'), { code: 'locked' });
    disk.kill();
    await disk.files.lock('/d');
    assert.equal((await get(disk.files, '/d/f')).toString(), 'unsynced');
    assert.throws(() => file.readSync(0, Buffer.alloc(1)), /gone/);
  });

  test('rot changes one bit, for now and for later', async () => {
    const disk = diskOf(5);
    await put(disk.files, '/f', Buffer.from('abc'));
    await disk.files.syncFolder('/');
    disk.rot('/f', 1);
    const rotten = await get(disk.files, '/f');
    assert.notEqual(rotten[1], 'b'.charCodeAt(0));
    disk.powerCut();
    assert.ok((await get(disk.files, '/f')).equals(rotten));
  });

  test('the same seed gives the same end', async () => {
    const ends: string[] = [];
    for (let round = 0; round < 2; round++) {
      const disk = diskOf(42);
      await put(disk.files, '/f', Buffer.alloc(100 * SECTOR, 'o'));
      await disk.files.syncFolder('/');
      await put(disk.files, '/f', Buffer.alloc(120 * SECTOR, 'n'), false);
      disk.powerCut();
      ends.push((await get(disk.files, '/f')).toString('latin1'));
    }
    assert.equal(ends[0], ends[1]);
  });
});

/** The disk does this at every such call. */
function deceiving(
  deceit: 'misdirect' | 'flip' | 'lie',
  call: CallInfo['call'],
): (info: CallInfo) => Fault | undefined {
  return (info) => (info.call === call ? deceit : undefined);
}

suite('simulated disk: a disk that deceives', () => {
  test('a misdirected write is seen as written, and after a power cut found over other sectors', async () => {
    const ends = new Set<string>();
    for (let seed = 0; seed < SEEDS; seed++) {
      const disk = diskOf(seed);
      await put(disk.files, '/a', Buffer.alloc(4 * SECTOR, 'a'));
      await put(disk.files, '/b', Buffer.alloc(4 * SECTOR, 'b'));
      await disk.files.syncFolder('/');
      disk.inject = deceiving('misdirect', 'write');
      await put(disk.files, '/a', Buffer.alloc(SECTOR, 'n'));
      disk.inject = undefined;
      const expected = `${'n'.repeat(SECTOR)}${'a'.repeat(3 * SECTOR)}`;
      assert.equal((await get(disk.files, '/a')).toString(), expected);
      disk.powerCut();
      const letters = ['/a', '/b'].map(async (path) => {
        const left = await get(disk.files, path);
        assert.equal(left.length, 4 * SECTOR);
        return [0, 1, 2, 3]
          .map((sector) => left.toString('latin1', sector * SECTOR, sector * SECTOR + 1))
          .join('');
      });
      ends.add((await Promise.all(letters)).join(' '));
    }
    const elsewhere = ['aaaa bbbb', 'anaa bbbb', 'aana bbbb', 'aaan bbbb', 'naaa bbbb'];
    const other = ['aaaa nbbb', 'aaaa bnbb', 'aaaa bbnb', 'aaaa bbbn'];
    assert.deepEqual([...ends].sort(), [...elsewhere, ...other].sort());
  });

  test('a sector that was misdirected is whole again when it is written again', async () => {
    const disk = diskOf(3);
    await put(disk.files, '/a', Buffer.alloc(SECTOR, 'o'));
    await disk.files.syncFolder('/');
    disk.inject = deceiving('misdirect', 'write');
    await put(disk.files, '/a', Buffer.from('first '));
    disk.inject = undefined;
    const file = await disk.files.open('/a', 'write');
    await file.write(6, Buffer.from('second'));
    await file.sync();
    disk.powerCut();
    assert.equal((await get(disk.files, '/a')).toString('latin1', 0, 13), 'first secondo');
  });

  test('a flipped bit is on the media, and not before the eyes of the process', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const disk = diskOf(seed);
      const content = new SeededRandom(seed).bytes(3 * SECTOR);
      disk.inject = deceiving('flip', 'write');
      await put(disk.files, '/f', content);
      await disk.files.syncFolder('/');
      disk.inject = undefined;
      assert.ok((await get(disk.files, '/f')).equals(content));
      disk.powerCut();
      const left = await get(disk.files, '/f');
      let bits = 0;
      for (const [index, byte] of left.entries())
        for (let rest = byte ^ (content[index] ?? 0); rest !== 0; rest &= rest - 1) bits += 1;
      assert.equal(bits, 1);
    }
  });

  test('a lying sync saves nothing, and the next honest one saves it', async () => {
    const ends: string[] = [];
    for (const honest of [false, true]) {
      for (let seed = 0; seed < 20; seed++) {
        const disk = diskOf(seed);
        await put(disk.files, '/f', Buffer.from('old'));
        await disk.files.syncFolder('/');
        disk.inject = deceiving('lie', 'sync');
        await put(disk.files, '/f', Buffer.from('new'));
        disk.inject = undefined;
        if (honest) await put(disk.files, '/f', Buffer.alloc(0));
        disk.powerCut();
        ends.push(`${honest} ${(await get(disk.files, '/f')).toString()}`);
      }
    }
    assert.deepEqual([...new Set(ends)].sort(), ['false new', 'false old', 'true new']);
  });

  test('a lying sync of a folder saves no name', async () => {
    const lost = new Set<boolean>();
    for (let seed = 0; seed < 20; seed++) {
      const disk = diskOf(seed);
      await put(disk.files, '/f', Buffer.from('x'));
      disk.inject = deceiving('lie', 'syncFolder');
      await disk.files.syncFolder('/');
      disk.inject = undefined;
      disk.powerCut();
      lost.add((await disk.files.stat('/f')) === undefined);
    }
    assert.deepEqual([...lost].sort(), [false, true]);
  });

  test('a deceit at a call that it cannot befall changes nothing', async () => {
    const disk = diskOf(1);
    disk.inject = deceiving('lie', 'write');
    await put(disk.files, '/f', Buffer.from('x'));
    disk.inject = deceiving('misdirect', 'syncFolder');
    await disk.files.syncFolder('/');
    disk.powerCut();
    assert.equal((await get(disk.files, '/f')).toString(), 'x');
  });

  test('rot somewhere names the place', async () => {
    const disk = diskOf(1);
    assert.equal(disk.rotSomewhere(), undefined);
    await disk.files.makeFolder('/d');
    await put(disk.files, '/d/f', Buffer.alloc(10));
    const offset = Number(/^\/d\/f, offset (\d)$/.exec(disk.rotSomewhere() ?? '')?.[1]);
    const left = await get(disk.files, '/d/f');
    assert.ok((left[offset] ?? 0) !== 0);
  });
});

suite('simulated disk: time', () => {
  test('with a clock a call takes its time', async () => {
    const clock = new SimulatedClock();
    const disk = new SimulatedDisk({ random: new SeededRandom(1), latency: { clock, maxMs: 10 } });
    const took: number[] = [];
    for (let call = 0; call < 50; call++) {
      const startMs = clock.monotonic();
      const done = disk.files.stat('/').then(() => took.push(clock.monotonic() - startMs));
      await clock.advance(20);
      await done;
    }
    assert.ok(took.every((ms) => ms >= 0 && ms <= 20));
    assert.ok(new Set(took).size > 1);
  });

  test('who observes is told of the calls, the bytes and the cuts', async () => {
    const seen: string[] = [];
    const disk = new SimulatedDisk({ random: new SeededRandom(1), observe: (what) => seen.push(what) });
    await put(disk.files, '/f', Buffer.from('x'));
    disk.powerCut();
    assert.deepEqual(seen, ['open /f', 'write /f', 'wrote 0 2363233923', 'sync /f', 'power cut']);
  });
});
