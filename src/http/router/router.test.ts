import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { testHost } from '../../core/testing/host.ts';
import { Peer } from '../../core/testing/peer.ts';
import { json, text } from '../reply.ts';
import { startHttpServer } from '../server.ts';
import { createRouter, type ParamsOf, RouteError, type Router } from './index.ts';

const none = () => ({ status: 204 });

function tableOf(...patterns: string[]): Router {
  const router = createRouter({
    constraints: { hex: (value) => [...value].every((c) => '0123456789abcdef'.includes(c)) },
  });
  for (const pattern of patterns) router.add('GET', pattern, none);
  return router;
}

/** What a path comes to, on one line. */
function found(router: Router, method: string, path: string): string {
  const match = router.find(method, path);
  if (match.kind === 'wrong-method') return `405 ${match.allow.join(' ')}`;
  return match.kind === 'found' ? `${match.route.pattern} ${JSON.stringify(match.params)}` : match.kind;
}

type Case = readonly [method: string, path: string, outcome: string];

function check(router: Router, cases: readonly Case[]): void {
  for (const [method, path, outcome] of cases) {
    test(`${method} ${path} → ${outcome}`, () => assert.equal(found(router, method, path), outcome));
  }
}

suite('whole segments', () => {
  const router = tableOf(
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
  )
    .add('POST', '/a/b', none)
    .add('PUT', '/a/:x', none);
  check(router, [
    ['GET', '/', '/ {}'],
    ['GET', '/a', '/a {}'],
    ['GET', '/a/', '/a/ {}'],
    ['GET', '/a/b', '/a/b {}'],
    ['HEAD', '/a/b', '/a/b {}'],
    ['GET', '/a/other', '/a/:x {"x":"other"}'],
    ['GET', '/a/b/c', '/a/:x/c {"x":"b"}'],
    ['GET', '/a/b/c/d', '/a/b/:y/d {"y":"c"}'],
    ['GET', '/a/b/end', '/:one/:two/end {"one":"a","two":"b"}'],
    ['GET', '/files/fixed/x', '/files/*key {"key":"fixed/x"}'],
    ['PUT', '/a/b', '/a/:x {"x":"b"}'],
    ['GET', '/a/x%20y', '/a/:x {"x":"x y"}'],
    ['GET', '/%61', '/a {}'],
    ['GET', '/a/__proto__', '/a/:x {"x":"__proto__"}'],
    ['GET', '/files/', '/files/*key {"key":""}'],
    ['GET', '/files', 'not-found'],
    ['GET', '/files/x/y//z', '/files/*key {"key":"x/y//z"}'],
    ['GET', '/files/fixed', '/files/fixed {}'],
    ['GET', '/a//c', 'not-found'],
    ['GET', '/A', 'not-found'],
    ['GET', '*', 'not-found'],
    ['DELETE', '/a/b', '405 GET HEAD OPTIONS POST PUT'],
    ['POST', '/a/', '405 GET HEAD OPTIONS'],
    ['OPTIONS', '*', '405 GET HEAD OPTIONS POST PUT'],
  ]);
});

suite('an escape is decoded once, and separates nothing', () => {
  const router = tableOf('/a/:x', '/a/:x/c', '/files/*key', '/café', '/one%3Atwo', '/up%2Fdown');
  check(router, [
    ['GET', '/a/x%2Fc', '/a/:x {"x":"x/c"}'],
    ['GET', '/a/x%2fc/c', '/a/:x/c {"x":"x/c"}'],
    ['GET', '/a%2Fx', 'not-found'],
    ['GET', '/files/x%2F%2Fy', '/files/*key {"key":"x//y"}'],
    ['GET', '/a/%252F', '/a/:x {"x":"%2F"}'],
    ['GET', '/caf%C3%A9', '/café {}'],
    ['GET', '/one:two', '/one%3Atwo {}'],
    ['GET', '/up%2Fdown', '/up%2Fdown {}'],
    ['GET', '/up/down', 'not-found'],
    ['GET', '/a/%E2%98%83', '/a/:x {"x":"☃"}'],
    ['GET', '/a/...', '/a/:x {"x":"..."}'],
    ['GET', '/a/.well-known', '/a/:x {"x":".well-known"}'],
  ]);
});

suite('what another program might read differently is refused', () => {
  const refused = [
    '/files/../a',
    '/files/..',
    '/files/.',
    '/./a',
    '/files/%2e%2e/a',
    '/files/.%2e/a',
    '/files/%2E',
    '/a/..%2Fetc',
    '/a/x%2F..',
    '/a/%',
    '/a/%2',
    '/a/%zz',
    '/a/%%2F',
    '/a/%00',
    '/a/x%00y',
    // Overlong: a slash in two bytes, a dot in two, NUL in two, a slash in three.
    '/a/%c0%af',
    '/a/%c0%ae%c0%ae/x',
    '/a/%c0%80',
    '/a/%e0%80%af',
    // Cut short, alone, a surrogate, beyond Unicode; and one character over two segments.
    '/a/%ff',
    '/a/%80',
    '/a/%c3',
    '/a/%ed%a0%80',
    '/a/%f4%90%80%80',
    '/a/%c3/%a9',
    '/a/%c3%2f%a9',
  ];
  const router = tableOf('/a/:x', '/files/*key', '/*all');
  check(
    router,
    refused.map((path) => ['GET', path, 'bad-path'] as const),
  );
});

suite('parts of a segment', () => {
  const router = tableOf(
    '/:name.json',
    '/:name.tar.gz',
    '/:name',
    '/img/v:major.:minor/:file.:kind',
    '/range/:from-:to',
    '/range/:from-:to.csv',
    '/at/:user@:host',
    '/abc',
    '/ab:rest',
  );
  check(router, [
    ['GET', '/spells.json', '/:name.json {"name":"spells"}'],
    ['GET', '/a.json.json', '/:name.json {"name":"a.json"}'],
    ['GET', '/.json', '/:name {"name":".json"}'],
    ['GET', '/a%2Ejson', '/:name.json {"name":"a"}'],
    ['GET', '/a%2Fb.json', '/:name.json {"name":"a/b"}'],
    ['GET', '/a.tar.gz', '/:name.tar.gz {"name":"a"}'],
    ['GET', '/a.gz', '/:name {"name":"a.gz"}'],
    [
      'GET',
      '/img/v1.2/a.b.png',
      '/img/v:major.:minor/:file.:kind {"major":"1","minor":"2","file":"a","kind":"b.png"}',
    ],
    ['GET', '/img/v1/a.png', 'not-found'],
    ['GET', '/img/v1.2/.png', 'not-found'],
    ['GET', '/range/a-b-c', '/range/:from-:to {"from":"a","to":"b-c"}'],
    ['GET', '/range/a-b.csv', '/range/:from-:to.csv {"from":"a","to":"b"}'],
    ['GET', '/range/a-.csv', '/range/:from-:to {"from":"a","to":".csv"}'],
    ['GET', '/range/-a', 'not-found'],
    ['GET', '/range/--a', '/range/:from-:to {"from":"-","to":"a"}'],
    ['GET', '/at/me@here', '/at/:user@:host {"user":"me","host":"here"}'],
    ['GET', '/abc', '/abc {}'],
    ['GET', '/abcd', '/ab:rest {"rest":"cd"}'],
    ['GET', '/ab', '/:name {"name":"ab"}'],
  ]);
});

suite('constraints', () => {
  const router = tableOf(
    '/s/:id<int>',
    '/s/:key<uuid>',
    '/s/:name',
    '/v/:major<int>.:minor<int>',
    '/h/:hash<hex>',
  );
  const uuid = '018f4e6a-7c1b-7000-8000-0123456789aB';
  check(router, [
    ['GET', '/s/42', '/s/:id<int> {"id":"42"}'],
    ['GET', '/s/-7', '/s/:id<int> {"id":"-7"}'],
    ['GET', '/s/0', '/s/:id<int> {"id":"0"}'],
    ['GET', '/s/%34%32', '/s/:id<int> {"id":"42"}'],
    ['GET', '/s/042', '/s/:name {"name":"042"}'],
    ['GET', '/s/-0', '/s/:name {"name":"-0"}'],
    ['GET', '/s/4x', '/s/:name {"name":"4x"}'],
    ['GET', '/s/+4', '/s/:name {"name":"+4"}'],
    ['GET', '/s/9007199254740991', '/s/:id<int> {"id":"9007199254740991"}'],
    ['GET', '/s/9007199254740992', '/s/:name {"name":"9007199254740992"}'],
    ['GET', `/s/${uuid}`, `/s/:key<uuid> {"key":"${uuid}"}`],
    ['GET', `/s/${uuid.slice(1)}`, `/s/:name {"name":"${uuid.slice(1)}"}`],
    ['GET', '/v/1.2', '/v/:major<int>.:minor<int> {"major":"1","minor":"2"}'],
    ['GET', '/v/1.x', 'not-found'],
    ['GET', '/h/c0ffee', '/h/:hash<hex> {"hash":"c0ffee"}'],
    ['GET', '/h/tea', 'not-found'],
  ]);
});

suite('adding a route', () => {
  const refusals: [pattern: string, message: RegExp][] = [
    ['a', /does not begin with a slash/],
    ['', /does not begin with a slash/],
    ['/:', /without a name/],
    ['/*', /without a name/],
    ['/*x/y', /goes on behind its wildcard/],
    ['/a*x', /wildcard that begins inside/],
    ['/:y*x', /wildcard that begins inside/],
    ['/:x/:x', /names a parameter twice/],
    ['/:x/*x', /names a parameter twice/],
    ['/:x:y', /nothing between/],
    ['/:x<float>', /unknown constraint <float>/],
    ['/:x<int', /without its >/],
    ['/:x?', /has a \?/],
    ['/a#b', /has a #/],
    ['/a<b>', /has a </],
    ['/a%2', /broken escape/],
    ['/a/../b', /dot segment/],
    ['/taken', /GET \/taken takes the same paths as GET \/taken/],
    ['/t%61ken', /GET \/t%61ken takes the same paths as GET \/taken/],
    ['/s/:other', /GET \/s\/:other takes the same paths as GET \/s\/:id/],
    ['/r/:a-:b<int>', /takes the same paths as GET \/r\/:from-:to<int>/],
    ['/files/*b', /takes the same paths as GET \/files\/\*a/],
  ];
  for (const [pattern, message] of refusals) {
    test(`${pattern} is refused`, () => {
      const router = tableOf('/taken', '/s/:id', '/r/:from-:to<int>', '/files/*a');
      assert.throws(
        () => router.add('GET', pattern, none),
        (thrown: Error) => {
          return thrown instanceof RouteError && message.test(thrown.message);
        },
      );
    });
  }

  test('several methods at once; another constraint or method is no conflict', () => {
    const router = tableOf('/s/:id').add(['PUT', 'DELETE'], '/s/:key', none).add('GET', '/s/:n<int>', none);
    assert.equal(found(router, 'POST', '/s/1'), '405 DELETE GET HEAD OPTIONS PUT');
    assert.throws(() => router.add(['POST', 'PUT'], '/s/:x', none), /PUT \/s\/:x .* PUT \/s\/:key/);
  });

  test('a constraint may not take the name of one that is built in', () => {
    assert.throws(() => createRouter({ constraints: { int: () => true } }), RouteError);
  });

  test('a parameter may not pollute', () => {
    const match = createRouter().add('GET', '/:__proto__', none).find('GET', '/x');
    assert.ok(match.kind === 'found');
    assert.deepEqual(Object.entries(match.params), [['__proto__', 'x']]);
    for (const name of Object.getOwnPropertyNames(Object.prototype))
      assert.equal(name in match.params, name === '__proto__', `${name} is inherited`);
    assert.throws(() => Object.assign(Object.getPrototypeOf(match.params), { x: 1 }), TypeError);
    assert.equal(({} as Record<string, unknown>)['x'], undefined);
  });
});

suite('the route table', () => {
  test('is what was added, with what was said of it', () => {
    const router = createRouter()
      .add('GET', '/spells/:id<int>', none, {
        name: 'spell',
        rateLimitKey: 'read',
        about: { summary: 'one' },
      })
      .add(['PUT', 'PATCH'], '/files/*key', none, { bodyBytes: 10 });
    assert.deepEqual(router.routes, [
      {
        method: 'GET',
        pattern: '/spells/:id<int>',
        parameters: [{ name: 'id', type: 'int' }],
        name: 'spell',
        rateLimitKey: 'read',
        about: { summary: 'one' },
      },
      {
        method: 'PUT',
        pattern: '/files/*key',
        parameters: [{ name: 'key', type: undefined }],
        bodyBytes: 10,
      },
      {
        method: 'PATCH',
        pattern: '/files/*key',
        parameters: [{ name: 'key', type: undefined }],
        bodyBytes: 10,
      },
    ]);
  });

  test('has a mounted router under its prefix', () => {
    const inner = createRouter({ constraints: { even: (value) => Number(value) % 2 === 0 } })
      .add('GET', '/', none)
      .add('GET', '/spells/:id<even>', none, { name: 'spell' })
      .add('PUT', '/*key', none);
    const router = createRouter().add('GET', '/v1/:tenant/spells/0', none).mount('/v1/:tenant', inner);
    assert.equal(found(router, 'GET', '/v1/t/'), '/v1/:tenant/ {"tenant":"t"}');
    assert.equal(found(router, 'GET', '/v1/t'), 'not-found');
    assert.equal(
      found(router, 'GET', '/v1/t/spells/4'),
      '/v1/:tenant/spells/:id<even> {"tenant":"t","id":"4"}',
    );
    assert.equal(found(router, 'GET', '/v1/t/spells/5'), '405 OPTIONS PUT');
    assert.equal(router.routes[2]?.name, 'spell');
    assert.throws(() => inner.add('GET', '/late', none), /already mounted at \/v1\/:tenant/);
    assert.throws(() => router.mount('/v2/', createRouter()), /ends with a slash/);
    assert.throws(() => router.mount('/v2/*x', createRouter()), /wildcard/);
    assert.throws(() => router.mount('/x/:id', createRouter().add('GET', '/:id', none)), /twice/);
    assert.throws(() => router.mount('/v3', router), RouteError);
  });

  test('gives what a wildcard took also as it was received', () => {
    const router = tableOf('/buckets/:bucket/*key', '/plain');
    const rest = (path: string): string | undefined => {
      const match = router.find('GET', path);
      assert.ok(match.kind === 'found');
      return match.rawRest;
    };
    assert.equal(rest('/buckets/a%2Fb/x%2Fy//%41+z'), 'x%2Fy//%41+z');
    assert.equal(rest('/buckets/a/'), '');
    assert.equal(rest('/plain'), undefined);
  });

  test('knows which methods are known at all', () => {
    const router = createRouter({ unknownMethod: 501 }).add('GET', '/a', none).add('PUT', '/b', none);
    assert.equal(found(router, 'BREW', '/a'), 'unknown-method');
    assert.equal(found(router, 'BREW', '/nowhere'), 'unknown-method');
    assert.equal(found(router, 'PUT', '/a'), '405 GET HEAD OPTIONS');
    assert.equal(found(router, 'OPTIONS', '/a'), '405 GET HEAD OPTIONS');
    assert.equal(found(createRouter().add('GET', '/a', none), 'BREW', '/a'), '405 GET HEAD OPTIONS');
  });
});

test('the parameters of a pattern are known when compiling', () => {
  createRouter()
    .add('GET', '/a/:id<int>/:from-:to.json/*rest', (request) => {
      const { id, from, to, rest }: { id: string; from: string; to: string; rest: string } = request.params;
      // @ts-expect-error: no such parameter
      request.params.other;
      return text(200, id + from + to + rest);
    })
    // @ts-expect-error: the handler is for another pattern
    .add('GET', '/b/:id', (request: { params: { other: string } }) => text(200, request.params.other))
    .add('GET', `/${String('table')}/:key`, (request) => text(200, request.params.key));
  const none: ParamsOf<'/plain'> = {};
  assert.deepEqual(none, {});
});

test('over a socket: 204 and 405 with Allow, 501, the bound of a route with and without a length', async () => {
  const router = createRouter({ unknownMethod: 501 })
    .add('GET', '/a', () => text(200, 'a'))
    .add('PUT', '/small/:key', async ({ body, params }) => json(200, [params.key, await body.text(1_000)]), {
      bodyBytes: 4,
    })
    .add(
      'PATCH',
      '/small/:key',
      async ({ body }) => {
        let total = 0;
        for await (const part of body) total += part.length;
        return json(200, total);
      },
      { bodyBytes: 4 },
    );
  const host = testHost('http');
  const server = await startHttpServer({
    host,
    address: { host: '127.0.0.1', port: 0 },
    handler: router.handle,
  });
  const ask = async (head: string, content = ''): Promise<string> => {
    const peer = await Peer.connect(host.network, server.endpoint);
    peer.send(`${head}\r\nHost: a\r\nConnection: close\r\n\r\n${content}`);
    return (await peer.untilClosed()).toString();
  };
  const chunked = 'HTTP/1.1\r\nTransfer-Encoding: chunked';
  const answers: [head: string, content: string, expected: RegExp][] = [
    ['GET /a HTTP/1.1', '', /^HTTP\/1\.1 200 .*\r\n\r\na$/s],
    ['HEAD /a HTTP/1.1', '', /^HTTP\/1\.1 200 .*Content-Length: 1\r\n.*\r\n\r\n$/s],
    ['OPTIONS /a HTTP/1.1', '', /^HTTP\/1\.1 204 .*Allow: GET, HEAD, OPTIONS\r\n/s],
    ['OPTIONS * HTTP/1.1', '', /^HTTP\/1\.1 204 .*Allow: GET, HEAD, OPTIONS, PATCH, PUT\r\n/s],
    ['PUT /a HTTP/1.1', '', /^HTTP\/1\.1 405 .*Allow: GET, HEAD, OPTIONS\r\n/s],
    ['BREW /a HTTP/1.1', '', /^HTTP\/1\.1 501 /],
    ['GET /b HTTP/1.1', '', /^HTTP\/1\.1 404 /],
    ['GET /%00 HTTP/1.1', '', /^HTTP\/1\.1 400 /],
    ['PUT /small/k HTTP/1.1\r\nContent-Length: 4', 'abcd', /\["k","abcd"\]$/],
    ['PUT /small/k HTTP/1.1\r\nContent-Length: 5', 'abcde', /^HTTP\/1\.1 413 /],
    [`PUT /small/k ${chunked}`, '4\r\nabcd\r\n0\r\n\r\n', /\["k","abcd"\]$/],
    [`PUT /small/k ${chunked}`, '3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n', /^HTTP\/1\.1 413 /],
    [`PATCH /small/k ${chunked}`, '4\r\nabcd\r\n0\r\n\r\n', /\r\n4$/],
    [`PATCH /small/k ${chunked}`, '3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n', /^HTTP\/1\.1 413 /],
  ];
  for (const [head, content, expected] of answers) assert.match(await ask(head, content), expected, head);
  await server.close();
});
