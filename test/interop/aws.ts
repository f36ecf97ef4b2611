import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Client, describe, type InteropWorld, type Outcome, run } from './client.ts';

/** Over 8 MB the command uploads in parts. */
const LARGE_BYTES = 20 * 1024 * 1024;

function attempt(world: InteropWorld, words: readonly string[], env: object = {}): Promise<Outcome> {
  const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '', AWS_REGION = '' } = world.env;
  const endpoint = ['--endpoint-url', world.env['AWS_ENDPOINT_URL_S3'] ?? ''];
  return run('aws', [...words.slice(0, 1), ...endpoint, ...words.slice(1)], {
    cwd: world.folder,
    env: {
      AWS_ACCESS_KEY_ID,
      AWS_SECRET_ACCESS_KEY,
      AWS_REGION,
      AWS_CONFIG_FILE: path.join(world.folder, 'no-config'),
      AWS_SHARED_CREDENTIALS_FILE: path.join(world.folder, 'no-credentials'),
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_PAGER: '',
      ...env,
    },
  });
}

async function aws(world: InteropWorld, ...words: string[]): Promise<string> {
  const outcome = await attempt(world, words);
  assert.equal(outcome.exitCode, 0, `aws ${words.join(' ')}: ${describe(outcome)}`);
  return outcome.stdout;
}

const file = (world: InteropWorld, ...names: string[]): string => path.join(world.folder, ...names);

export const awsCli: Client = {
  name: 'aws',
  packages: ['awscli', 'curl'],
  probe: ['aws', '--version'],
  services: ['objects'],
  checks: {
    'mb, and the bucket is listed': async (world) => {
      assert.match(await aws(world, 's3', 'mb', 's3://made'), /make_bucket: made/);
      assert.match(await aws(world, 's3', 'ls'), /^\S+ \S+ made$/m);
      const again = await attempt(world, ['s3api', 'head-bucket', '--bucket', 'missing']);
      assert.match(again.stderr, /404|Not Found/);
    },
    'a file of 20 MB up in parts and down again, byte for byte': async (world) => {
      const content = randomBytes(LARGE_BYTES);
      await writeFile(file(world, 'large.bin'), content);
      await aws(world, 's3', 'cp', '--no-progress', 'large.bin', 's3://made/dir/large.bin');
      const head = JSON.parse(
        await aws(world, 's3api', 'head-object', '--bucket', 'made', '--key', 'dir/large.bin'),
      ) as { ContentLength: number; ETag: string };
      assert.equal(head.ContentLength, LARGE_BYTES);
      assert.match(head.ETag, /^"[0-9a-f]{32}-3"$/);
      await aws(world, 's3', 'cp', '--no-progress', 's3://made/dir/large.bin', 'again.bin');
      assert.ok((await readFile(file(world, 'again.bin'))).equals(content), 'another file came back');
    },
    'small and empty files, names with blanks and letters of the world': async (world) => {
      const name = 'a b+c&d ünï 漢.txt';
      await writeFile(file(world, 'small.txt'), 'small');
      await writeFile(file(world, 'empty.txt'), '');
      await aws(world, 's3', 'cp', '--no-progress', 'small.txt', `s3://made/dir/${name}`);
      await aws(world, 's3', 'cp', '--no-progress', 'empty.txt', 's3://made/dir/empty.txt');
      assert.equal(await aws(world, 's3', 'cp', `s3://made/dir/${name}`, '-'), 'small');
      const listed = await aws(world, 's3', 'ls', 's3://made/dir/');
      assert.ok(listed.includes(` 5 ${name}\n`), listed);
      assert.match(listed, / 0 empty\.txt\n/);
      assert.match(await aws(world, 's3', 'ls', 's3://made'), /PRE dir\/\n/);
    },
    'a copy within the server, and mv': async (world) => {
      await aws(world, 's3', 'cp', 's3://made/dir/large.bin', 's3://made/copied.bin');
      await aws(world, 's3', 'mv', 's3://made/copied.bin', 's3://made/moved.bin');
      const listed = await aws(world, 's3', 'ls', 's3://made/');
      assert.match(listed, new RegExp(` ${LARGE_BYTES} moved\\.bin`));
      assert.doesNotMatch(listed, /copied\.bin/);
    },
    'sync: only what changed, with --delete': async (world) => {
      await mkdir(file(world, 'tree', 'deep', 'er'), { recursive: true });
      for (const name of ['one.txt', 'deep/two.txt', 'deep/er/three.txt'])
        await writeFile(file(world, 'tree', name), name);
      const first = await aws(world, 's3', 'sync', '--no-progress', 'tree', 's3://made/tree');
      assert.equal(first.match(/^upload: /gm)?.length, 3, first);
      assert.equal(await aws(world, 's3', 'sync', '--no-progress', 'tree', 's3://made/tree'), '');
      await writeFile(file(world, 'tree', 'one.txt'), 'changed, and longer');
      const second = await aws(world, 's3', 'sync', '--no-progress', 'tree', 's3://made/tree');
      assert.equal(second.match(/^upload: /gm)?.length, 1, second);
      await aws(world, 's3', 'sync', '--no-progress', 's3://made/tree', 'back');
      assert.equal(
        await readFile(file(world, 'back', 'deep', 'er', 'three.txt'), 'utf8'),
        'deep/er/three.txt',
      );
      assert.equal(await readFile(file(world, 'back', 'one.txt'), 'utf8'), 'changed, and longer');
      await mkdir(file(world, 'nothing'));
      await aws(world, 's3', 'sync', '--delete', 'nothing', 's3://made/tree');
      assert.doesNotMatch(await aws(world, 's3', 'ls', 's3://made/'), /tree/);
    },
    'a presigned URL serves curl until it is changed': async (world) => {
      const url = (await aws(world, 's3', 'presign', 's3://made/dir/empty.txt')).trim();
      const good = await run('curl', ['-sS', '-o', '/dev/null', '-w', '%{http_code} %{size_download}', url]);
      assert.equal(good.stdout, '200 0');
      const other = url.replace('empty.txt', 'large.bin');
      const forged = await run('curl', ['-sS', '-w', '\n%{http_code}', other]);
      assert.match(forged.stdout, /SignatureDoesNotMatch[\s\S]*\n403$/);
    },
    's3api: metadata, type and range': async (world) => {
      const place = ['--bucket', 'made', '--key', 'described'];
      const described = ['--metadata', 'author=ada,year=1843', '--content-type', 'text/x-notes'];
      await aws(world, 's3api', 'put-object', ...place, ...described, '--body', 'small.txt');
      const head = JSON.parse(await aws(world, 's3api', 'head-object', ...place)) as Record<string, unknown>;
      assert.deepEqual(head['Metadata'], { author: 'ada', year: '1843' });
      assert.equal(head['ContentType'], 'text/x-notes');
      assert.equal(head['ETag'], '"eb5c1399a871211c7e7ed732d15e3a8b"');
      await aws(world, 's3api', 'get-object', ...place, '--range', 'bytes=1-3', 'part.txt');
      assert.equal(await readFile(file(world, 'part.txt'), 'utf8'), 'mal');
    },
    's3api: conditions': async (world) => {
      const place = ['--bucket', 'made', '--key', 'described'];
      const etag = '"eb5c1399a871211c7e7ed732d15e3a8b"';
      const fresh = await attempt(world, ['s3api', 'get-object', ...place, '--if-none-match', etag, 'x']);
      assert.match(fresh.stderr, /\(304\)|Not Modified/);
      const failed = await attempt(world, ['s3api', 'get-object', ...place, '--if-match', '"00"', 'x']);
      assert.match(failed.stderr, /PreconditionFailed/);
    },
    's3api: pages of a listing': async (world) => {
      const page = ['--bucket', 'made', '--prefix', 'dir/', '--page-size', '1'];
      const listed = JSON.parse(await aws(world, 's3api', 'list-objects-v2', ...page)) as {
        Contents: { Key: string }[];
      };
      assert.deepEqual(
        listed.Contents.map(({ Key }) => Key),
        ['dir/a b+c&d ünï 漢.txt', 'dir/empty.txt', 'dir/large.bin'],
      );
    },
    'a wrong secret and an unknown key are refused': async (world) => {
      const secret = await attempt(world, ['s3', 'ls', 's3://made'], { AWS_SECRET_ACCESS_KEY: 'wrong' });
      assert.notEqual(secret.exitCode, 0);
      assert.match(secret.stderr, /SignatureDoesNotMatch/);
      const key = await attempt(world, ['s3', 'ls', 's3://made'], { AWS_ACCESS_KEY_ID: 'nobody' });
      assert.match(key.stderr, /InvalidAccessKeyId/);
    },
    'missing objects and buckets have their codes': async (world) => {
      const object = await attempt(world, ['s3api', 'get-object', '--bucket', 'made', '--key', 'no', 'x']);
      assert.match(object.stderr, /NoSuchKey/);
      const bucket = await attempt(world, ['s3', 'ls', 's3://missing']);
      assert.match(bucket.stderr, /NoSuchBucket/);
      const full = await attempt(world, ['s3', 'rb', 's3://made']);
      assert.match(full.stderr, /BucketNotEmpty/);
    },
    'rm --recursive, and rb': async (world) => {
      await aws(world, 's3', 'rm', '--recursive', '--quiet', 's3://made');
      assert.equal(await aws(world, 's3', 'ls', 's3://made'), '');
      assert.match(await aws(world, 's3', 'rb', 's3://made'), /remove_bucket: made/);
    },
  },
};
