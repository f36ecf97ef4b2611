import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import fc from 'fast-check';
import type { HeaderList } from '../types.ts';
import { Fields } from '../wire/fields.ts';
import { createHostRule, isAllowedHost, isHostName } from './index.ts';

const called = (host: string) => Fields.from([['Host', host]] satisfies HeaderList);

function answers(
  host: string,
  allowedHosts?: readonly string[],
  { address = '127.0.0.1', served = [] as readonly string[] } = {},
): boolean {
  return createHostRule({ address: () => address, allowedHosts, served })(called(host));
}

const NOBODYS = [
  '127.0.0.1',
  '127.0.0.1:8080',
  '127.0.0.1.',
  '10.1.2.3',
  '0.0.0.0:80',
  '[::1]',
  '[::1]:8080',
  '[2001:db8::1]:80',
  '[::ffff:127.0.0.1]',
  'localhost',
  'LocalHost:8080',
  'localhost.',
  'api',
  'my_api:80',
  '4f1c2d',
  'xn--bcher-kva',
  'a.localhost',
  'a.b.localhost.:80',
  'x.test',
  'X.TEST:80',
  'x.invalid',
  'x.example',
  'evil.example.',
  'printer.local',
  'shop.internal',
  'home.arpa',
  'nas.home.arpa',
];

/**
 * Names that anybody may have, in the spellings that have passed other servers' checks, and what is no name. Text behind
 * a bracket or a port is refused by the grammar of Host, before the rule is asked: see http/testing/attacks.ts.
 */
const SOMEBODYS = [
  'evil.example.com',
  'EVIL.example.com:80',
  'evil.example.com.',
  'evil.example.com.:80',
  'example.com',
  'example.org',
  'example.net',
  '127.0.0.1.evil.example.com',
  '127.0.0.1.nip.io',
  '127-0-0-1.sslip.io',
  'localhost.evil.example.com',
  'localhost.evil.example.com:8080',
  'x.test.evil.example.com',
  'internal.evil.example.com',
  'home.arpa.evil.example.com',
  'evilhome.arpa',
  '1.0.0.127.in-addr.arpa',
  'evil-localhost.com',
  'evil.localhost-com.net',
  'evil.latest',
  'evil.nottest',
  'evil.locals',
  '0x7f.1',
  '0x7f.0.0.1',
  '127.1',
  '127.0.0.256',
  '127.0.0.01',
  '0177.0.0.1',
  '127.0.0.1.1',
  '2130706433',
  '0x7f000001',
  '0x',
  '',
  '.',
  '..',
  ':80',
  '.localhost',
  'localhost..',
  'a..localhost',
  'evil.example.com..',
  'evil%2eexample%2ecom',
  'evil.example.com%00.localhost',
  'evil,localhost',
  'a b.localhost',
  'bücher.localhost',
  '[::1',
  '[evil.example.com]',
  'evil.example.com#.localhost',
  'evil.example.com/.localhost',
  'user@localhost',
  `${'a'.repeat(64)}.localhost`,
  `${'a.'.repeat(130)}localhost`,
];

suite('on loopback', () => {
  for (const host of NOBODYS) test(`${host} is answered`, () => assert.equal(answers(host), true));
  for (const host of SOMEBODYS)
    test(`${JSON.stringify(host)} is refused`, () => assert.equal(answers(host), false));

  test('HTTP/1.0 without Host is answered: no browser sends it', () => {
    const rule = createHostRule({ address: () => '127.0.0.1', allowedHosts: undefined });
    assert.equal(rule(Fields.from([])), true);
  });

  test('whatever is put before a name that somebody has, it stays theirs', () => {
    const label = fc.constantFrom('localhost', '127', '0', '1', 'test', 'a', 'internal', 'home', 'arpa');
    const names = fc.tuple(fc.array(label), fc.constantFrom('', '.'), fc.constantFrom('', ':80'));
    fc.assert(
      fc.property(names, ([labels, dot, port]) => {
        assert.equal(answers(`${[...labels, 'evil', 'com'].join('.')}${dot}${port}`), false);
      }),
    );
  });

  test('every address of 127.0.0.0/8 and ::1 is loopback', () => {
    for (const address of ['127.0.0.1', '127.1.0.2', '::1', '::ffff:127.0.0.1'])
      assert.equal(answers('evil.example.com', undefined, { address }), false, address);
  });
});

suite('names that are listed', () => {
  const listed = ['Shop.example.com', '*.b.example.com', 'c.example.com.'];
  const answered = [
    'shop.example.com',
    'SHOP.example.com:80',
    'shop.example.com.',
    'a.b.example.com',
    'A.B.example.com.:443',
    'c.example.com',
    'localhost',
    '127.0.0.1',
  ];
  const refused = [
    'example.com',
    'a.shop.example.com',
    'shop.example.com.evil.net',
    'evilshop.example.com',
    'b.example.com',
    'b.example.com.',
    'a.a.b.example.com',
    '.b.example.com',
    'evil.net',
    '',
  ];
  for (const host of answered) test(`${host} is answered`, () => assert.equal(answers(host, listed), true));
  for (const host of refused)
    test(`${JSON.stringify(host)} is refused`, () => assert.equal(answers(host, listed), false));

  test('* is every name', () => {
    for (const host of ['evil.example.com', '', '0x7f.1']) assert.equal(answers(host, ['*']), true, host);
  });

  test('hold beyond loopback too; without a list all are answered there', () => {
    for (const address of ['0.0.0.0', '::', '192.0.2.1']) {
      assert.equal(answers('evil.example.com', undefined, { address }), true, address);
      assert.equal(answers('evil.example.com', undefined, { address, served: ['a.example.com'] }), true);
      assert.equal(answers('evil.example.com', [], { address }), false, address);
      assert.equal(answers('shop.example.com', listed, { address }), true, address);
      assert.equal(answers('192.0.2.1', listed, { address }), true, address);
    }
  });

  test('what is served for another reason is exact: no wildcard comes in that way', () => {
    const served = ['Files.example.com', '*', '*.example.com'];
    assert.equal(answers('files.example.com:80', undefined, { served }), true);
    assert.equal(answers('other.example.com', undefined, { served }), false);
  });

  test('the address is asked once, with the first request', () => {
    let asked = 0;
    const address = () => `127.0.0.${++asked}`;
    const rule = createHostRule({ address, allowedHosts: undefined });
    assert.equal(asked, 0);
    for (let at = 0; at < 3; at++) rule(called('a'));
    assert.equal(asked, 1);
  });
});

test('what may be listed', () => {
  const names = [
    'a',
    'shop.example.com',
    'Shop.Example.com.',
    'my_api.test',
    '127.0.0.1',
    '[::1]',
    '1.example',
  ];
  for (const name of names) assert.deepEqual([isHostName(name), isAllowedHost(name)], [true, true], name);
  for (const name of ['*', '*.b.test', '*.com', '*.b.test.'])
    assert.deepEqual([isHostName(name), isAllowedHost(name)], [false, true], name);
  const none = [
    '',
    '.',
    'a:80',
    'http://a.test',
    'a.test/',
    'a..test',
    '.a.test',
    'a b',
    'bücher.test',
    '::1',
    '[::1]:80',
    '127.1',
    '**.test',
    '*a.test',
    'a.*.test',
    '*.',
    '*.127.0.0.1',
    '*.*.test',
  ];
  for (const name of none) assert.deepEqual([isHostName(name), isAllowedHost(name)], [false, false], name);
});
