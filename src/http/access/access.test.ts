import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import fc from 'fast-check';
import type { HeaderList } from '../types.ts';
import { Fields } from '../wire/fields.ts';
import { basicChallenge, basicCredentials, hostNameOf, isOwnOrigin, secretsEqual } from './index.ts';

const fields = (...list: HeaderList) => Fields.from(list);
const authorization = (...values: string[]) =>
  Fields.from(values.map((value) => ['Authorization', value] as const));

suite('Basic', () => {
  // RFC 7617 section 2 and 2.1.
  const good = [
    ['Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==', 'Aladdin', 'open sesame'],
    ['Basic dGVzdDoxMjPCow==', 'test', '123£'],
    ['bAsIc QTo=', 'A', ''],
    ['Basic OmE6Yg==', '', 'a:b'],
    ['Basic   QTpi', 'A', 'b'],
    ['Basic QTpiYg', 'A', 'bb'],
  ] as const;
  for (const [value, user, password] of good) {
    test(value, () => assert.deepEqual(basicCredentials(authorization(value)), { user, password }));
  }

  const bad = [
    'Basic',
    'Basic ',
    'Basic QQ==',
    'Bearer QTpi',
    'BasicQTpi',
    'Basic QTpi QTpi',
    'Basic QTpi, Basic QTpi',
    'Basic QTp i',
    'Basic QT*pi',
    'Basic QTpi====x',
    'Basic QTpiY',
    // Bits behind the last byte: another spelling of the same.
    'Basic QTpiYh==',
    // URL-safe base64, and a line end, NUL and bytes that are no UTF-8 in what it holds.
    'Basic QTpi_w',
    'Basic QTpiCmM=',
    'Basic QTpiAGM=',
    'Basic QTr/',
  ];
  for (const value of bad) {
    test(`${value} is none`, () => assert.equal(basicCredentials(authorization(value)), undefined));
  }

  test('said twice is none, for two readers could take one each', () => {
    assert.equal(basicCredentials(authorization('Basic QTpi', 'Basic QTpi')), undefined);
    assert.equal(basicCredentials(fields()), undefined);
  });

  test('any user and password come back', () => {
    const printable = fc.string({ unit: fc.constantFrom('a', ' ', '"', 'é', '€', '😀', '/', '=') });
    const pair = fc.tuple(printable, fc.string({ unit: fc.constantFrom('a', ':', '£') }));
    fc.assert(
      fc.property(pair, ([user, password]) => {
        const value = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
        assert.deepEqual(basicCredentials(authorization(value)), { user, password });
      }),
    );
  });
});

test('the challenge', () => {
  assert.equal(basicChallenge('octet mail'), 'Basic realm="octet mail", charset="UTF-8"');
});

test('the name that was called', () => {
  const cases = [
    ['localhost', 'localhost'],
    ['LocalHost:8080', 'localhost'],
    ['127.0.0.1:80', '127.0.0.1'],
    ['[::1]', '[::1]'],
    ['[::1]:8080', '[::1]'],
    ['evil.example', 'evil.example'],
  ] as const;
  for (const [host, name] of cases) assert.equal(hostNameOf(fields(['Host', host])), name, host);
  assert.equal(hostNameOf(fields()), '');
});

test('the origin of a page is ours or not', () => {
  const from = (...list: HeaderList) => isOwnOrigin({ headers: fields(['Host', 'a.test:80'], ...list) });
  assert.equal(from(), true);
  assert.equal(from(['Origin', 'http://a.test:80']), true);
  assert.equal(from(['Origin', 'https://a.test:80']), true);
  for (const origin of [
    'http://a.test',
    'http://a.test:8',
    'http://a.test:80.evil',
    'null',
    'ftp://a.test:80',
    '',
  ])
    assert.equal(from(['Origin', origin]), false, origin);
  assert.equal(from(['Origin', 'http://a.test:80'], ['Origin', 'http://evil']), false);
});

test('secrets', () => {
  assert.equal(secretsEqual('open', 'open'), true);
  for (const given of ['', 'opens', 'Open', 'ope']) assert.equal(secretsEqual(given, 'open'), false, given);
});
