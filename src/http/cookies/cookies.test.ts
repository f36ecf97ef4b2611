import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { testHost } from '../../core/testing/host.ts';
import { Peer } from '../../core/testing/peer.ts';
import { text } from '../reply.ts';
import { percentDecode } from '../router/index.ts';
import { startHttpServer } from '../server.ts';
import { Fields } from '../wire/fields.ts';
import { fuzz } from './cookies.fuzz.ts';
import {
  type Cookies,
  clearCookie,
  createCookieSigner,
  readCookies,
  type SetCookie,
  setCookie,
} from './index.ts';

const cookiesOf = (...lines: string[]): Cookies =>
  readCookies(Fields.from(lines.map((line) => ['Cookie', line])));

const reading: readonly [lines: string[], pairs: string[][]][] = [
  [[], []],
  [[''], []],
  [['a=1'], [['a', '1']]],
  [['a='], [['a', '']]],
  [
    ['a=1; b=2'],
    [
      ['a', '1'],
      ['b', '2'],
    ],
  ],
  // Without the space, with more of it, with empty pairs: non-browsers do so, and nothing is in doubt.
  [
    ['a=1;b=2;;  c = 3\t; '],
    [
      ['a', '1'],
      ['b', '2'],
      ['c', '3'],
    ],
  ],
  [['a=b=c'], [['a', 'b=c']]],
  [
    ['a="b c"; d=e, f=g'],
    [
      ['a', '"b c"'],
      ['d', 'e, f=g'],
    ],
  ],
  [
    ['f[0]=é; g h=\\'],
    [
      ['f[0]', 'é'],
      ['g h', '\\'],
    ],
  ],
  [
    ['a=1; A=2; a=3'],
    [
      ['a', '1'],
      ['A', '2'],
      ['a', '3'],
    ],
  ],
  // HTTP/2 splits the field.
  [
    ['a=1', 'b=2; c=3'],
    [
      ['a', '1'],
      ['b', '2'],
      ['c', '3'],
    ],
  ],
  [
    ['__proto__=1; constructor=2; hasOwnProperty=3'],
    [
      ['__proto__', '1'],
      ['constructor', '2'],
      ['hasOwnProperty', '3'],
    ],
  ],
];

/** What has been used to forge a cookie that only its host may set, and what must be read instead. */
const forgeries: readonly [name: string, line: string, pairs: string[][]][] = [
  ['a nameless cookie', '__Host-sid', []],
  ['a nameless cookie with a value that looks like a pair', '=__Host-sid=x', []],
  ['an empty name behind blanks', ' \t=x', []],
  ['a name behind a non-breaking space', '\xa0__Host-sid=x', [['\xa0__Host-sid', 'x']]],
  ['a name behind NEL', '\x85__Host-sid=x', [['\x85__Host-sid', 'x']]],
  ['a name behind the bytes of U+2000', '\xe2\x80\x80__Host-sid=x', [['\xe2\x80\x80__Host-sid', 'x']]],
  ['a comma as separator', '$Version=1,__Host-sid=x', [['$Version', '1,__Host-sid=x']]],
  [
    'a sandwich of quotes around the victim',
    '$Version=1; a="x; sid=secret; b=y"',
    [
      ['$Version', '1'],
      ['a', '"x'],
      ['sid', 'secret'],
      ['b', 'y"'],
    ],
  ],
  [
    'an escaped semicolon',
    'a="x\\; __Host-sid=y"',
    [
      ['a', '"x\\'],
      ['__Host-sid', 'y"'],
    ],
  ],
  ['an escaped name', '%5F_Host-sid=x', [['%5F_Host-sid', 'x']]],
];

suite('the Cookie field', () => {
  for (const [lines, pairs] of reading) {
    test(JSON.stringify(lines), () => assert.deepEqual([...cookiesOf(...lines)], pairs));
  }

  for (const [name, line, pairs] of forgeries) {
    test(`forges nothing by ${name}`, () => {
      const cookies = cookiesOf(line);
      assert.deepEqual([...cookies], pairs);
      if (!line.includes('; __Host-sid=')) assert.equal(cookies.get('__Host-sid'), undefined);
    });
  }

  test('gives the first of several, and all', () => {
    const cookies = cookiesOf('a=1; b=2; a=3');
    assert.equal(cookies.get('a'), '1');
    assert.deepEqual(cookies.getAll('a'), ['1', '3']);
    assert.equal(cookies.get('toString'), undefined);
    assert.equal(cookies.size, 3);
    assert.equal(({} as Record<string, unknown>)['1'], undefined);
  });

  test('of a flood is refused with 431, and one of floods of separators is nothing', () => {
    assert.equal(cookiesOf(Array(200).fill('a=1').join('; ')).size, 200);
    assert.throws(() => cookiesOf(Array(201).fill('a=1').join('; ')), { status: 431 });
    assert.throws(() => cookiesOf(...Array(201).fill('__proto__')), { status: 431 });
    assert.throws(() => cookiesOf('a;'.repeat(4_096)), { status: 431 });
    assert.equal(cookiesOf(';'.repeat(8_192)).size, 0);
  });

  test('drops pairs longer than a browser keeps', () => {
    assert.equal(cookiesOf(`a=${'x'.repeat(4_095)}`).size, 1);
    assert.equal(cookiesOf(`a=${'x'.repeat(4_096)}; b=1`).get('a'), undefined);
  });

  test('and cookies at random, both ways', () => fuzz.run(1, 4_000));
});

const writing: readonly [cookie: SetCookie, field: string][] = [
  [{ name: 'a', value: 'b' }, 'a=b; Path=/; Secure; HttpOnly; SameSite=Lax'],
  [
    { name: 'a', value: '', secure: false, httpOnly: false, sameSite: 'Strict', path: '/x y' },
    'a=; Path=/x y; SameSite=Strict',
  ],
  [
    { name: '__Host-sid', value: '"q"', maxAgeSeconds: 34_560_000, sameSite: 'None', partitioned: true },
    '__Host-sid="q"; Max-Age=34560000; Path=/; Secure; HttpOnly; SameSite=None; Partitioned',
  ],
  [
    { name: 'a', value: 'b', expiresMs: 784_111_777_000, domain: 'a-1.example.com' },
    'a=b; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Domain=a-1.example.com; Path=/; Secure; HttpOnly; SameSite=Lax',
  ],
  [
    { name: '__Secure-a', value: 'b', domain: 'a.b', httpOnly: false },
    '__Secure-a=b; Domain=a.b; Path=/; Secure; SameSite=Lax',
  ],
  [{ name: '__Host-Http-a', value: 'b' }, '__Host-Http-a=b; Path=/; Secure; HttpOnly; SameSite=Lax'],
];

const unsendable: readonly [
  why: string,
  cookie: Omit<SetCookie, 'name' | 'value'> & { name?: string; value?: string },
][] = [
  ['an empty name', { name: '' }],
  ['a name with a space', { name: 'a b' }],
  ['a name with an equals sign', { name: 'a=b' }],
  ['a name that ends the field', { name: 'a\r\nX: y' }],
  ['a value that ends the field', { value: 'a\r\nSet-Cookie: admin=1' }],
  ['a value that adds an attribute', { value: 'a; Domain=evil.example' }],
  ['a value with a comma', { value: 'a,b' }],
  ['a value with a space', { value: 'a b' }],
  ['a value with a backslash', { value: 'a\\b' }],
  ['a value with a NUL', { value: 'a\0' }],
  ['a value that is not ASCII', { value: 'é' }],
  ['a lone quote', { value: '"' }],
  ['a quote inside', { value: '"a"b"' }],
  ['a pair that browsers drop', { value: 'x'.repeat(4_096) }],
  ['no seconds', { maxAgeSeconds: 0 }],
  ['negative seconds', { maxAgeSeconds: -1 }],
  ['a fraction of seconds', { maxAgeSeconds: 0.5 }],
  ['more than 400 days', { maxAgeSeconds: 34_560_001 }],
  ['no date', { expiresMs: Number.NaN }],
  ['a date in the year 10000', { expiresMs: 253_402_300_800_000 }],
  ['a domain with a leading dot', { domain: '.example.com' }],
  ['an empty domain', { domain: '' }],
  ['an address as domain', { domain: '127.0.0.1' }],
  ['a domain that adds an attribute', { domain: 'a.b; Path=/x' }],
  ['a domain that ends the field', { domain: 'a.b\r\nX: y' }],
  ['a relative path', { path: 'a' }],
  ['a path that adds an attribute', { path: '/; Domain=evil.example' }],
  ['a path that ends the field', { path: '/\r\nX: y' }],
  ['a path that browsers ignore', { path: `/${'x'.repeat(1_024)}` }],
  ['SameSite=None without Secure', { sameSite: 'None', secure: false }],
  ['an unknown SameSite', { sameSite: 'None; Domain=evil.example' as 'None' }],
  ['Partitioned without Secure', { partitioned: true, secure: false }],
  ['__Secure- without Secure', { name: '__Secure-a', secure: false }],
  ['__secure- in another case', { name: '__sEcUrE-a', secure: false }],
  ['__Host- without Secure', { name: '__Host-a', secure: false }],
  ['__Host- with a domain', { name: '__Host-a', domain: 'a.b' }],
  ['__Host- with a path', { name: '__HOST-a', path: '/a' }],
  ['__Http- for scripts', { name: '__Http-a', httpOnly: false }],
  ['__Host-Http- for scripts', { name: '__Host-Http-a', httpOnly: false }],
  ['__Host-Http- with a domain', { name: '__host-http-a', domain: 'a.b' }],
];

suite('the Set-Cookie field', () => {
  for (const [cookie, field] of writing) test(field, () => assert.equal(setCookie(cookie), field));

  for (const [why, cookie] of unsendable) {
    test(`is not sent with ${why}`, () =>
      assert.throws(() => setCookie({ name: 'a', value: 'b', ...cookie }), { code: 'unsendable' }));
  }

  test('removes a cookie', () => {
    assert.equal(
      clearCookie({ name: '__Host-sid' }),
      '__Host-sid=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; Secure; HttpOnly; SameSite=Lax',
    );
  });

  test('carries any text percent-encoded', () => {
    const text = 'a; b=c, "d" \\ é 🫖\r\n';
    const [pair = ''] = setCookie({ name: 'a', value: encodeURIComponent(text) }).split(';');
    assert.equal(percentDecode(cookiesOf(pair).get('a')!), text);
  });
});

const key = (fill: number): Buffer => Buffer.alloc(32, fill);

suite('a signed cookie', () => {
  test('has its value, a dot and an HMAC-SHA-256 over name and value', () => {
    // printf 'sid=42' | openssl dgst -sha256 -mac HMAC -macopt hexkey:$(printf '01%.0s' {1..32}) -binary | base64
    assert.equal(
      createCookieSigner([key(1)]).sign('sid', '42'),
      '42.gfrfQZ8K5ji2IqlJCbSxeg057nRfhJUkinhO7SomlB0',
    );
  });

  test('is known by every key, and written with the first', () => {
    const old = createCookieSigner([key(1)]);
    const both = createCookieSigner([key(2), key(1)]);
    const young = createCookieSigner([key(2)]);
    assert.equal(both.verify('sid', old.sign('sid', '42')), '42');
    assert.equal(young.verify('sid', both.sign('sid', '42')), '42');
    assert.equal(young.verify('sid', old.sign('sid', '42')), undefined);
  });

  test('may hold dots, and nothing', () => {
    const signer = createCookieSigner([key(1)]);
    for (const value of ['', '.', 'a.b', '..'])
      assert.equal(signer.verify('a', signer.sign('a', value)), value);
  });

  test('does not verify when anything is changed', () => {
    const signer = createCookieSigner([key(1)]);
    const signed = signer.sign('sid', 'user-1');
    assert.equal(signer.verify('other', signed), undefined);
    for (let at = 0; at < signed.length; at++) {
      const changed =
        signed.slice(0, at) + String.fromCharCode(signed.charCodeAt(at) ^ 1) + signed.slice(at + 1);
      assert.equal(signer.verify('sid', changed), undefined, changed);
      assert.equal(signer.verify('sid', signed.slice(0, at)), undefined);
    }
    for (const forged of [
      '',
      '.',
      'user-1',
      'user-1.',
      `${signed}=`,
      `${signed} `,
      `user-1.${'A'.repeat(43)}`,
    ])
      assert.equal(signer.verify('sid', forged), undefined, forged);
  });

  test('has a name that ends where the value begins', () => {
    const signer = createCookieSigner([key(1)]);
    assert.throws(() => signer.sign('a=b', 'c'), { code: 'unsendable' });
    assert.equal(signer.verify('a=b', signer.sign('a', 'b=c').slice(2)), undefined);
  });

  test('is found behind one that was planted', () => {
    const signer = createCookieSigner([key(1)]);
    const cookies = cookiesOf(`sid=planted.${'A'.repeat(43)}; sid=${signer.sign('sid', 'mine')}`);
    assert.equal(signer.read(cookies, 'sid'), 'mine');
    assert.equal(signer.read(cookies, 'none'), undefined);
  });

  test('needs keys that are worth it, and keeps its own copy', () => {
    for (const keys of [[], [Buffer.alloc(31)], [key(1), Buffer.alloc(0)], Array<Buffer>(9).fill(key(1))])
      assert.throws(() => createCookieSigner(keys), { code: 'bad-cookie-key' });
    const given = key(1);
    const signer = createCookieSigner([given]);
    given.fill(2);
    assert.equal(signer.sign('a', 'b'), createCookieSigner([key(1)]).sign('a', 'b'));
  });
});

suite('cookies over a socket', () => {
  /** What the server answers to one request with these field lines, and nothing behind. */
  async function answer(lines: readonly string[]): Promise<string> {
    const host = testHost('http');
    const server = await startHttpServer({
      host,
      address: { host: '127.0.0.1', port: 0 },
      handler: (request) => {
        const cookies = readCookies(request.headers);
        const echo = cookies.get('echo');
        if (echo === undefined) return text(200, `${cookies.size} of which ${cookies.get('toString')}`);
        return text(200, 'set', [
          ['Set-Cookie', setCookie({ name: 'echo', value: percentDecode(echo) ?? '' })],
        ]);
      },
    });
    const peer = await Peer.connect(host.network, server.endpoint);
    peer.send(['GET / HTTP/1.1', 'Host: a', 'Connection: close', ...lines, '', ''].join('\r\n'));
    const received = (await peer.untilClosed()).toString('latin1');
    await server.close(0);
    return received;
  }

  test('a flood of __proto__ is a 431, in one field or in many', async () => {
    const flood = `Cookie: ${Array(600).fill('__proto__=1').join('; ')}`;
    assert.match(await answer([flood]), /^HTTP\/1\.1 431 /);
    assert.match(
      await answer(Array(90).fill('Cookie: __proto__=1; constructor=2; toString=3')),
      /^HTTP\/1\.1 431 /,
    );
    assert.match(await answer(['Cookie: __proto__=1; constructor=2']), /\r\n\r\n2 of which undefined$/);
  });

  test('a value that carries a line or an attribute back is sent as no field', async () => {
    for (const injected of ['a%0d%0aSet-Cookie:%20admin=1', 'a%3b%20Domain=evil.example', 'a%0aX: y']) {
      const received = await answer([`Cookie: echo=${injected}`]);
      assert.match(received, /^HTTP\/1\.1 500 /);
      assert.ok(!/set-cookie|domain/i.test(received));
    }
    assert.match(
      await answer(['Cookie: echo=fine']),
      /\r\nSet-Cookie: echo=fine; Path=\/; Secure; HttpOnly; SameSite=Lax\r\n/,
    );
  });
});
