import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { HttpClientError } from '../errors.ts';
import type { ClientRequest, HeaderList } from '../types.ts';
import { Fields } from '../wire/fields.ts';
import { redirected } from './redirect.ts';

const refused = (thrown: unknown): boolean =>
  thrown instanceof HttpClientError && thrown.code === 'redirect-refused';

function follow(request: ClientRequest, status: number, location?: string, more: HeaderList = []) {
  const fields = location === undefined ? more : [['Location', location] as const, ...more];
  return redirected(request, { follow: 5 }, status, Fields.from(fields));
}

/** Method asked with, status, method of the next request. RFC 9110 sections 15.4.2 to 15.4.9. */
const METHODS: readonly (readonly [string, number, string])[] = [
  ['GET', 301, 'GET'],
  ['HEAD', 301, 'HEAD'],
  ['POST', 301, 'GET'],
  ['PUT', 301, 'PUT'],
  ['POST', 302, 'GET'],
  ['DELETE', 302, 'DELETE'],
  ['POST', 303, 'GET'],
  ['PUT', 303, 'GET'],
  ['DELETE', 303, 'GET'],
  ['HEAD', 303, 'HEAD'],
  ['POST', 307, 'POST'],
  ['POST', 308, 'POST'],
];

suite('a redirection', () => {
  for (const [method, status, next] of METHODS) {
    test(`${status} after ${method} is followed with ${next}`, () => {
      const body = method === 'GET' || method === 'HEAD' ? {} : { body: 'abc' };
      const headers = [['Content-Type', 'text/plain'] as const, ['X', 'y'] as const];
      const moved = follow({ url: 'http://a/', method, headers, ...body }, status, '/b')!;
      assert.equal(moved.method ?? 'GET', next);
      assert.equal(moved.url, 'http://a/b');
      const isKept = method === next;
      assert.equal(moved.body, isKept ? (body as { body?: string }).body : undefined);
      assert.deepEqual(moved.headers, isKept ? headers : [['X', 'y']]);
    });
  }

  test('is none without Location, or with another status', () => {
    assert.equal(follow({ url: 'http://a/' }, 301), undefined);
    for (const status of [200, 201, 300, 304, 305, 306, 404])
      assert.equal(follow({ url: 'http://a/' }, status, '/b'), undefined);
  });

  test('sends content again only when it is at hand', () => {
    async function* pieces(): AsyncGenerator<Buffer> {
      yield Buffer.from('a');
    }
    const request = { url: 'http://a/', method: 'POST', body: pieces() };
    for (const status of [307, 308]) assert.throws(() => follow(request, status, '/b'), refused);
    assert.throws(() => follow({ ...request, method: 'PUT' }, 302, '/b'), refused);
    assert.equal(follow(request, 303, '/b')!.body, undefined);
  });

  test('takes credentials and the caller’s Host to the same origin only', () => {
    const headers: HeaderList = [
      ['authorization', 'Bearer x'],
      ['Cookie', 'a=b'],
      ['Host', 'alias'],
      ['Proxy-Authorization', 'Basic x'],
      ['X', 'y'],
    ];
    const request = { url: 'http://a/', headers };
    for (const location of ['/b', 'http://a/b', 'http://A:80/b'])
      assert.deepEqual(follow(request, 302, location)!.headers, headers, location);
    for (const location of ['http://b/', '//b/', 'http://a:81/', 'https://a/', 'http://a.b/'])
      assert.deepEqual(follow(request, 302, location)!.headers, [['X', 'y']], location);
  });

  test('from https to http is refused unless it is allowed', () => {
    const request = { url: 'https://a/' };
    assert.throws(() => follow(request, 302, 'http://a/'), refused);
    const fields = Fields.from([['Location', 'http://a/']]);
    assert.equal(redirected(request, { follow: 1, allowDowngrade: true }, 302, fields)!.url, 'http://a/');
    assert.equal(follow({ url: 'http://a/' }, 302, 'https://a/')!.url, 'https://a/');
  });

  test('to what is no http URL, or to two places, is refused', () => {
    for (const location of [
      'ftp://a/',
      'javascript:x',
      'http://u:p@a/',
      'http:///x',
      '/a b',
      '/é',
      'file:///',
    ])
      assert.throws(() => follow({ url: 'http://a/' }, 302, location), refused, location);
    assert.throws(() => follow({ url: 'http://a/' }, 302, '/b', [['location', '/c']]), refused);
  });

  test('inherits the fragment unless it has its own. RFC 9110 section 10.2.2', () => {
    assert.equal(follow({ url: 'http://a/x#f' }, 302, '/b')!.url, 'http://a/b#f');
    assert.equal(follow({ url: 'http://a/x#f' }, 302, '/b#g')!.url, 'http://a/b#g');
  });
});
