import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { hasDotSegment, RouteTable, rewrite } from './routes.ts';

const table = new RouteTable([
  { pathPrefix: '/', pool: 'rest' },
  { pathPrefix: '/api', pool: 'api' },
  { pathPrefix: '/api/v2/', pool: 'v2' },
  { host: 'Files.test', pathPrefix: '/', pool: 'files' },
  { host: '[::1]', pathPrefix: '/x', pool: 'six' },
]);

suite('routes', () => {
  const cases: readonly [host: string, path: string, pool: string][] = [
    ['a', '/', 'rest'],
    ['a', '/apis', 'rest'],
    ['a', '/api', 'api'],
    ['a:8080', '/api/spells', 'api'],
    ['a', '/api/v2', 'v2'],
    ['a', '/api/v2/x', 'v2'],
    ['a', '/api/v22', 'api'],
    ['a', '/API', 'rest'],
    ['a', '/%61pi', 'rest'],
    ['files.TEST:80', '/api', 'files'],
    ['[::1]:80', '/x', 'six'],
    ['[::1]:80', '/y', 'rest'],
  ];
  for (const [host, path, pool] of cases) {
    test(`${host} ${path} → ${pool}`, () => assert.equal(table.find(host, path)?.pool, pool));
  }

  test('none', () => {
    const one = new RouteTable([{ pathPrefix: '/a', pool: 'a' }]);
    assert.equal(one.find('x', '/ab'), undefined);
    assert.equal(one.find('x', '/'), undefined);
  });

  test('rewrites prefix and nothing else', () => {
    const made = (target: string, options: { stripPrefix?: boolean; addPrefix?: string }): string => {
      const routes = new RouteTable([{ pathPrefix: '/files', pool: 'a', ...options }]);
      return rewrite(routes.find('a', '/files')!, target);
    };
    assert.equal(made('/files/a%2Fb//c?d=/files', {}), '/files/a%2Fb//c?d=/files');
    assert.equal(made('/files/a%2Fb//c?d', { stripPrefix: true }), '/a%2Fb//c?d');
    assert.equal(made('/files', { stripPrefix: true }), '/');
    assert.equal(made('/files?x', { stripPrefix: true }), '/?x');
    assert.equal(made('/files/a', { stripPrefix: true, addPrefix: '/bucket' }), '/bucket/a');
    assert.equal(made('/files', { stripPrefix: true, addPrefix: '/bucket' }), '/bucket');
    assert.equal(made('/files/a', { addPrefix: '/v1' }), '/v1/files/a');
  });

  test('dot segments are seen in every spelling', () => {
    for (const path of ['/a/../b', '/..', '/a/.', '/%2e%2E/a', '/.%2e/a', '/%2E'])
      assert.equal(hasDotSegment(path), true, path);
    for (const path of ['/a/..b', '/...', '/a.b', '/%20', '/a%2Fb', '/.well-known/x']) {
      assert.equal(hasDotSegment(path), false, path);
    }
  });
});
