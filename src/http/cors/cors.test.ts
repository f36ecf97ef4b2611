import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { testHost } from '../../core/testing/host.ts';
import { Peer } from '../../core/testing/peer.ts';
import { SimulatedClock } from '../../core/time/simulated-clock.ts';
import { HttpError } from '../errors.ts';
import { createRateLimiter, rateLimited } from '../rate-limit/index.ts';
import { text } from '../reply.ts';
import { startHttpServer } from '../server.ts';
import { bareRequest } from '../testing/bare-request.ts';
import type { Handler, HeaderList } from '../types.ts';
import { type CorsOptions, cors } from './index.ts';

const APP = 'https://app.example';
const listed: CorsOptions = { origins: [APP, 'http://localhost:5173'] };
const asked =
  'Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network';

const hello: Handler = () => text(200, 'hello');
const origin = (value: string): [string, string] => ['Origin', value];

/** Status and fields as text, without what every text answer has. */
async function answer(
  options: CorsOptions,
  method: string,
  headers: HeaderList,
  handler: Handler = hello,
): Promise<[status: number, fields: string[]]> {
  const response = await cors(options, handler)(bareRequest(method, headers));
  const fields = (response.headers ?? []).map(([name, value]) => `${name}: ${value}`);
  return [
    response.status,
    fields.filter((line) => !/^(Content-Type|X-Content-Type-Options):/.test(line)).sort(),
  ];
}

const preflight = (from: string, method: string, ...others: [string, string][]): HeaderList => [
  origin(from),
  ['Access-Control-Request-Method', method],
  ...others,
];
const withFields = (names: string): [string, string] => ['Access-Control-Request-Headers', names];
const toPrivate: [string, string] = ['Access-Control-Request-Private-Network', 'true'];

suite('a preflight where any field may be set', () => {
  const options: CorsOptions = { ...listed, requestFields: '*' };

  test('is told the fields that it asked for', async () => {
    const [status, fields] = await answer(
      options,
      'OPTIONS',
      preflight(APP, 'GET', withFields('x-amz-date,authorization')),
    );
    assert.equal(status, 204);
    assert.ok(fields.includes('Access-Control-Allow-Headers: x-amz-date, authorization'), fields.join('\n'));
    const [, without] = await answer(options, 'OPTIONS', preflight(APP, 'GET'));
    assert.ok(!without.some((line) => line.startsWith('Access-Control-Allow-Headers')));
  });

  test('is refused what is no name, and more names than anybody sets', async () => {
    for (const names of [
      'a b',
      'x-\xe9',
      'a:b',
      Array.from({ length: 65 }, (_, at) => `x-${at}`).join(','),
    ]) {
      const [status] = await answer(options, 'OPTIONS', preflight(APP, 'GET', withFields(names)));
      assert.equal(status, 403, names);
    }
  });

  test('and never so with credentials', () => {
    assert.throws(() => cors({ ...options, credentials: true }, hello), { code: 'bad-cors' });
  });
});

suite('a preflight', () => {
  const options: CorsOptions = {
    ...listed,
    credentials: true,
    methods: ['GET', 'PUT'],
    requestFields: ['Content-Type', 'Authorization'],
    maxAgeSeconds: 7_200,
  };

  test('from a listed origin is told what it may', async () => {
    assert.deepEqual(
      await answer(options, 'OPTIONS', preflight(APP, 'PUT', withFields('authorization,content-type'))),
      [
        204,
        [
          'Access-Control-Allow-Credentials: true',
          'Access-Control-Allow-Headers: content-type, authorization',
          'Access-Control-Allow-Methods: GET, PUT',
          `Access-Control-Allow-Origin: ${APP}`,
          'Access-Control-Max-Age: 7200',
          `Vary: ${asked}`,
        ],
      ],
    );
  });

  test('is never the handler’s', async () => {
    const handler: Handler = () => assert.fail('called');
    await answer(options, 'OPTIONS', preflight(APP, 'PUT'), handler);
    await answer(options, 'OPTIONS', preflight('https://evil.example', 'PUT'), handler);
  });

  const refused: readonly [why: string, options: CorsOptions, headers: HeaderList][] = [
    ['another origin', options, preflight('https://evil.example', 'PUT')],
    ['another port', options, preflight(`${APP}:8443`, 'PUT')],
    ['another scheme', options, preflight('http://app.example', 'PUT')],
    ['an origin that ends so', options, preflight('https://evilapp.example', 'PUT')],
    ['an origin that begins so', options, preflight(`${APP}.evil.example`, 'PUT')],
    ['an origin in other letters', options, preflight('https://APP.example', 'PUT')],
    ['an origin with a path', options, preflight(`${APP}/`, 'PUT')],
    ['the null origin', options, preflight('null', 'PUT')],
    ['no origin at all', options, preflight('', 'PUT')],
    ['two origins', options, [...preflight(APP, 'PUT'), origin('https://evil.example')]],
    ['another method', options, preflight(APP, 'DELETE')],
    ['a method in other letters', options, preflight(APP, 'put')],
    ['no method', options, preflight(APP, '')],
    ['a method list', options, preflight(APP, 'GET, PUT')],
    ['another field', options, preflight(APP, 'PUT', withFields('content-type, x-other'))],
    ['a field that is no token', options, preflight(APP, 'PUT', withFields('a b'))],
    [
      'a flood of fields',
      options,
      preflight(APP, 'PUT', withFields(Array(65).fill('content-type').join(','))),
    ],
    ['a private network', options, preflight(APP, 'PUT', toPrivate)],
  ];
  for (const [why, policy, headers] of refused) {
    test(`for ${why} is refused, and varies`, async () => {
      assert.deepEqual(await answer(policy, 'OPTIONS', headers), [403, [`Vary: ${asked}`]]);
    });
  }

  test('into a private network is answered where that is allowed', async () => {
    const [status, fields] = await answer(
      { ...options, privateNetwork: true },
      'OPTIONS',
      preflight(APP, 'GET', toPrivate),
    );
    assert.equal(status, 204);
    assert.ok(fields.includes('Access-Control-Allow-Private-Network: true'));
    const [, others] = await answer({ ...options, privateNetwork: true }, 'OPTIONS', preflight(APP, 'GET'));
    assert.ok(!others.some((line) => line.includes('Private-Network:')));
  });

  test('with * is the same for all', async () => {
    assert.deepEqual(await answer({ origins: '*' }, 'OPTIONS', preflight('https://any.example', 'POST')), [
      204,
      [
        'Access-Control-Allow-Methods: GET, HEAD, POST',
        'Access-Control-Allow-Origin: *',
        'Access-Control-Max-Age: 600',
        `Vary: ${asked}`,
      ],
    ]);
  });

  test('repeats nothing of the question', async () => {
    const injected = 'x\xff<script>';
    const response = await cors(
      options,
      hello,
    )(bareRequest('OPTIONS', preflight(injected, injected, withFields(injected))));
    assert.ok(!JSON.stringify(response).includes('script'));
  });
});

suite('an answer', () => {
  const options: CorsOptions = { ...listed, credentials: true, exposedFields: ['ETag', 'RateLimit'] };

  test('to a listed origin may be read', async () => {
    assert.deepEqual(await answer(options, 'GET', [origin(APP)]), [
      200,
      [
        'Access-Control-Allow-Credentials: true',
        `Access-Control-Allow-Origin: ${APP}`,
        'Access-Control-Expose-Headers: ETag, RateLimit',
        'Vary: Origin',
      ],
    ]);
  });

  for (const headers of [
    [],
    [origin('https://evil.example')],
    [origin('null')],
    [origin(APP), origin(APP)],
  ]) {
    test(`to ${JSON.stringify(headers)} may not, and varies`, async () => {
      assert.deepEqual(await answer(options, 'GET', headers), [200, ['Vary: Origin']]);
    });
  }

  test('to anyone is the same for all, so nothing varies', async () => {
    for (const headers of [[], [origin(APP)], [origin('null')]])
      assert.deepEqual(await answer({ origins: '*' }, 'GET', headers), [
        200,
        ['Access-Control-Allow-Origin: *'],
      ]);
  });

  test('to null may be read only where null is listed', async () => {
    const [, fields] = await answer({ origins: ['null'] }, 'GET', [origin('null')]);
    assert.deepEqual(fields, ['Access-Control-Allow-Origin: null', 'Vary: Origin']);
  });

  test('to OPTIONS without a question is the handler’s, and varies by the question', async () => {
    assert.deepEqual(await answer(options, 'OPTIONS', []), [200, [`Vary: ${asked}`]]);
  });

  const varies: readonly [given: HeaderList, vary: string[]][] = [
    [[['Vary', 'Accept-Encoding']], ['Vary: Accept-Encoding, Origin']],
    [[['vary', 'origin, Accept']], ['Vary: origin, Accept']],
    [
      [
        ['Vary', 'A'],
        ['VARY', 'B'],
      ],
      ['Vary: A, B, Origin'],
    ],
    [[['Vary', '*']], ['Vary: *']],
  ];
  for (const [given, vary] of varies) {
    test(`keeps ${JSON.stringify(given)}`, async () => {
      const [, fields] = await answer(listed, 'GET', [], () => text(200, '', given));
      assert.deepEqual(fields, vary);
    });
  }

  test('loses what the handler said about origins', async () => {
    const upstream: HeaderList = [
      ['access-control-allow-origin', 'https://evil.example'],
      ['Access-Control-Allow-Credentials', 'true'],
    ];
    const [, fields] = await answer(listed, 'GET', [origin('https://evil.example')], async () =>
      text(200, '', upstream),
    );
    assert.deepEqual(fields, ['Vary: Origin']);
  });

  test('that is thrown as a refusal may be read too', async () => {
    const handlers: Handler[] = [
      () => {
        throw new HttpError(404, 'none', { headers: [['X-A', 'b']] });
      },
      async () => {
        throw new HttpError(404, 'none', { headers: [['X-A', 'b']] });
      },
    ];
    for (const handler of handlers) {
      const thrown = await answer(options, 'GET', [origin(APP)], handler).catch((error: unknown) => error);
      assert.ok(thrown instanceof HttpError);
      assert.equal(thrown.status, 404);
      assert.deepEqual(thrown.headers, [
        ['X-A', 'b'],
        ['Vary', 'Origin'],
        ['Access-Control-Allow-Origin', APP],
        ['Access-Control-Allow-Credentials', 'true'],
        ['Access-Control-Expose-Headers', 'ETag, RateLimit'],
      ]);
    }
  });

  test('to a fault of ours stays a fault', async () => {
    const fault = new TypeError('a bug');
    const handler: Handler = () => {
      throw fault;
    };
    await assert.rejects(answer(options, 'GET', [origin(APP)], handler), fault);
  });
});

test('a page may read that it is refused by a rate limit', async () => {
  const limiter = createRateLimiter([{ name: 'one', quota: 1, windowSeconds: 60 }]);
  const limited = rateLimited({ limiter, clock: new SimulatedClock() }, hello);
  const options: CorsOptions = { ...listed, exposedFields: ['Retry-After', 'RateLimit'] };
  await answer(options, 'GET', [origin(APP)], limited);
  const [status, fields] = await answer(options, 'GET', [origin(APP)], limited);
  assert.equal(status, 429);
  assert.ok(fields.includes(`Access-Control-Allow-Origin: ${APP}`));
  assert.ok(fields.includes('Access-Control-Expose-Headers: Retry-After, RateLimit'));
});

suite('what changes state', () => {
  const options: CorsOptions = { ...listed, refuseUnlisted: true };

  test('from an origin not listed never reaches the handler', async () => {
    const handler: Handler = () => assert.fail('called');
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'BREW'])
      for (const from of ['https://evil.example', 'null', `${APP}, ${APP}`, ''])
        assert.deepEqual(await answer(options, method, [origin(from)], handler), [403, ['Vary: Origin']]);
  });

  test('from a listed one, or from no page, does', async () => {
    assert.equal((await answer(options, 'POST', [origin(APP)]))[0], 200);
    assert.equal((await answer(options, 'POST', []))[0], 200);
    assert.equal((await answer(options, 'GET', [origin('https://evil.example')]))[0], 200);
    assert.equal((await answer(listed, 'POST', [origin('https://evil.example')]))[0], 200);
  });
});

suite('options that cannot be meant', () => {
  const bad: readonly [why: string, options: CorsOptions][] = [
    ['* with credentials', { origins: '*', credentials: true }],
    ['null with credentials', { origins: [APP, 'null'], credentials: true }],
    ['* where others are refused', { origins: '*', refuseUnlisted: true }],
    ['* in a list', { origins: ['*'] }],
    ['a pattern', { origins: ['https://*.example'] }],
    ['a slash at the end', { origins: [`${APP}/`] }],
    ['no scheme', { origins: ['app.example'] }],
    ['capital letters', { origins: ['https://App.example'] }],
    ['the usual port', { origins: ['https://app.example:443'] }],
    ['an empty port', { origins: ['http://a:'] }],
    ['an empty origin', { origins: [''] }],
    ['a method list in one', { ...listed, methods: ['GET, PUT'] }],
    ['any method', { ...listed, methods: ['*'] }],
    ['any field', { ...listed, requestFields: ['*'] }],
    ['a field that ends the line', { ...listed, exposedFields: ['A\r\nB: c'] }],
    ['a negative age', { ...listed, maxAgeSeconds: -1 }],
    ['an age of two days', { ...listed, maxAgeSeconds: 172_800 }],
    ['an age that is no number', { ...listed, maxAgeSeconds: Number.NaN }],
  ];
  for (const [why, options] of bad) {
    test(`${why} is refused at once`, () => assert.throws(() => cors(options, hello), { code: 'bad-cors' }));
  }

  test('those that can are taken', () => {
    for (const each of [
      'https://a.b:8443',
      'http://[::1]:5173',
      'chrome-extension://abcdef',
      'http://localhost',
      'null',
    ])
      cors({ origins: [each] }, hello);
  });
});

test('CORS over a socket', async () => {
  const host = testHost('http');
  const handler = cors({ ...listed, credentials: true }, () => {
    throw new HttpError(409, 'taken');
  });
  const server = await startHttpServer({ host, address: { host: '127.0.0.1', port: 0 }, handler });
  const peer = await Peer.connect(host.network, server.endpoint);
  peer.send(`OPTIONS / HTTP/1.1\r\nHost: a\r\nOrigin: ${APP}\r\nAccess-Control-Request-Method: POST\r\n\r\n`);
  const granted = await peer.untilText('\r\n\r\n');
  assert.match(granted, /^HTTP\/1\.1 204 No Content\r\n/);
  assert.match(granted, /\r\nAccess-Control-Allow-Origin: https:\/\/app\.example\r\n/);
  peer.send(`POST / HTTP/1.1\r\nHost: a\r\nOrigin: ${APP}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  const answered = (await peer.untilClosed()).toString('latin1');
  assert.match(answered, /^HTTP\/1\.1 409 Conflict\r\n/);
  assert.match(answered, /\r\nVary: Origin\r\n/);
  assert.match(answered, /\r\nAccess-Control-Allow-Origin: https:\/\/app\.example\r\n/);
  await server.close(0);
});
