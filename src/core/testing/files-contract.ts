/**
 * What every implementation of `Files` must do, run against each of them: what our code may rely on when it
 * is handed "some files".
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { FilesError } from '../files/errors.ts';
import type { Files, OpenMode } from '../files/files.ts';

export interface FilesUnderTest extends AsyncDisposable {
  readonly files: Files;
  /** An existing, empty folder. */
  readonly folder: string;
}

export function filesContract(name: string, make: () => Promise<FilesUnderTest>): void {
  suite(`files contract: ${name}`, () => {
    openModes(make);
    readingAndWriting(make);
    names(make);
    folders(make);
    locks(make);
  });
}

type Make = () => Promise<FilesUnderTest>;

async function put(files: Files, path: string, text: string): Promise<void> {
  const file = await files.open(path, 'open');
  await file.truncate(0);
  await file.write(0, Buffer.from(text));
  await file.close();
}

async function get(files: Files, path: string): Promise<string> {
  const file = await files.open(path, 'read');
  const into = Buffer.alloc(file.size());
  assert.equal(await file.read(0, into), into.length);
  await file.close();
  return into.toString();
}

function openModes(make: Make): void {
  const cases: [OpenMode, 'missing' | 'present', string][] = [
    ['read', 'missing', 'ENOENT'],
    ['read', 'present', 'old'],
    ['write', 'missing', 'ENOENT'],
    ['write', 'present', 'old'],
    ['create', 'missing', ''],
    ['create', 'present', 'EEXIST'],
    ['open', 'missing', ''],
    ['open', 'present', 'old'],
  ];
  for (const [mode, state, expected] of cases) {
    test(`open '${mode}' of a ${state} file: ${expected || 'empty'}`, async () => {
      await using subject = await make();
      const { files, folder } = subject;
      if (state === 'present') await put(files, `${folder}/f`, 'old');
      if (expected.startsWith('E')) {
        await assert.rejects(files.open(`${folder}/f`, mode), { code: expected });
        return;
      }
      const file = await files.open(`${folder}/f`, mode);
      assert.equal(file.path, `${folder}/f`);
      assert.equal(file.size(), expected.length);
      await file.close();
      assert.equal(await get(files, `${folder}/f`), expected);
    });
  }

  test('opening in a missing folder, or a folder itself, fails', async () => {
    await using subject = await make();
    const { files, folder } = subject;
    for (const mode of ['read', 'write', 'create', 'open'] as const) {
      await assert.rejects(files.open(`${folder}/missing/f`, mode), { code: 'ENOENT' });
    }
    await assert.rejects(files.open(folder, 'read'), { code: 'EISDIR' });
  });

  test('a file opened for reading refuses writes; a closed one refuses all', async () => {
    await using subject = await make();
    const { files, folder } = subject;
    await put(files, `${folder}/f`, 'text');
    const file = await files.open(`${folder}/f`, 'read');
    await assert.rejects(file.write(0, Buffer.from('x')));
    await assert.rejects(file.truncate(0));
    await file.close();
    await assert.rejects(file.read(0, Buffer.alloc(1)), { code: 'EBADF' });
    await assert.rejects(file.sync(), { code: 'EBADF' });
    await assert.rejects(file.sync('little'), { code: 'EBADF' });
    assert.throws(() => file.readSync(0, Buffer.alloc(1)));
    assert.throws(() => file.writeSync(0, Buffer.from('x')));
    assert.throws(() => file.writeThrough(0, Buffer.from('x')));
    assert.equal(await get(files, `${folder}/f`), 'text');
  });
}

function readingAndWriting(make: Make): void {
  test('a write at once is like any other', async () => {
    await using subject = await make();
    const file = await subject.files.open(`${subject.folder}/f`, 'create');
    file.writeSync(0, Buffer.from('0123456789'));
    file.writeSync(12, Buffer.from('cd'));
    await file.write(10, Buffer.from('ab'));
    assert.equal(file.size(), 14);
    await file.sync();
    await file.close();
    assert.equal(await get(subject.files, `${subject.folder}/f`), '0123456789abcd');
  });

  test('a sync of little is a sync', async () => {
    await using subject = await make();
    const file = await subject.files.open(`${subject.folder}/f`, 'create');
    for (let count = 0; count < 100; count++) {
      file.writeSync(count, Buffer.from('x'));
      await file.sync('little');
    }
    await Promise.all([file.sync('little'), file.sync(), file.sync('little')]);
    await file.close();
    assert.equal(await get(subject.files, `${subject.folder}/f`), 'x'.repeat(100));
  });

  test('a write through is a write, beside others', async () => {
    await using subject = await make();
    const file = await subject.files.open(`${subject.folder}/f`, 'create');
    await file.write(0, Buffer.from('.'.repeat(100)));
    assert.equal(typeof file.isQuick, 'boolean');
    for (let count = 0; count < 100; count += 2) await file.writeThrough(count, Buffer.from('x'));
    file.writeSync(99, Buffer.from('y'));
    await Promise.all([file.sync(), file.writeThrough(97, Buffer.from('z'))]);
    await file.close();
    assert.equal(await get(subject.files, `${subject.folder}/f`), `${'x.'.repeat(48)}xzxy`);
  });

  test('closing waits for what is under way', async () => {
    await using subject = await make();
    const file = await subject.files.open(`${subject.folder}/f`, 'create');
    const written = file.write(0, Buffer.from('text'));
    const synced = file.sync();
    await file.close();
    await Promise.all([written, synced]);
    assert.equal(await get(subject.files, `${subject.folder}/f`), 'text');
  });

  test('reads return what was written, short only at the end', async () => {
    await using subject = await make();
    const file = await subject.files.open(`${subject.folder}/f`, 'create');
    await file.write(0, Buffer.from('0123456789'));
    await file.write(4, Buffer.from('xy'));
    assert.equal(file.size(), 10);
    for (const read of [file.read.bind(file), async (at: number, into: Buffer) => file.readSync(at, into)]) {
      const into = Buffer.alloc(4);
      assert.equal(await read(3, into), 4);
      assert.equal(into.toString(), '3xy6');
      assert.equal(await read(8, into), 2);
      assert.equal(into.toString('latin1', 0, 2), '89');
      assert.equal(await read(10, into), 0);
      assert.equal(await read(1000, into), 0);
      assert.equal(await read(0, Buffer.alloc(0)), 0);
    }
    await file.close();
  });

  test('a write past the end fills the gap with zeros', async () => {
    await using subject = await make();
    const file = await subject.files.open(`${subject.folder}/f`, 'create');
    await file.write(0, Buffer.from('a'));
    await file.write(2000, Buffer.from('b'));
    assert.equal(file.size(), 2001);
    const into = Buffer.alloc(2001, 0xff);
    assert.equal(await file.read(0, into), 2001);
    assert.deepEqual(into, Buffer.concat([Buffer.from('a'), Buffer.alloc(1999), Buffer.from('b')]));
    await file.close();
  });

  test('truncate shrinks and grows; what comes back is zeros', async () => {
    await using subject = await make();
    const file = await subject.files.open(`${subject.folder}/f`, 'create');
    await file.write(0, Buffer.from('secret'));
    await file.truncate(2);
    assert.equal(file.size(), 2);
    await file.truncate(5);
    assert.equal(file.size(), 5);
    await file.sync();
    await file.close();
    assert.equal(await get(subject.files, `${subject.folder}/f`), 'se\0\0\0');
  });

  test('the writer may reuse its buffer after the write, and two handles see one file', async () => {
    await using subject = await make();
    const { files, folder } = subject;
    const one = await files.open(`${folder}/f`, 'create');
    const two = await files.open(`${folder}/f`, 'read');
    const bytes = Buffer.from('first');
    await one.write(0, bytes);
    bytes.fill(0);
    const into = Buffer.alloc(5);
    assert.equal(two.readSync(0, into), 5);
    assert.equal(into.toString(), 'first');
    await one.close();
    await two.close();
  });

  test('a large write arrives whole', async () => {
    await using subject = await make();
    const file = await subject.files.open(`${subject.folder}/f`, 'create');
    const bytes = Buffer.alloc(3_000_000);
    for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE(at, at);
    await file.write(7, bytes);
    await file.sync();
    const into = Buffer.alloc(bytes.length);
    assert.equal(await file.read(7, into), bytes.length);
    assert.ok(into.equals(bytes));
    await file.close();
  });
}

function names(make: Make): void {
  test('stat tells size and kind, and undefined when missing', async () => {
    await using subject = await make();
    const { files, folder } = subject;
    await put(files, `${folder}/f`, 'four');
    assert.partialDeepStrictEqual(await files.stat(`${folder}/f`), {
      sizeBytes: 4,
      isFolder: false,
      isFile: true,
    });
    assert.partialDeepStrictEqual(await files.stat(folder), { sizeBytes: 0, isFolder: true, isFile: false });
    assert.equal(await files.stat(`${folder}/missing`), undefined);
    assert.equal(await files.stat(`${folder}/f/below-a-file`), undefined);
  });

  test('a file keeps its identity under a new name and has none in common with another', async () => {
    await using subject = await make();
    const { files, folder } = subject;
    await put(files, `${folder}/a`, 'one');
    await put(files, `${folder}/b`, 'two');
    const [a, b] = [await files.stat(`${folder}/a`), await files.stat(`${folder}/b`)];
    assert.notEqual(a?.identity, b?.identity);
    await files.rename(`${folder}/a`, `${folder}/b`);
    assert.equal((await files.stat(`${folder}/b`))?.identity, a?.identity);
  });

  test('an open file tells what it is, not what its name leads to since', async () => {
    await using subject = await make();
    const { files, folder } = subject;
    await put(files, `${folder}/f`, 'old');
    await put(files, `${folder}/g`, 'newer');
    const before = await files.stat(`${folder}/f`);
    const file = await files.open(`${folder}/f`, 'read');
    await files.rename(`${folder}/g`, `${folder}/f`);
    assert.deepEqual(file.info(), before);
    assert.notEqual((await files.stat(`${folder}/f`))?.identity, before?.identity);
    await file.close();
  });

  test('a change of the content never makes a file older', async () => {
    await using subject = await make();
    const { files, folder } = subject;
    await put(files, `${folder}/f`, 'old');
    const before = await files.stat(`${folder}/f`);
    await put(files, `${folder}/f`, 'new');
    const after = await files.stat(`${folder}/f`);
    assert.ok(before !== undefined && after !== undefined && after.modifiedMs >= before.modifiedMs);
    assert.ok(after.modifiedMs > 0);
  });

  test('realPath is one name for all spellings of a path', async () => {
    await using subject = await make();
    const { files, folder } = subject;
    await files.makeFolder(`${folder}/a/b`);
    await put(files, `${folder}/a/f`, '');
    const real = await files.realPath(`${folder}/a/f`);
    assert.ok(real?.endsWith('/a/f'));
    for (const spelling of ['/a/b/../f', '//a///f', '/./a/f', '/a/b/../../a/./f']) {
      assert.equal(await files.realPath(folder + spelling), real);
    }
    assert.equal(await files.realPath(`${folder}/missing`), undefined);
    assert.equal(await files.realPath(`${folder}/a/f/below-a-file`), undefined);
  });

  test('rename replaces its target, and an open file follows', async () => {
    await using subject = await make();
    const { files, folder } = subject;
    await put(files, `${folder}/a`, 'new');
    await put(files, `${folder}/b`, 'old');
    const old = await files.open(`${folder}/b`, 'read');
    const moved = await files.open(`${folder}/a`, 'write');
    await files.rename(`${folder}/a`, `${folder}/b`);
    await moved.write(3, Buffer.from('er'));
    assert.equal(await get(files, `${folder}/b`), 'newer');
    assert.equal(await files.stat(`${folder}/a`), undefined);
    const into = Buffer.alloc(3);
    assert.equal(await old.read(0, into), 3);
    assert.equal(into.toString(), 'old');
    await old.close();
    await moved.close();
    await assert.rejects(files.rename(`${folder}/a`, `${folder}/c`), { code: 'ENOENT' });
  });

  test('remove takes the name; who has the file open keeps it; missing is fine', async () => {
    await using subject = await make();
    const { files, folder } = subject;
    await put(files, `${folder}/f`, 'kept');
    const file = await files.open(`${folder}/f`, 'read');
    await files.remove(`${folder}/f`);
    await files.remove(`${folder}/f`);
    await files.remove(`${folder}/missing/f`);
    assert.deepEqual(await files.list(folder), []);
    const into = Buffer.alloc(4);
    assert.equal(await file.read(0, into), 4);
    assert.equal(into.toString(), 'kept');
    await file.close();
  });
}

function folders(make: Make): void {
  test('makeFolder makes all of a path, twice is fine, and not over a file', async () => {
    await using subject = await make();
    const { files, folder } = subject;
    await files.makeFolder(`${folder}/a/b/c`);
    await files.makeFolder(`${folder}/a/b/c`);
    await put(files, `${folder}/a/f`, '');
    assert.deepEqual(await files.list(`${folder}/a`), ['b', 'f']);
    await assert.rejects(files.makeFolder(`${folder}/a/f`), { code: 'EEXIST' });
  });

  test('list is sorted, and empty for a missing folder', async () => {
    await using subject = await make();
    const { files, folder } = subject;
    for (const name of ['b', 'a', 'c', 'B', '10', '9']) await put(files, `${folder}/${name}`, '');
    assert.deepEqual(await files.list(folder), ['10', '9', 'B', 'a', 'b', 'c']);
    assert.deepEqual(await files.list(`${folder}/missing`), []);
  });

  test('removeFolder removes all below, and missing is fine', async () => {
    await using subject = await make();
    const { files, folder } = subject;
    await files.makeFolder(`${folder}/a/b`);
    await put(files, `${folder}/a/b/f`, 'x');
    await files.removeFolder(`${folder}/a`);
    await files.removeFolder(`${folder}/a`);
    assert.equal(await files.stat(`${folder}/a`), undefined);
  });

  test('syncFolder works on a folder and fails on a missing one', async () => {
    await using subject = await make();
    await subject.files.syncFolder(subject.folder);
    if (process.platform === 'win32') return;
    await assert.rejects(subject.files.syncFolder(`${subject.folder}/missing`), { code: 'ENOENT' });
  });
}

function locks(make: Make): void {
  test('a lock is held by one, names its holder, and can be taken again after release', async () => {
    await using subject = await make();
    const { files, folder } = subject;
    for (let round = 0; round < 3; round++) {
      const lock = await files.lock(folder);
      await assert.rejects(files.lock(folder), (error: unknown) => {
        assert.ok(error instanceof FilesError);
        assert.equal(error.code, 'locked');
        assert.equal(error.holderPid, process.pid);
        assert.match(error.message, new RegExp(`pid ${process.pid}`));
        return true;
      });
      await lock.release();
      await lock.release();
    }
  });

  test('locks of different folders do not meet', async () => {
    await using subject = await make();
    const { files, folder } = subject;
    await files.makeFolder(`${folder}/a`);
    await files.makeFolder(`${folder}/b`);
    const a = await files.lock(`${folder}/a`);
    const b = await files.lock(`${folder}/b`);
    await a.release();
    await b.release();
  });

  test('of many at once, exactly one gets the lock', async () => {
    await using subject = await make();
    const { files, folder } = subject;
    for (let round = 0; round < 5; round++) {
      const results = await Promise.allSettled(Array.from({ length: 8 }, () => files.lock(folder)));
      const won = results.filter((result) => result.status === 'fulfilled');
      assert.equal(won.length, 1);
      await won[0]?.value.release();
    }
  });

  test('locking a missing folder fails', async () => {
    await using subject = await make();
    await assert.rejects(subject.files.lock(`${subject.folder}/missing`), { code: 'ENOENT' });
  });
}
