import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import fc from 'fast-check';
import { readFilePath, writeFilePath } from './file-path.ts';

/** `a|b` for a file, `a|b|` for a folder, or the status. */
function read(rest: string, dotFiles = false): string | number {
  const path = readFilePath(rest, dotFiles);
  if (path.kind === 'refused') return path.status;
  return path.segments.join('|') + (path.kind === 'folder' ? '|' : '');
}

const paths: readonly [rest: string, path: string | number][] = [
  ['', '|'],
  ['a', 'a'],
  ['a/', 'a|'],
  ['a/b.txt', 'a|b.txt'],
  ['a%20b', 'a b'],
  ['%c3%a9', 'é'],
  ['a...b', 'a...b'],
  ['a%2525', 'a%25'],
  ['a+b', 'a+b'],
  ['com10', 'com10'],
  ['comb', 'comb'],
  ['a~b', 'a~b'],
  ['x'.repeat(255), 'x'.repeat(255)],
  // Dot segments, plain and escaped in every way.
  ['..', 400],
  ['../etc/passwd', 400],
  ['a/../b', 400],
  ['a/..', 400],
  ['./a', 400],
  ['a/.', 400],
  ['%2e%2e/a', 400],
  ['.%2E/a', 400],
  ['%2e/a', 400],
  // Decoded once: this names a file that is called so.
  ['%252e%252e/a', '%2e%2e|a'],
  ['%252fetc', '%2fetc'],
  // Separators that come out of an escape, of either kind.
  ['..%2f..%2fetc%2fpasswd', 404],
  ['a%2Fb', 404],
  ['a%5cb', 404],
  ['a\\b', 404],
  ['..\\..\\a', 404],
  ['%5c%5chost%5cshare', 404],
  // Null, broken escapes, broken and overlong UTF-8.
  ['a%00', 400],
  ['a%00.txt', 400],
  ['%', 400],
  ['%2', 400],
  ['%zz', 400],
  ['%u002e', 400],
  ['%ff', 400],
  ['%c0%ae%c0%ae/a', 400],
  ['%c0%af', 400],
  ['%ed%a0%80', 400],
  // Controls, which a Location or a log would carry on.
  ['a%0d%0aSet-Cookie:x', 404],
  ['a%0a', 404],
  ['a%7f', 404],
  ['a%1b[2J', 404],
  // Absolute.
  ['/etc/passwd', 404],
  ['//evil.example', 404],
  ['a//b', 404],
  ['a//', 404],
  ['C:/windows/win.ini', 404],
  ['C:', 404],
  // Windows: streams, wildcards, devices, what it cuts off, what it calls otherwise.
  ['a.txt::$DATA', 404],
  ['a%3astream', 404],
  ['a*', 404],
  ['a%3f', 404],
  ['a%22', 404],
  ['a%3ca%3e%7c', 404],
  ['con', 404],
  ['CON.txt', 404],
  ['aux.tar.gz', 404],
  ['nul/a', 404],
  ['a/COM1', 404],
  ['lpt%c2%b9.x', 404],
  ['conin$', 404],
  ['con .txt', 404],
  ['a.', 404],
  ['a%20', 404],
  ['a/...', 404],
  ['GIT~1/config', 404],
  ['progra~1', 404],
  // Hidden files.
  ['.env', 404],
  ['.git/config', 404],
  ['a/.htaccess', 404],
  ['%2egit/config', 404],
  ['x'.repeat(256), 404],
  ['é'.repeat(128), 404],
];

suite('the path of a file', () => {
  for (const [rest, expected] of paths) {
    const shown = rest.length > 40 ? `${rest.slice(0, 40)}…` : rest;
    test(`${JSON.stringify(shown)}`, () => assert.equal(read(rest), expected));
  }

  test('hidden files where they are asked for, but never the way up', () => {
    assert.equal(read('.well-known/a', true), '.well-known|a');
    assert.equal(read('../a', true), 400);
    assert.equal(read('...', true), 404);
  });

  test('is written so that it is read the same, and that nothing in it separates', () => {
    const segment = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), (segments) => {
        const written = segments.map(encodeURIComponent).join('/');
        const path = readFilePath(written, false);
        if (path.kind === 'refused') return;
        assert.deepEqual(path.segments, segments);
        assert.equal(writeFilePath(path.segments), written);
        assert.ok(!/[\\\r\n:]|\/\//.test(written));
      }),
    );
  });

  test('whatever comes, what is read stays below: no segment climbs, separates or hides', () => {
    const piece = fc.constantFrom(
      '..',
      '.',
      '%2e',
      '%2f',
      '%5c',
      '/',
      '\\',
      '%',
      '00',
      'a',
      '%25',
      '%c0%af',
      '~1',
      ':',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const path = readFilePath(pieces.join(''), false);
        if (path.kind === 'refused') return;
        for (const segment of path.segments) assert.ok(/^[^./\\:\0][^/\\:\0]*$/.test(segment), segment);
      }),
      { numRuns: 500 },
    );
  });
});
