import assert from 'node:assert/strict';
import test from 'node:test';
import { resolveReference } from './reference.ts';

/** RFC 3986 sections 5.4.1 and 5.4.2, with http for a scheme that it has no rule for. */
const EXAMPLES: readonly (readonly [string, string])[] = [
  ['g:h', 'g:h'],
  ['g', 'http://a/b/c/g'],
  ['./g', 'http://a/b/c/g'],
  ['g/', 'http://a/b/c/g/'],
  ['/g', 'http://a/g'],
  ['//g', 'http://g'],
  ['?y', 'http://a/b/c/d;p?y'],
  ['g?y', 'http://a/b/c/g?y'],
  ['#s', 'http://a/b/c/d;p?q#s'],
  ['g#s', 'http://a/b/c/g#s'],
  ['g?y#s', 'http://a/b/c/g?y#s'],
  [';x', 'http://a/b/c/;x'],
  ['g;x', 'http://a/b/c/g;x'],
  ['g;x?y#s', 'http://a/b/c/g;x?y#s'],
  ['', 'http://a/b/c/d;p?q'],
  ['.', 'http://a/b/c/'],
  ['./', 'http://a/b/c/'],
  ['..', 'http://a/b/'],
  ['../', 'http://a/b/'],
  ['../g', 'http://a/b/g'],
  ['../..', 'http://a/'],
  ['../../', 'http://a/'],
  ['../../g', 'http://a/g'],
  ['../../../g', 'http://a/g'],
  ['../../../../g', 'http://a/g'],
  ['/./g', 'http://a/g'],
  ['/../g', 'http://a/g'],
  ['g.', 'http://a/b/c/g.'],
  ['.g', 'http://a/b/c/.g'],
  ['g..', 'http://a/b/c/g..'],
  ['..g', 'http://a/b/c/..g'],
  ['./../g', 'http://a/b/g'],
  ['./g/.', 'http://a/b/c/g/'],
  ['g/./h', 'http://a/b/c/g/h'],
  ['g/../h', 'http://a/b/c/h'],
  ['g;x=1/./y', 'http://a/b/c/g;x=1/y'],
  ['g;x=1/../y', 'http://a/b/c/y'],
  ['g?y/./x', 'http://a/b/c/g?y/./x'],
  ['g#s/../x', 'http://a/b/c/g#s/../x'],
];

test('references resolve as in RFC 3986 section 5.4', () => {
  for (const [reference, target] of EXAMPLES)
    assert.equal(resolveReference('http://a/b/c/d;p?q', reference), target, reference);
});

test('a base without a path, and what an absolute reference keeps', () => {
  assert.equal(resolveReference('http://a', 'g'), 'http://a/g');
  assert.equal(resolveReference('http://a?x=/y', 'g'), 'http://a/g');
  assert.equal(resolveReference('http://a/b?x=/y', 'g'), 'http://a/g');
  assert.equal(resolveReference('https://a/b', '//h/c'), 'https://h/c');
  assert.equal(resolveReference('http://a/b', 'https://h/x/../y//%2F'), 'https://h/x/../y//%2F');
});
