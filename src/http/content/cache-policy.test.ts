import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { immutableFingerprints } from './cache-policy.ts';

const names: readonly [name: string, isForEver: boolean][] = [
  ['assets/app-BxK3d9aQ.js', true],
  ['assets/app-BxK3d9aQ.js.map', true],
  ['main.3f9ac2d1.chunk.css', true],
  ['chunk-J7QWERT2.js', true],
  ['logo.d41d8cd98f00b204e9800998ecf8427e.svg', true],
  ['index.html', false],
  ['app.js', false],
  ['app', false],
  ['', false],
  // A date, a word, a version, a hash that is the whole name or a folder.
  ['holiday-20240101.jpg', false],
  ['react-DomServer.js', false],
  ['jquery-3.7.1.min.js', false],
  ['3f9ac2d1.js', false],
  ['app-3f9ac2d1/index.html', false],
  ['app-3f9ac2d', false],
  ['app-3f9ac2.js', false],
  [`app-${'a1'.repeat(33)}.js`, false],
];

suite('caches may keep for ever', () => {
  for (const [name, isForEver] of names) {
    test(`${name}: ${isForEver}`, () => {
      assert.equal(
        immutableFingerprints(name),
        isForEver ? 'public, max-age=31536000, immutable' : 'no-cache',
      );
    });
  }
});
