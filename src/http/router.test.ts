import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { createRouter, RouteError } from './router.ts';
import type { Handler } from './types.ts';

const none: Handler = () => ({ status: 204 });

function found(method: string, path: string): string {
  const match = router.find(method, path);
  if (match.kind === 'wrong-method') return `405 ${match.allow.join(' ')}`;
  return match.kind === 'found' ? `${match.pattern} ${JSON.stringify(match.params)}` : match.kind;
}

const router = createRouter();
for (const pattern of [
  '/',
  '/a',
  '/a/',
  '/a/b',
  '/a/:x',
  '/a/:x/c',
  '/a/b/:y/d',
  '/files/*key',
  '/files/fixed',
  '/:one/:two/end',
]) {
  router.add('GET', pattern, none);
}
router.add('POST', '/a/b', none).add('PUT', '/a/:x', none);

const cases: readonly [method: string, path: string, outcome: string][] = [
  ['GET', '/', '/ {}'],
  ['GET', '/a', '/a {}'],
  ['GET', '/a/', '/a/ {}'],
  ['GET', '/a/b', '/a/b {}'],
  ['HEAD', '/a/b', '/a/b {}'],
  ['GET', '/a/other', '/a/:x {"x":"other"}'],
  ['GET', '/a/b/c', '/a/:x/c {"x":"b"}'],
  ['GET', '/a/b/c/d', '/a/b/:y/d {"y":"c"}'],
  ['GET', '/a/b/end', '/:one/:two/end {"one":"a","two":"b"}'],
  ['PUT', '/a/b', '/a/:x {"x":"b"}'],
  ['GET', '/a/x%20y', '/a/:x {"x":"x y"}'],
  ['GET', '/a/x%2Fc', '/a/:x {"x":"x/c"}'],
  ['GET', '/%61', '/a {}'],
  ['GET', '/a/__proto__', '/a/:x {"x":"__proto__"}'],
  ['GET', '/files/', '/files/*key {"key":""}'],
  ['GET', '/files/x/y//z', '/files/*key {"key":"x/y//z"}'],
  ['GET', '/files/fixed', '/files/fixed {}'],
  ['GET', '/a//c', 'not-found'],
  ['GET', '/A', 'not-found'],
  ['GET', '*', 'not-found'],
  ['DELETE', '/a/b', '405 GET HEAD OPTIONS POST PUT'],
  ['POST', '/a/', '405 GET HEAD OPTIONS'],
  ['GET', '/files/../a', 'bad-path'],
  ['GET', '/files/%2e%2e/a', 'bad-path'],
  ['GET', '/files/.', 'bad-path'],
  ['GET', '/a/%', 'bad-path'],
  ['GET', '/a/%zz', 'bad-path'],
  ['GET', '/a/%00', 'bad-path'],
  ['GET', '/a/%c0%af', 'bad-path'],
  ['GET', '/a/%ff', 'bad-path'],
];

suite('a router', () => {
  for (const [method, path, outcome] of cases) {
    test(`${method} ${path} → ${outcome}`, () => assert.equal(found(method, path), outcome));
  }

  test('finds conflicts when routes are added', () => {
    for (const bad of ['a', '/:', '/*', '/*x/y', '/:x/:x', '/a']) {
      const fresh = createRouter().add('GET', '/a', none);
      assert.throws(() => fresh.add('GET', bad, none), RouteError, bad);
    }
  });

  test('a parameter may not pollute', () => {
    const match = createRouter().add('GET', '/:__proto__', none).find('GET', '/x');
    assert.ok(match.kind === 'found');
    assert.equal(Object.getPrototypeOf(match.params), null);
    assert.equal(({} as Record<string, unknown>)['x'], undefined);
  });
});
