import assert from 'node:assert/strict';
import test from 'node:test';
import { HttpClientError } from '../errors.ts';
import { isExcepted, parseProxy } from './proxy.ts';
import { parseRequestUrl } from './url.ts';

/** A rule, a URL that it lets go direct, and one that it does not. */
const RULES: readonly (readonly [rule: string, direct: string, proxied: string])[] = [
  ['example.com', 'http://example.com/', 'http://notexample.com/'],
  ['example.com', 'http://a.EXAMPLE.com:8080/', 'http://example.com.evil.test/'],
  ['.example.com', 'https://a.example.com/', 'http://aexample.com/'],
  ['.example.com', 'http://example.com./', 'http://example.org/'],
  ['example.com:8080', 'http://example.com:8080/', 'http://example.com/'],
  ['EXAMPLE.COM', 'http://example.com/', 'http://com/'],
  ['10.0.0.0/8', 'http://10.1.2.3/', 'http://11.1.2.3/'],
  ['192.0.2.1', 'http://192.0.2.1/', 'http://192.0.2.10/'],
  ['192.0.2.1:81', 'http://192.0.2.1:81/', 'http://192.0.2.1/'],
  ['2001:db8::/32', 'http://[2001:db8::5]/', 'http://[2001:db9::5]/'],
  ['[::1]:81', 'http://[::1]:81/', 'http://[::1]/'],
  ['1.2.3.4', 'http://1.2.3.4/', 'http://x.1.2.3.4/'],
];

test('no_proxy rules', () => {
  for (const [rule, direct, proxied] of RULES) {
    assert.ok(isExcepted(parseRequestUrl(direct), ['other.test', rule]), `${rule} ${direct}`);
    assert.ok(!isExcepted(parseRequestUrl(proxied), ['other.test', rule]), `${rule} ${proxied}`);
  }
  assert.ok(isExcepted(parseRequestUrl('http://any/'), ['*']));
  for (const rule of ['', '.', ':80', '['])
    assert.ok(!isExcepted(parseRequestUrl('http://any/'), [rule]), rule);
});

test('a proxy is an http URL with neither path nor user', () => {
  assert.deepEqual(parseProxy({ url: 'http://proxy:3128' }), {
    host: 'proxy',
    port: 3128,
    authorization: undefined,
    except: [],
  });
  for (const url of [
    'https://proxy:3128',
    'socks5://proxy',
    'proxy:3128',
    'http://proxy/x',
    'http://u:p@proxy/',
  ])
    assert.throws(() => parseProxy({ url }), HttpClientError, url);
});
