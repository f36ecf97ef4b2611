import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { S3Error } from '../errors.ts';
import { collectFields } from './fields.ts';
import { Query } from './query.ts';
import { parseTarget } from './target.ts';
import { decodeUri, encodePath, encodeUri } from './uri-encoding.ts';

describe('percent-encoding', () => {
  const cases = [
    ['', ''],
    ['AZaz09-._~', 'AZaz09-._~'],
    [' ', '%20'],
    ['+', '%2B'],
    ['*', '%2A'],
    ["!'()", '%21%27%28%29'],
    ['%', '%25'],
    ['%2F', '%252F'],
    ['é', '%C3%A9'],
    ['ü\n', '%C3%BC%0A'],
    ['😀', '%F0%9F%98%80'],
  ] as const;
  for (const [text, encoded] of cases) {
    test(JSON.stringify(text), () => {
      assert.equal(encodeUri(text), encoded);
      assert.equal(decodeUri(encoded), text);
    });
  }

  test('a slash is kept in paths and encoded elsewhere', () => {
    assert.equal(encodePath('/a//b/../c'), '/a//b/../c');
    assert.equal(encodeUri('a/b'), 'a%2Fb');
  });

  test('what is broken has no decoding', () => {
    for (const broken of ['%', '%1', '%zz', '%G0', 'a%2', '%ff', '%c3', '%C0%AF', '%ED%A0%80']) {
      assert.equal(decodeUri(broken), undefined, broken);
    }
  });

  test('any text survives', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        assert.equal(decodeUri(encodeUri(text)), text);
        assert.equal(decodeUri(encodePath(text)), text);
      }),
    );
  });
});

describe('query', () => {
  const cases = [
    ['', ''],
    ['a', 'a='],
    ['b=2&a=1', 'a=1&b=2'],
    ['a=%2f', 'a=%2F'],
    ['a=x+y', 'a=x%20y'],
    ['prefix=a b', 'prefix=a%20b'],
    ['a-b=1&a=2&a.b=3', 'a=2&a-b=1&a.b=3'],
    ['A=1&a=2', 'A=1&a=2'],
    ['&&a=1&', 'a=1'],
    ['a=b=c', 'a=b%3Dc'],
  ] as const;
  for (const [raw, canonical] of cases) {
    test(JSON.stringify(raw), () => assert.equal(Query.parse(raw).canonical(), canonical));
  }

  test('a name given twice is refused, in whatever spelling', () => {
    for (const raw of ['a=1&a=2', 'a&a', '%61=1&a=1', 'X-Amz-Expires=1&X-Amz-Expires=604800']) {
      assert.throws(() => Query.parse(raw), { code: 'InvalidArgument' });
    }
  });
});

describe('fields', () => {
  test('names are folded to lower case', () => {
    assert.equal(collectFields([['X-Amz-Date', 'x']]).get('x-amz-date'), 'x');
  });

  test('a repeated field is refused, unless it is a list that proxies add to', () => {
    for (const name of [
      'host',
      'X-Amz-Copy-Source',
      'authorization',
      'range',
      'content-type',
      'x-amz-meta-a',
    ]) {
      const twice = [
        [name, 'a'],
        [name.toUpperCase(), 'b'],
      ] as const;
      assert.throws(() => collectFields(twice), { code: 'InvalidArgument' }, name);
    }
    const via = [
      ['Via', '1.1 a'],
      ['via', '1.1 b'],
    ] as const;
    assert.equal(collectFields(via).get('via'), '1.1 a,1.1 b');
  });
});

describe('targets', () => {
  const cases: readonly (readonly [string, string | undefined, string | undefined, string | undefined])[] = [
    ['/', undefined, undefined, undefined],
    ['/bucket', undefined, 'bucket', undefined],
    ['/bucket/', undefined, 'bucket', undefined],
    ['/bucket/key', undefined, 'bucket', 'key'],
    ['/bucket//key', undefined, 'bucket', '/key'],
    ['/bucket/a//b', undefined, 'bucket', 'a//b'],
    ['/bucket/../key', undefined, 'bucket', '../key'],
    ['/bucket/%2e%2e/%2Fkey', undefined, 'bucket', '..//key'],
    ['/bucket/./a', undefined, 'bucket', './a'],
    ['/bucket/a+b%20c', undefined, 'bucket', 'a+b c'],
    ['/bucket/%25', undefined, 'bucket', '%'],
    ['/bucket/%00', undefined, 'bucket', '\0'],
    ['/bucket/\xc3\xa9', undefined, 'bucket', 'é'],
    ['/key', 'bkt.s3.localhost:9000', 'bkt', 'key'],
    ['/', 'bkt.s3.localhost', 'bkt', undefined],
    ['/key', 'BKT.S3.localhost', 'bkt', 'key'],
    ['/bucket/key', 's3.localhost:9000', 'bucket', 'key'],
    ['/bucket/key', 'x.evil.test', 'bucket', 'key'],
    ['/bucket/key', '_.s3.localhost', 'bucket', 'key'],
  ];
  for (const [path, host, bucket, key] of cases) {
    test(`${path} at ${host ?? 'no host'}`, () => {
      const target = parseTarget(path, host, 's3.localhost');
      assert.deepEqual([target.bucket, target.key], [bucket, key]);
    });
  }

  test('what is no path is refused', () => {
    for (const path of ['*', '', 'http://a/b', '/bucket/%', '/bucket/%ff']) {
      assert.throws(() => parseTarget(path, undefined, undefined), { code: 'InvalidURI' }, path);
    }
    assert.throws(() => parseTarget('//key', undefined, undefined), { code: 'InvalidBucketName' });
  });

  test('a key has at most 1,024 bytes of UTF-8', () => {
    parseTarget(`/bucket/${'é'.repeat(512)}`.replaceAll('é', '%C3%A9'), undefined, undefined);
    assert.throws(
      () => parseTarget(`/bucket/${'%C3%A9'.repeat(512)}x`, undefined, undefined),
      (thrown) => thrown instanceof S3Error && thrown.code === 'KeyTooLongError',
    );
  });
});
