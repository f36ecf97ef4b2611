/** Object storage with the AWS SDK for JavaScript, unmodified. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Agent } from 'node:http';
import { Readable } from 'node:stream';
import { describe, type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  AbortMultipartUploadCommand,
  type ChecksumAlgorithm,
  type ChecksumType,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketAclCommand,
  GetBucketLocationCommand,
  GetBucketPolicyCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  ListPartsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  S3Client,
  type S3ClientConfig,
  S3ServiceException,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { testHost } from '../../src/core/testing/host.ts';
import {
  createObjectsClient,
  type ObjectsOptions,
  type ObjectsService,
  startObjects,
} from '../../src/objects/index.ts';

const CREDENTIALS = { accessKeyId: 'octet', secretAccessKey: 'octet-development' };
const MiB = 1 << 20;
const LOOPBACK = { address: '127.0.0.1', family: 4 };

interface Bench {
  readonly s3: S3Client;
  readonly service: ObjectsService;
}

async function bench(
  context: TestContext,
  config: Partial<S3ClientConfig> = {},
  options: Partial<ObjectsOptions> = {},
): Promise<Bench> {
  const service = await startObjects(
    { port: 0, buckets: ['bucket'], domain: 's3.localhost', ...options },
    testHost('objects'),
  );
  const s3 = new S3Client({
    endpoint: service.url,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: CREDENTIALS,
    ...config,
  });
  context.after(async () => {
    s3.destroy();
    await service.close(0);
  });
  return { s3, service };
}

async function bytesOf(
  s3: S3Client,
  Key: string,
  more: { Range?: string; PartNumber?: number } = {},
): Promise<Buffer> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'bucket', Key, ...more }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

async function refused(name: string, status: number, attempt: Promise<unknown>): Promise<S3ServiceException> {
  let caught: unknown;
  await attempt.catch((thrown) => {
    caught = thrown;
  });
  assert.ok(caught instanceof S3ServiceException, `${name} was expected, and it was ${caught ?? 'accepted'}`);
  assert.deepEqual([caught.name, caught.$metadata.httpStatusCode], [name, status]);
  return caught;
}

function md5(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('hex');
}

/** In pieces of odd lengths. */
function streamOf(bytes: Buffer): Readable {
  const pieces: Buffer[] = [];
  for (let at = 0, length = 1; at < bytes.length; at += length, length = (length * 3) % 70_001) {
    pieces.push(bytes.subarray(at, at + length));
  }
  return Readable.from(pieces);
}

describe('our bytes are your bytes', () => {
  const sizes = [0, 1, 5, 16_384, 16_385, 65_536, 70_000, 1_000_003];
  for (const size of sizes) {
    test(`${size} bytes, as a buffer and as a stream`, async (context) => {
      const { s3 } = await bench(context);
      const bytes = randomBytes(size);
      const buffered = await s3.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'buffer', Body: bytes }));
      assert.equal(buffered.ETag, `"${md5(bytes)}"`);
      assert.ok(buffered.ChecksumCRC32 !== undefined);
      assert.deepEqual(await bytesOf(s3, 'buffer'), bytes);
      const stream = { Bucket: 'bucket', Key: 'stream', Body: streamOf(bytes), ContentLength: size };
      const streamed = await s3.send(new PutObjectCommand(stream));
      assert.equal(streamed.ETag, buffered.ETag);
      assert.equal(streamed.ChecksumCRC32, buffered.ChecksumCRC32);
      assert.deepEqual(await bytesOf(s3, 'stream'), bytes);
      const head = await s3.send(new HeadObjectCommand({ Bucket: 'bucket', Key: 'stream' }));
      assert.deepEqual([head.ContentLength, head.ContentEncoding], [size, undefined]);
    });
  }

  test('gzip stays the object’s encoding', async (context) => {
    const { s3 } = await bench(context);
    const bytes = gzipSync('hello '.repeat(1000));
    const put = {
      Bucket: 'bucket',
      Key: 'z',
      Body: streamOf(bytes),
      ContentLength: bytes.length,
      ContentEncoding: 'gzip',
    };
    await s3.send(new PutObjectCommand(put));
    const head = await s3.send(new HeadObjectCommand({ Bucket: 'bucket', Key: 'z' }));
    assert.equal(head.ContentEncoding, 'gzip');
    assert.deepEqual(await bytesOf(s3, 'z'), bytes);
  });

  const algorithms = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const;
  for (const algorithm of algorithms) {
    test(`${algorithm} of the client, verified and kept`, async (context) => {
      const { s3 } = await bench(context);
      const bytes = randomBytes(100_000);
      const field = `Checksum${algorithm}` as const;
      for (const Body of [bytes, streamOf(bytes)]) {
        const put = {
          Bucket: 'bucket',
          Key: 'k',
          Body,
          ContentLength: bytes.length,
          ChecksumAlgorithm: algorithm,
        };
        const stored = await s3.send(new PutObjectCommand(put));
        const fetched = await s3.send(
          new GetObjectCommand({ Bucket: 'bucket', Key: 'k', ChecksumMode: 'ENABLED' }),
        );
        assert.ok(stored[field] !== undefined);
        assert.equal(fetched[field], stored[field]);
        assert.deepEqual(Buffer.from((await fetched.Body?.transformToByteArray()) ?? []), bytes);
      }
    });
  }

  test('no checksum from the client, one from the server', async (context) => {
    const { s3 } = await bench(context, { requestChecksumCalculation: 'WHEN_REQUIRED' });
    await s3.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'k', Body: 'hello world' }));
    const head = await s3.send(
      new HeadObjectCommand({ Bucket: 'bucket', Key: 'k', ChecksumMode: 'ENABLED' }),
    );
    assert.equal(head.ChecksumCRC64NVME, 'jSnVw/bqjr4=');
    assert.deepEqual(await bytesOf(s3, 'k'), Buffer.from('hello world'));
  });

  test('a checksum or an MD5 that is wrong', async (context) => {
    const { s3 } = await bench(context);
    const put = { Bucket: 'bucket', Key: 'k', Body: 'hello world' };
    await refused('BadDigest', 400, s3.send(new PutObjectCommand({ ...put, ChecksumCRC32: 'AAAAAA==' })));
    await refused(
      'BadDigest',
      400,
      s3.send(new PutObjectCommand({ ...put, ContentMD5: '1B2M2Y8AsgTpgAmY7PhCfg==' })),
    );
    await refused('NotFound', 404, s3.send(new HeadObjectCommand({ Bucket: 'bucket', Key: 'k' })));
  });
});

describe('buckets', () => {
  test('made, seen, listed, deleted', async (context) => {
    const { s3 } = await bench(context);
    await s3.send(new CreateBucketCommand({ Bucket: 'another' }));
    await s3.send(new HeadBucketCommand({ Bucket: 'another' }));
    const { Buckets, Owner } = await s3.send(new ListBucketsCommand({}));
    assert.deepEqual(
      Buckets?.map(({ Name }) => Name),
      ['another', 'bucket'],
    );
    assert.ok(Owner?.ID !== undefined);
    const location = await s3.send(new GetBucketLocationCommand({ Bucket: 'another' }));
    assert.ok(!location.LocationConstraint);
    await s3.send(new CreateBucketCommand({ Bucket: 'another' }));
    await s3.send(new PutObjectCommand({ Bucket: 'another', Key: 'k', Body: '' }));
    await refused('BucketNotEmpty', 409, s3.send(new DeleteBucketCommand({ Bucket: 'another' })));
    await s3.send(new DeleteObjectCommand({ Bucket: 'another', Key: 'k' }));
    await s3.send(new DeleteBucketCommand({ Bucket: 'another' }));
    await refused('NotFound', 404, s3.send(new HeadBucketCommand({ Bucket: 'another' })));
    await refused('NoSuchBucket', 404, s3.send(new ListObjectsV2Command({ Bucket: 'another' })));
    const elsewhere = {
      Bucket: 'far',
      CreateBucketConfiguration: { LocationConstraint: 'eu-west-1' as const },
    };
    await refused('IllegalLocationConstraintException', 400, s3.send(new CreateBucketCommand(elsewhere)));
  });

  test('made twice, away from us-east-1', async (context) => {
    const region = 'eu-central-1';
    const { s3 } = await bench(context, { region }, { region });
    const create = new CreateBucketCommand({ Bucket: 'bucket' });
    await refused('BucketAlreadyOwnedByYou', 409, s3.send(create));
    const location = await s3.send(new GetBucketLocationCommand({ Bucket: 'bucket' }));
    assert.equal(location.LocationConstraint, region);
  });

  test('pages of buckets', async (context) => {
    const { s3 } = await bench(context);
    for (const name of ['a-1', 'a-2', 'a-3']) await s3.send(new CreateBucketCommand({ Bucket: name }));
    const first = await s3.send(new ListBucketsCommand({ Prefix: 'a-', MaxBuckets: 2 }));
    assert.deepEqual(
      first.Buckets?.map(({ Name }) => Name),
      ['a-1', 'a-2'],
    );
    const token = first.ContinuationToken ?? '';
    const second = await s3.send(new ListBucketsCommand({ Prefix: 'a-', ContinuationToken: token }));
    assert.deepEqual(
      second.Buckets?.map(({ Name }) => Name),
      ['a-3'],
    );
    assert.equal(second.ContinuationToken, undefined);
  });

  test('what is not set has S3’s answer, what cannot be set is refused', async (context) => {
    const { s3 } = await bench(context);
    const Bucket = 'bucket';
    const versioning = await s3.send(new GetBucketVersioningCommand({ Bucket }));
    assert.equal(versioning.Status, undefined);
    const acl = await s3.send(new GetBucketAclCommand({ Bucket }));
    assert.equal(acl.Grants?.[0]?.Permission, 'FULL_CONTROL');
    await refused('NoSuchBucketPolicy', 404, s3.send(new GetBucketPolicyCommand({ Bucket })));
    const enable = { Bucket, VersioningConfiguration: { Status: 'Enabled' as const } };
    await refused('NotImplemented', 501, s3.send(new PutBucketVersioningCommand(enable)));
    await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x' }));
    const tagging = await s3.send(new GetObjectTaggingCommand({ Bucket, Key: 'k' }));
    assert.deepEqual(tagging.TagSet, []);
    const tags = { Bucket, Key: 'k', Tagging: { TagSet: [{ Key: 'a', Value: 'b' }] } };
    await refused('NotImplemented', 501, s3.send(new PutObjectTaggingCommand(tags)));
    const sse = { Bucket, Key: 'k', Body: 'y', ServerSideEncryption: 'AES256' as const };
    await refused('NotImplemented', 501, s3.send(new PutObjectCommand(sse)));
    assert.equal((await bytesOf(s3, 'k')).toString(), 'x');
  });
});

describe('objects', () => {
  test('keys are opaque', async (context) => {
    const { s3 } = await bench(context);
    const keys = [
      'a',
      'a/',
      'a/b',
      'a//b',
      './a',
      '../../etc/passwd',
      'sp ace',
      'p+lus',
      '%2F',
      '%',
      'é',
      '😀',
      '?#&=',
      "!'()*",
      '~',
      'x'.repeat(1024),
    ];
    for (const Key of keys) await s3.send(new PutObjectCommand({ Bucket: 'bucket', Key, Body: Key }));
    for (const Key of keys) assert.equal((await bytesOf(s3, Key)).toString(), Key);
    const listed = await s3.send(new ListObjectsV2Command({ Bucket: 'bucket' }));
    const names = listed.Contents?.map(({ Key }) => Key);
    assert.deepEqual(
      names,
      keys.toSorted((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right))),
    );
    const long = { Bucket: 'bucket', Key: 'x'.repeat(1025), Body: '' };
    await refused('KeyTooLongError', 400, s3.send(new PutObjectCommand(long)));
  });

  test('fields and metadata are kept', async (context) => {
    const { s3 } = await bench(context);
    const fields = {
      ContentType: 'text/plain; charset=utf-8',
      CacheControl: 'max-age=60',
      ContentDisposition: 'attachment; filename="a.txt"',
      ContentLanguage: 'de',
      ContentEncoding: 'br',
    };
    const Metadata = { one: '1', 'two-words': 'a  b' };
    await s3.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'k', Body: 'x', Metadata, ...fields }));
    const head = await s3.send(new HeadObjectCommand({ Bucket: 'bucket', Key: 'k' }));
    assert.deepEqual({ ...head, ...fields }, head);
    assert.deepEqual(head.Metadata, Metadata);
    const overridden = await s3.send(
      new GetObjectCommand({
        Bucket: 'bucket',
        Key: 'k',
        ResponseContentType: 'text/html',
        ResponseContentDisposition: 'inline; filename="ü.txt"',
        ResponseCacheControl: 'no-store',
      }),
    );
    assert.deepEqual([overridden.ContentType, overridden.CacheControl], ['text/html', 'no-store']);
    await overridden.Body?.transformToString();
  });

  test('ranges', async (context) => {
    const { s3 } = await bench(context);
    const bytes = randomBytes(200_000);
    await s3.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'k', Body: bytes }));
    assert.deepEqual(await bytesOf(s3, 'k', { Range: 'bytes=65530-65545' }), bytes.subarray(65_530, 65_546));
    assert.deepEqual(await bytesOf(s3, 'k', { Range: 'bytes=-7' }), bytes.subarray(-7));
    assert.deepEqual(await bytesOf(s3, 'k', { Range: 'bytes=199999-' }), bytes.subarray(199_999));
    assert.deepEqual(await bytesOf(s3, 'k', { Range: 'bytes=0-1,5-6' }), bytes);
    const part = await s3.send(new HeadObjectCommand({ Bucket: 'bucket', Key: 'k', Range: 'bytes=0-9' }));
    assert.equal(part.ContentLength, 10);
    await refused(
      'InvalidRange',
      416,
      s3.send(new GetObjectCommand({ Bucket: 'bucket', Key: 'k', Range: 'bytes=200000-' })),
    );
  });

  test('conditional reads', async (context) => {
    const { s3 } = await bench(context);
    const { ETag = '' } = await s3.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'k', Body: 'x' }));
    const get = (more: object) => s3.send(new GetObjectCommand({ Bucket: 'bucket', Key: 'k', ...more }));
    await get({ IfMatch: ETag });
    await get({ IfNoneMatch: '"other"' });
    await refused('PreconditionFailed', 412, get({ IfMatch: '"other"' }));
    const unchanged = await get({ IfNoneMatch: ETag }).catch((thrown) => thrown);
    assert.equal(unchanged.$metadata.httpStatusCode, 304);
    const future = new Date(Date.now() + 3_600_000);
    const past = new Date(Date.now() - 3_600_000);
    await get({ IfModifiedSince: past });
    await get({ IfUnmodifiedSince: future });
    await refused('PreconditionFailed', 412, get({ IfUnmodifiedSince: past }));
  });

  test('conditional writes', async (context) => {
    const { s3 } = await bench(context);
    const put = (more: object) =>
      s3.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'k', Body: 'x', ...more }));
    await refused('NoSuchKey', 404, put({ IfMatch: '"any"' }));
    const { ETag = '' } = await put({ IfNoneMatch: '*' });
    await refused('PreconditionFailed', 412, put({ IfNoneMatch: '*' }));
    await refused('PreconditionFailed', 412, put({ IfMatch: '"other"' }));
    await put({ IfMatch: ETag });
    const remove = (IfMatch: string) =>
      s3.send(new DeleteObjectCommand({ Bucket: 'bucket', Key: 'k', IfMatch }));
    await refused('PreconditionFailed', 412, remove('"other"'));
    await remove(ETag);
    await refused('NotFound', 404, s3.send(new HeadObjectCommand({ Bucket: 'bucket', Key: 'k' })));
  });

  test('deleting one, many, and what is not there', async (context) => {
    const { s3 } = await bench(context);
    for (const Key of ['a', 'b', 'c<&>'])
      await s3.send(new PutObjectCommand({ Bucket: 'bucket', Key, Body: 'x' }));
    await s3.send(new DeleteObjectCommand({ Bucket: 'bucket', Key: 'missing' }));
    const many = {
      Objects: [{ Key: 'a' }, { Key: 'missing' }, { Key: 'c<&>' }, { Key: 'b', VersionId: 'v1' }],
    };
    const result = await s3.send(new DeleteObjectsCommand({ Bucket: 'bucket', Delete: many }));
    assert.deepEqual(
      result.Deleted?.map(({ Key }) => Key),
      ['a', 'missing', 'c<&>'],
    );
    assert.deepEqual(
      result.Errors?.map(({ Key, Code }) => [Key, Code]),
      [['b', 'InvalidArgument']],
    );
    const quiet = { Objects: [{ Key: 'b' }], Quiet: true };
    assert.equal(
      (await s3.send(new DeleteObjectsCommand({ Bucket: 'bucket', Delete: quiet }))).Deleted,
      undefined,
    );
    const rest = await s3.send(new ListObjectsV2Command({ Bucket: 'bucket' }));
    assert.equal(rest.KeyCount, 0);
  });

  test('copies', async (context) => {
    const { s3 } = await bench(context);
    const bytes = randomBytes(100_000);
    const source = {
      Bucket: 'bucket',
      Key: 'from é+',
      Body: bytes,
      Metadata: { a: '1' },
      ContentType: 'a/b',
    };
    const { ETag = '' } = await s3.send(new PutObjectCommand(source));
    const CopySource = 'bucket/from%20%C3%A9%2B';
    const copy = (more: object) =>
      s3.send(new CopyObjectCommand({ Bucket: 'bucket', Key: 'to', CopySource, ...more }));
    const copied = await copy({});
    assert.equal(copied.CopyObjectResult?.ETag, ETag);
    const kept = await s3.send(new HeadObjectCommand({ Bucket: 'bucket', Key: 'to' }));
    assert.deepEqual([kept.Metadata, kept.ContentType], [{ a: '1' }, 'a/b']);
    await copy({ MetadataDirective: 'REPLACE', Metadata: { b: '2' }, ContentType: 'c/d' });
    const replaced = await s3.send(new HeadObjectCommand({ Bucket: 'bucket', Key: 'to' }));
    assert.deepEqual([replaced.Metadata, replaced.ContentType], [{ b: '2' }, 'c/d']);
    await s3.send(new DeleteObjectCommand({ Bucket: 'bucket', Key: source.Key }));
    assert.deepEqual(await bytesOf(s3, 'to'), bytes);
    await refused('NoSuchKey', 404, copy({}));
    const self = { Key: 'to', CopySource: 'bucket/to' };
    await refused('InvalidRequest', 400, copy(self));
    await copy({ ...self, MetadataDirective: 'REPLACE', Metadata: { c: '3' } });
    assert.deepEqual(await bytesOf(s3, 'to'), bytes);
    await refused('PreconditionFailed', 412, copy({ ...self, Key: 'x', CopySourceIfMatch: '"other"' }));
    await refused('PreconditionFailed', 412, copy({ ...self, Key: 'x', CopySourceIfNoneMatch: ETag }));
  });
});

describe('listings', () => {
  const keys = ['a', 'b/1', 'b/2', 'c/1/x', 'c/2', 'd', 'd-1', 'é/1'];

  test('of version 2', async (context) => {
    const { s3 } = await bench(context);
    for (const Key of keys) await s3.send(new PutObjectCommand({ Bucket: 'bucket', Key, Body: Key }));
    const all: string[] = [];
    let ContinuationToken: string | undefined;
    do {
      const page = await s3.send(
        new ListObjectsV2Command({
          Bucket: 'bucket',
          Delimiter: '/',
          MaxKeys: 2,
          ...(ContinuationToken === undefined ? {} : { ContinuationToken }),
        }),
      );
      all.push(
        ...[
          ...(page.Contents ?? []).map(({ Key }) => Key ?? ''),
          ...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix ?? ''),
        ].sort(),
      );
      ContinuationToken = page.NextContinuationToken;
      assert.equal(page.IsTruncated, ContinuationToken !== undefined);
    } while (ContinuationToken !== undefined);
    assert.deepEqual(all, ['a', 'b/', 'c/', 'd', 'd-1', 'é/']);
    const below = await s3.send(
      new ListObjectsV2Command({ Bucket: 'bucket', Prefix: 'c/', Delimiter: '/', FetchOwner: true }),
    );
    assert.deepEqual(
      [below.Contents?.map(({ Key }) => Key), below.CommonPrefixes],
      [['c/2'], [{ Prefix: 'c/1/' }]],
    );
    assert.ok(below.Contents?.[0]?.Owner?.ID !== undefined);
    const after = await s3.send(
      new ListObjectsV2Command({ Bucket: 'bucket', StartAfter: 'c/1/x', EncodingType: 'url' }),
    );
    assert.deepEqual(
      after.Contents?.map(({ Key }) => Key),
      ['c/2', 'd', 'd-1', '%C3%A9/1'],
    );
    const nothing = await s3.send(new ListObjectsV2Command({ Bucket: 'bucket', MaxKeys: 0 }));
    assert.deepEqual([nothing.KeyCount, nothing.IsTruncated], [0, false]);
    const bad = { Bucket: 'bucket', ContinuationToken: 'nonsense' };
    await refused('InvalidArgument', 400, s3.send(new ListObjectsV2Command(bad)));
  });

  test('of version 1, and of versions', async (context) => {
    const { s3 } = await bench(context);
    for (const Key of keys) await s3.send(new PutObjectCommand({ Bucket: 'bucket', Key, Body: Key }));
    const first = await s3.send(new ListObjectsCommand({ Bucket: 'bucket', Delimiter: '/', MaxKeys: 2 }));
    assert.equal(first.NextMarker, 'b/');
    const second = await s3.send(new ListObjectsCommand({ Bucket: 'bucket', Delimiter: '/', Marker: 'b/' }));
    assert.deepEqual(
      second.CommonPrefixes?.map(({ Prefix }) => Prefix),
      ['c/', 'é/'],
    );
    const versions = await s3.send(new ListObjectVersionsCommand({ Bucket: 'bucket', MaxKeys: 3 }));
    assert.deepEqual(
      versions.Versions?.map(({ Key, VersionId, IsLatest }) => [Key, VersionId, IsLatest]),
      [
        ['a', 'null', true],
        ['b/1', 'null', true],
        ['b/2', 'null', true],
      ],
    );
    const rest = {
      Bucket: 'bucket',
      KeyMarker: versions.NextKeyMarker,
      VersionIdMarker: versions.NextVersionIdMarker,
    };
    assert.equal((await s3.send(new ListObjectVersionsCommand(rest))).Versions?.length, 5);
  });
});

describe('multipart uploads', () => {
  interface Choice {
    readonly ChecksumAlgorithm?: ChecksumAlgorithm;
    readonly ChecksumType?: ChecksumType;
  }

  async function upload(s3: S3Client, Key: string, parts: readonly Buffer[], choice: Choice = {}) {
    const target = { Bucket: 'bucket', Key };
    const { UploadId } = await s3.send(
      new CreateMultipartUploadCommand({ ...target, ...choice, Metadata: { a: '1' } }),
    );
    const Parts = [];
    for (const [index, Body] of parts.entries()) {
      const PartNumber = index + 1;
      const { ChecksumAlgorithm } = choice;
      const part = {
        ...target,
        UploadId,
        PartNumber,
        Body,
        ...(ChecksumAlgorithm === undefined ? {} : { ChecksumAlgorithm }),
      };
      const { $metadata: _metadata, ...sent } = await s3.send(new UploadPartCommand(part));
      Parts.push({ PartNumber, ...sent });
    }
    const complete = new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts } });
    return { target: { ...target, UploadId }, Parts, complete };
  }

  test('parts become one object, with the ETag of their MD5s', async (context) => {
    const { s3 } = await bench(context);
    const parts = [randomBytes(5 * MiB), randomBytes(5 * MiB), randomBytes(1000)];
    const { complete, target } = await upload(s3, 'big', parts);
    const uploads = await s3.send(new ListMultipartUploadsCommand({ Bucket: 'bucket' }));
    assert.deepEqual(
      uploads.Uploads?.map(({ Key, UploadId }) => [Key, UploadId]),
      [['big', target.UploadId]],
    );
    const listed = await s3.send(new ListPartsCommand({ ...target, MaxParts: 2 } as never));
    assert.deepEqual(
      listed.Parts?.map(({ PartNumber, Size }) => [PartNumber, Size]),
      [
        [1, 5 * MiB],
        [2, 5 * MiB],
      ],
    );
    assert.deepEqual([listed.IsTruncated, listed.NextPartNumberMarker], [true, '2']);
    const expected = `"${md5(Buffer.concat(parts.map((part) => createHash('md5').update(part).digest())))}-3"`;
    assert.equal((await s3.send(complete)).ETag, expected);
    assert.equal((await s3.send(complete)).ETag, expected, 'completing again gives the same answer');
    const whole = Buffer.concat(parts);
    assert.ok((await bytesOf(s3, 'big')).equals(whole));
    assert.deepEqual(await bytesOf(s3, 'big', { PartNumber: 3 }), parts[2]);
    const across = { Range: `bytes=${5 * MiB - 3}-${5 * MiB + 2}` };
    assert.deepEqual(await bytesOf(s3, 'big', across), whole.subarray(5 * MiB - 3, 5 * MiB + 3));
    const head = await s3.send(new HeadObjectCommand({ Bucket: 'bucket', Key: 'big', PartNumber: 1 }));
    assert.deepEqual([head.PartsCount, head.ContentLength, head.Metadata], [3, 5 * MiB, { a: '1' }]);
    await refused('InvalidPartNumber', 416, bytesOf(s3, 'big', { PartNumber: 4 }));
    await refused('NoSuchUpload', 404, s3.send(new ListPartsCommand(target as never)));
  });

  const choices: readonly (readonly [ChecksumAlgorithm, ChecksumType])[] = [
    ['CRC32', 'COMPOSITE'],
    ['CRC32', 'FULL_OBJECT'],
    ['CRC32C', 'FULL_OBJECT'],
    ['CRC64NVME', 'FULL_OBJECT'],
    ['SHA256', 'COMPOSITE'],
  ];
  for (const [ChecksumAlgorithm, ChecksumType] of choices) {
    test(`a ${ChecksumType} checksum by ${ChecksumAlgorithm}`, async (context) => {
      const { s3 } = await bench(context);
      const parts = [randomBytes(5 * MiB), randomBytes(77)];
      const { complete } = await upload(s3, 'big', parts, { ChecksumAlgorithm, ChecksumType });
      const field = `Checksum${ChecksumAlgorithm}` as 'ChecksumCRC32';
      const completed = await s3.send(complete);
      const head = await s3.send(
        new HeadObjectCommand({ Bucket: 'bucket', Key: 'big', ChecksumMode: 'ENABLED' }),
      );
      assert.deepEqual([head[field], head.ChecksumType], [completed[field], ChecksumType]);
      if (ChecksumType === 'COMPOSITE') {
        assert.match(completed[field] ?? '', /-2$/);
        return;
      }
      const put = { Bucket: 'bucket', Key: 'one', Body: Buffer.concat(parts), ChecksumAlgorithm };
      assert.equal(completed[field], (await s3.send(new PutObjectCommand(put)))[field]);
    });
  }

  test('what does not fit together is refused', async (context) => {
    const { s3 } = await bench(context);
    const { target, Parts } = await upload(s3, 'k', [randomBytes(5 * MiB), randomBytes(10), randomBytes(10)]);
    const complete = (parts: typeof Parts, more: object = {}) =>
      s3.send(new CompleteMultipartUploadCommand({ ...target, MultipartUpload: { Parts: parts }, ...more }));
    const [first, second, third] = Parts as [(typeof Parts)[0], (typeof Parts)[0], (typeof Parts)[0]];
    await refused('EntityTooSmall', 400, complete([first, second, third]));
    await refused('InvalidPartOrder', 400, complete([second, first]));
    await refused('InvalidPartOrder', 400, complete([first, first]));
    await refused('InvalidPart', 400, complete([first, { ...second, PartNumber: 9 }]));
    await refused('InvalidPart', 400, complete([first, { ...second, ETag: '"0"' }]));
    await refused('MalformedXML', 400, complete([]));
    await refused('InvalidRequest', 400, complete([first, second], { MpuObjectSize: 5 }));
    await refused('NoSuchUpload', 404, complete([first], { UploadId: 'nonsense' }));
    await refused('NoSuchUpload', 404, complete([first], { Key: 'other' }));
    await s3.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'k', Body: 'there' }));
    await refused('PreconditionFailed', 412, complete([first, second], { IfNoneMatch: '*' }));
    const part = { ...target, PartNumber: 10_001, Body: 'x' };
    await refused('InvalidArgument', 400, s3.send(new UploadPartCommand(part as never)));
    await s3.send(new AbortMultipartUploadCommand(target as never));
    await refused('NoSuchUpload', 404, s3.send(new AbortMultipartUploadCommand(target as never)));
    assert.equal((await bytesOf(s3, 'k')).toString(), 'there');
  });

  test('a part sent again replaces the one before', async (context) => {
    const { s3 } = await bench(context);
    const { target } = await upload(s3, 'k', [randomBytes(100_000)]);
    const again = randomBytes(100_000);
    const { ETag } = await s3.send(new UploadPartCommand({ ...target, PartNumber: 1, Body: again } as never));
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
    await s3.send(new CompleteMultipartUploadCommand({ ...target, MultipartUpload }));
    assert.deepEqual(await bytesOf(s3, 'k'), again);
  });

  test('parts copied from an object', async (context) => {
    const { s3 } = await bench(context);
    const source = randomBytes(6 * MiB);
    await s3.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'source', Body: source }));
    const { target } = await upload(s3, 'k', []);
    const copy = (PartNumber: number, CopySourceRange: string) =>
      s3.send(
        new UploadPartCopyCommand({
          ...target,
          PartNumber,
          CopySource: 'bucket/source',
          CopySourceRange,
        } as never),
      );
    const first = await copy(1, `bytes=0-${5 * MiB - 1}`);
    const second = await copy(2, `bytes=${5 * MiB}-${6 * MiB - 1}`);
    await refused('InvalidRange', 416, copy(3, `bytes=0-${6 * MiB}`));
    await refused('InvalidArgument', 400, copy(3, 'bytes=0-'));
    await s3.send(new DeleteObjectCommand({ Bucket: 'bucket', Key: 'source' }));
    const Parts = [
      { PartNumber: 1, ETag: first.CopyPartResult?.ETag },
      { PartNumber: 2, ETag: second.CopyPartResult?.ETag },
    ];
    await s3.send(new CompleteMultipartUploadCommand({ ...target, MultipartUpload: { Parts } } as never));
    assert.ok((await bytesOf(s3, 'k')).equals(source));
  });
});

describe('addresses and identity', () => {
  test('virtual-host style', async (context) => {
    const { service } = await bench(context);
    const { port } = service.endpoints['main']!;
    const s3 = new S3Client({
      endpoint: `http://s3.localhost:${port}`,
      region: 'us-east-1',
      credentials: CREDENTIALS,
      // Not every resolver knows that all names under localhost are this machine (RFC 6761 section 6.3).
      requestHandler: {
        httpAgent: new Agent({ lookup: (_name, _options, found) => found(null, [LOOPBACK]) }),
      },
    });
    context.after(() => s3.destroy());
    await s3.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'a/b', Body: 'hosted' }));
    assert.equal((await bytesOf(s3, 'a/b')).toString(), 'hosted');
    const listed = await s3.send(new ListObjectsV2Command({ Bucket: 'bucket' }));
    assert.deepEqual(
      listed.Contents?.map(({ Key }) => Key),
      ['a/b'],
    );
  });

  test('the wrong secret, key, region', async (context) => {
    const put = new PutObjectCommand({ Bucket: 'bucket', Key: 'k', Body: 'x' });
    const wrong = { ...CREDENTIALS, secretAccessKey: 'wrong' };
    await refused('SignatureDoesNotMatch', 403, (await bench(context, { credentials: wrong })).s3.send(put));
    const nobody = { ...CREDENTIALS, accessKeyId: 'nobody' };
    await refused('InvalidAccessKeyId', 403, (await bench(context, { credentials: nobody })).s3.send(put));
    const { s3 } = await bench(context, { region: 'eu-west-1', followRegionRedirects: false });
    await refused('AuthorizationHeaderMalformed', 400, s3.send(put));
  });

  test('a refusal reaches a client that is still sending', async (context) => {
    const credentials = { ...CREDENTIALS, secretAccessKey: 'wrong' };
    for (const expectContinueHeader of [true, false]) {
      const { s3 } = await bench(context, { credentials, expectContinueHeader, maxAttempts: 1 });
      const Body = Buffer.alloc(12 * MiB);
      const put = new PutObjectCommand({ Bucket: 'bucket', Key: 'k', Body });
      await refused('SignatureDoesNotMatch', 403, s3.send(put));
    }
  });

  test('presigned by our client, used by fetch', async (context) => {
    const { service, s3 } = await bench(context);
    const { network, clock } = testHost('client');
    const client = createObjectsClient({
      endpoint: service.url,
      ...CREDENTIALS,
      region: 'us-east-1',
      network,
      clock,
    });
    context.after(() => client.close());
    const put = await fetch(client.presign('PUT', 'bucket', 'sha red+é', 60), {
      method: 'PUT',
      body: 'from a browser',
      headers: { 'content-type': 'text/plain' },
    });
    assert.equal(put.status, 200);
    assert.equal((await bytesOf(s3, 'sha red+é')).toString(), 'from a browser');
    const get = await fetch(client.presign('GET', 'bucket', 'sha red+é', 60));
    assert.deepEqual(
      [get.status, get.headers.get('content-type'), await get.text()],
      [200, 'text/plain', 'from a browser'],
    );
    const stolen = client.presign('PUT', 'bucket', 'stolen', 60);
    const attack = await fetch(stolen, {
      method: 'PUT',
      headers: { 'x-amz-copy-source': '/bucket/sha%20red%2B%C3%A9' },
    });
    assert.equal(attack.status, 403);
    assert.match(await attack.text(), /<HeadersNotSigned>x-amz-copy-source</);
    const anonymous = await fetch(`${service.url}/bucket/sha%20red%2B%C3%A9`);
    assert.equal(anonymous.status, 403);
    await anonymous.text();
  });
});
