/** The small pure rooms, each by a table. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isS3Code } from '../errors.ts';
import { parseCopyRange, spanOfRange } from './byte-range.ts';
import { evaluateConditions, failedWriteCondition, rangeHolds, readConditions } from './conditions.ts';
import { parseCopySource } from './copy-source.ts';
import { formatAmzDate, parseAmzDate, parseHttpDate } from './dates.ts';
import { decodeToken, encodeToken } from './list-parameters.ts';
import { isBucketName } from './names.ts';
import { readObjectFields, writeObjectFields } from './object-fields.ts';
import { Query } from './query.ts';
import { routeRequest } from './route.ts';

describe('bucket names', () => {
  const good = ['abc', 'a-b', 'a.b.c', '123', 'a'.repeat(63), '1.2.3', 'my.bucket-1'];
  const bad = [
    '',
    'ab',
    'a'.repeat(64),
    'Abc',
    'a_b',
    '-abc',
    'abc-',
    'a..b',
    '.abc',
    'a.-b',
    '192.168.5.4',
    'xn--abc',
    'abc-s3alias',
    'a b',
    'ä-b',
    '../x',
  ];
  for (const name of good) test(`${name} is one`, () => assert.equal(isBucketName(name), true));
  for (const name of bad)
    test(`${JSON.stringify(name)} is none`, () => assert.equal(isBucketName(name), false));
});

describe('dates', () => {
  test('SigV4', () => {
    assert.equal(parseAmzDate('20130524T010203Z'), Date.UTC(2013, 4, 24, 1, 2, 3));
    assert.equal(formatAmzDate(Date.UTC(2013, 4, 24, 1, 2, 3, 999)), '20130524T010203Z');
    for (const text of [
      '',
      '20130524',
      '20130524T010203',
      '2013052XT010203Z',
      '20131324T010203Z',
      '20130231T000000Z',
    ]) {
      assert.equal(parseAmzDate(text), undefined, text);
    }
  });

  test('HTTP, in its three forms', () => {
    const time = Date.UTC(1994, 10, 6, 8, 49, 37);
    assert.equal(parseHttpDate('Sun, 06 Nov 1994 08:49:37 GMT'), time);
    assert.equal(parseHttpDate('Sunday, 06-Nov-94 08:49:37 GMT'), time);
    assert.equal(parseHttpDate('Sun Nov  6 08:49:37 1994'), time);
    assert.equal(parseHttpDate('1994-11-06T08:49:37.000Z'), time);
    for (const text of ['', '0', '1', 'yesterday', 'Sun', 'Sun, 99 Foo 1994 08:49:37 GMT']) {
      assert.equal(parseHttpDate(text), undefined, text);
    }
  });
});

describe('ranges of ten bytes', () => {
  const cases = [
    ['bytes=0-4', [0, 5]],
    ['bytes=5-', [5, 10]],
    ['bytes=5-500', [5, 10]],
    ['bytes=-3', [7, 10]],
    ['bytes=-30', [0, 10]],
    ['bytes=9-9', [9, 10]],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=4-2', 'whole'],
    ['bytes=0-1,3-4', 'whole'],
    ['bytes=a-b', 'whole'],
    ['bytes=-', 'whole'],
    ['lines=1-2', 'whole'],
    ['bytes=0-99999999999999999999', 'whole'],
    ['', 'whole'],
  ] as const;
  for (const [text, expected] of cases) {
    test(JSON.stringify(text), () => {
      const span = spanOfRange(text, 10);
      assert.deepEqual(typeof span === 'string' ? span : [span.start, span.end], expected);
    });
  }

  test('none of no bytes, unless it is none at all', () => {
    for (const text of ['bytes=0-', 'bytes=0-0', 'bytes=-5', 'bytes=-0'])
      assert.equal(spanOfRange(text, 0), 'unsatisfiable', text);
    for (const text of [undefined, 'bytes=4-2', 'bytes=0-1,3-4', 'lines=1-2'])
      assert.equal(spanOfRange(text, 0), 'whole', String(text));
  });

  test('of a copy, in its one form', () => {
    assert.deepEqual(parseCopyRange('bytes=3-9'), { start: 3, end: 10 });
    assert.deepEqual(parseCopyRange('bytes=0-0'), { start: 0, end: 1 });
    for (const text of ['bytes=3-', 'bytes=-3', '3-9', 'bytes=9-3', 'bytes=0-1,3-4', 'bytes=', ''])
      assert.equal(parseCopyRange(text), undefined, text);
  });
});

describe('conditions of an object with ETag e, changed on the 24th', () => {
  const object = { etag: 'e', modifiedMs: Date.UTC(2013, 4, 24, 0, 0, 0, 500) };
  const before = 'Thu, 23 May 2013 00:00:00 GMT';
  const then = 'Fri, 24 May 2013 00:00:00 GMT';
  const cases: readonly (readonly [Record<string, string>, string | number])[] = [
    [{}, 'proceed'],
    [{ 'if-match': '"e"' }, 'proceed'],
    [{ 'if-match': 'e' }, 'proceed'],
    [{ 'if-match': '*' }, 'proceed'],
    [{ 'if-match': '"x", "e"' }, 'proceed'],
    [{ 'if-match': '"x"' }, 412],
    [{ 'if-none-match': '"e"' }, 304],
    [{ 'if-none-match': 'W/"e"' }, 304],
    [{ 'if-none-match': '*' }, 304],
    [{ 'if-none-match': '"x"' }, 'proceed'],
    [{ 'if-modified-since': before }, 'proceed'],
    [{ 'if-modified-since': then }, 304],
    [{ 'if-unmodified-since': before }, 412],
    [{ 'if-unmodified-since': then }, 'proceed'],
    [{ 'if-match': '"e"', 'if-unmodified-since': before }, 'proceed'],
    [{ 'if-none-match': '"x"', 'if-modified-since': then }, 'proceed'],
    [{ 'if-match': '"e"', 'if-none-match': '"e"' }, 304],
    [{ 'if-match': '"x"', 'if-none-match': '"e"' }, 412],
    [{ 'if-modified-since': 'nonsense' }, 'proceed'],
    [{ 'if-unmodified-since': 'nonsense' }, 'proceed'],
    [{ 'if-match': 'W/"e"' }, 'proceed'],
    [{ 'if-match': 'x, e' }, 'proceed'],
    [{ 'if-match': 'a b, "x"y", "e"' }, 'proceed'],
    [{ 'if-match': 'x, *' }, 'proceed'],
    [{ 'if-match': '' }, 412],
    [{ 'if-none-match': '' }, 'proceed'],
    [{ 'if-modified-since': '2013-05-24T00:00:00Z' }, 304],
    [{ 'if-unmodified-since': '2013-05-23T00:00:00.000Z' }, 412],
  ];
  for (const [fields, verdict] of cases) {
    test(JSON.stringify(fields), () => {
      assert.equal(evaluateConditions(readConditions(new Map(Object.entries(fields))), object), verdict);
    });
  }
});

describe('If-Range of an object with ETag e, changed on the 24th', () => {
  const object = { etag: 'e', modifiedMs: Date.UTC(2013, 4, 24, 0, 0, 0, 500) };
  const later = object.modifiedMs + 2_000;
  const cases = [
    ['"e"', true],
    ['e', true],
    ['"x"', false],
    ['W/"e"', false],
    ['Fri, 24 May 2013 00:00:00 GMT', true],
    ['2013-05-24T00:00:00Z', true],
    ['Thu, 23 May 2013 00:00:00 GMT', false],
  ] as const;
  for (const [value, expected] of cases) {
    test(value, () => {
      const conditions = readConditions(new Map([['if-range', value]]));
      assert.equal(rangeHolds(conditions, object, later), expected);
    });
  }

  test('a date that two contents may share is none', () => {
    const conditions = readConditions(new Map([['if-range', 'Fri, 24 May 2013 00:00:00 GMT']]));
    assert.equal(rangeHolds(conditions, object, object.modifiedMs + 100), false);
  });
});

describe('conditions of a write', () => {
  const cases = [
    [{}, 'e', undefined],
    [{ 'if-match': 'e' }, 'e', undefined],
    [{ 'if-match': '"x"' }, 'e', 'If-Match'],
    [{ 'if-match': '*' }, undefined, 'If-Match'],
    [{ 'if-none-match': '*' }, undefined, undefined],
    [{ 'if-none-match': '"*"' }, 'e', 'If-None-Match'],
    [{ 'if-match': '"*"' }, 'e', undefined],
    [{ 'if-none-match': '*' }, 'e', 'If-None-Match'],
    [{ 'if-none-match': 'W/"e"' }, 'e', 'If-None-Match'],
    [{ 'if-unmodified-since': 'Thu, 23 May 2013 00:00:00 GMT' }, 'e', undefined],
  ] as const;
  for (const [fields, etag, failed] of cases) {
    test(`${JSON.stringify(fields)} over ${etag ?? 'nothing'}`, () => {
      const current = etag === undefined ? undefined : { etag };
      assert.equal(failedWriteCondition(readConditions(new Map(Object.entries(fields))), current), failed);
    });
  }
});

describe('fields of objects', () => {
  const read = (fields: Record<string, string>) => readObjectFields(new Map(Object.entries(fields)));

  test('aws-chunked is the transfer’s, gzip is the object’s', () => {
    const encodingOf = (text: string) => read({ 'content-encoding': text }).system['content-encoding'];
    assert.equal(encodingOf('aws-chunked'), undefined);
    assert.equal(encodingOf('gzip'), 'gzip');
    assert.equal(encodingOf('gzip,aws-chunked'), 'gzip');
    assert.equal(encodingOf('aws-chunked, gzip, br'), 'gzip, br');
  });

  test('content type has a default', () => {
    assert.equal(read({}).system['content-type'], 'binary/octet-stream');
    assert.equal(read({ 'content-type': 'text/plain' }).system['content-type'], 'text/plain');
  });

  test('metadata goes in and out', () => {
    const fields = read({ 'x-amz-meta-a': '1', 'x-amz-meta-b-c': 'x y', 'x-other': '2' });
    assert.deepEqual(fields.metadata, { a: '1', 'b-c': 'x y' });
    assert.deepEqual(writeObjectFields(fields, { 'content-type': 'a/b' }), [
      ['Content-Type', 'a/b'],
      ['x-amz-meta-a', '1'],
      ['x-amz-meta-b-c', 'x y'],
    ]);
  });

  test('more than 2 KiB of metadata, or a control character in it, is refused', () => {
    read({ 'x-amz-meta-a': 'x'.repeat(2047) });
    assert.throws(() => read({ 'x-amz-meta-a': 'x'.repeat(2048) }), { code: 'MetadataTooLarge' });
    for (const value of ['a\r\nb', 'a\nb', 'a\0b', 'a\x7fb']) {
      assert.throws(() => read({ 'x-amz-meta-a': value }), { code: 'InvalidArgument' });
    }
  });
});

describe('copy sources', () => {
  const cases = [
    ['/bucket/key', 'bucket', 'key', undefined],
    ['bucket/key', 'bucket', 'key', undefined],
    ['bucket/a%2Fb%20c+d', 'bucket', 'a/b c+d', undefined],
    ['bucket/a/../b', 'bucket', 'a/../b', undefined],
    ['bucket/key?versionId=null', 'bucket', 'key', 'null'],
    ['bucket/what%3F', 'bucket', 'what?', undefined],
    ['bucket%2Fkey', 'bucket', 'key', undefined],
  ] as const;
  for (const [text, bucket, key, versionId] of cases) {
    test(text, () => assert.deepEqual(parseCopySource(text), { bucket, key, versionId }));
  }

  test('what names no key is refused', () => {
    for (const text of ['', '/', 'bucket', '/bucket', '/bucket/', '//key', 'bucket/%', 'bucket/%ff']) {
      assert.throws(() => parseCopySource(text), { code: 'InvalidArgument' }, text);
    }
  });
});

describe('continuation tokens', () => {
  test('come back', () => {
    for (const name of ['', 'a', 'ü/😀', '\0']) {
      assert.deepEqual(decodeToken(encodeToken({ kind: 'key', name })), { kind: 'key', name });
      assert.deepEqual(decodeToken(encodeToken({ kind: 'prefix', name })), { kind: 'prefix', name });
    }
  });

  test('of others are refused', () => {
    for (const token of [
      '',
      'x',
      '!!!!',
      'MmtrZXk',
      'MWs=',
      Buffer.from('1k\xff', 'latin1').toString('base64url'),
    ]) {
      assert.throws(() => decodeToken(token), { code: 'InvalidArgument' }, token);
    }
  });
});

describe('routes', () => {
  const cases = [
    ['GET', '', 'ListBuckets'],
    ['GET', 'b', 'ListObjects'],
    ['GET', 'b?list-type=2', 'ListObjectsV2'],
    ['GET', 'b?list-type=1', 'ListObjects'],
    ['GET', 'b?versions', 'ListObjectVersions'],
    ['GET', 'b?uploads', 'ListMultipartUploads'],
    ['GET', 'b?location', 'GetBucketLocation'],
    ['GET', 'b?versioning', 'GetBucketConfiguration'],
    ['GET', 'b?acl', 'GetBucketConfiguration'],
    ['PUT', 'b', 'CreateBucket'],
    ['HEAD', 'b', 'HeadBucket'],
    ['DELETE', 'b', 'DeleteBucket'],
    ['POST', 'b?delete', 'DeleteObjects'],
    ['GET', 'b/k', 'GetObject'],
    ['GET', 'b/k?x-id=GetObject', 'GetObject'],
    ['GET', 'b/k?partNumber=1', 'GetObject'],
    ['GET', 'b/k?uploadId=u', 'ListParts'],
    ['GET', 'b/k?tagging', 'GetObjectConfiguration'],
    ['GET', 'b/k?attributes', 'GetObjectAttributes'],
    ['HEAD', 'b/k', 'HeadObject'],
    ['PUT', 'b/k', 'PutObject'],
    ['PUT', 'b/k?partNumber=1&uploadId=u', 'UploadPart'],
    ['PUT', 'b/k copy', 'CopyObject'],
    ['PUT', 'b/k?partNumber=1&uploadId=u copy', 'UploadPartCopy'],
    ['DELETE', 'b/k', 'DeleteObject'],
    ['DELETE', 'b/k?uploadId=u', 'AbortMultipartUpload'],
    ['POST', 'b/k?uploads', 'CreateMultipartUpload'],
    ['POST', 'b/k?uploadId=u', 'CompleteMultipartUpload'],
    ['POST', '', 'MethodNotAllowed'],
    ['PATCH', 'b', 'MethodNotAllowed'],
    ['PATCH', 'b/k', 'MethodNotAllowed'],
    ['POST', 'b', 'NotImplemented'],
    ['POST', 'b/k', 'NotImplemented'],
    ['POST', 'b/k?select', 'NotImplemented'],
    ['PUT', 'b?versioning', 'NotImplemented'],
    ['PUT', 'b?acl', 'AccessControlListNotSupported'],
    ['DELETE', 'b?policy', 'NotImplemented'],
    ['PUT', 'b/k?tagging', 'NotImplemented'],
    ['PUT', 'b/k?acl', 'AccessControlListNotSupported'],
    ['DELETE', 'b/k?tagging', 'NotImplemented'],
    ['GET', 'b/k?torrent', 'NotImplemented'],
    ['PUT', 'b/k?retention', 'NotImplemented'],
    ['GET', 'b?analytics', 'NotImplemented'],
  ] as const;
  for (const [method, text, expected] of cases) {
    test(`${method} /${text}`, () => {
      const [target = '', copy] = text.split(' ');
      const [path = '', query = ''] = target.split('?');
      const [bucket, key] = path.split('/');
      const fields = new Map(copy === undefined ? [] : [['x-amz-copy-source', 'a/b']]);
      const route = () => routeRequest(method, bucket || undefined, key, Query.parse(query), fields);
      if (isS3Code(expected)) {
        assert.throws(route, { code: expected });
      } else {
        assert.equal(route(), expected);
      }
    });
  }
});
