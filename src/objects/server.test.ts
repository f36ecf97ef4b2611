import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import { describe, type TestContext, test } from 'node:test';
import { createMemoryFiles } from '../core/files/memory-files.ts';
import { createDevelopmentIdentity } from '../core/net/certificates.ts';
import { type TestHost, testHost } from '../core/testing/host.ts';
import { Peer } from '../core/testing/peer.ts';
import { createObjectsClient, type ObjectsClient } from './client.ts';
import { nodeHashing } from './crypto/hashing.ts';
import { S3Error } from './errors.ts';
import { DEFAULT_OBJECTS_OPTIONS, type ObjectsOptions } from './options.ts';
import { type ObjectsService, startObjects } from './server.ts';
import { Query } from './wire/query.ts';
import { signRequest } from './wire/sigv4/sign-request.ts';
import { SigningKeys } from './wire/sigv4/signing-keys.ts';
import { encodePath } from './wire/uri-encoding.ts';

interface Bench {
  readonly service: ObjectsService;
  readonly client: ObjectsClient;
  readonly host: TestHost;
  /** A client with other credentials. */
  clientWith(secretAccessKey: string): ObjectsClient;
  peer(): Promise<Peer>;
}

async function bench(
  context: TestContext,
  options: Partial<ObjectsOptions> = {},
  given?: TestHost,
): Promise<Bench> {
  const host = given ?? testHost('objects');
  const service = await startObjects({ port: 0, buckets: ['bucket'], ...options }, host);
  context.after(() => service.close(0));
  const clientWith = (secretAccessKey: string): ObjectsClient => {
    const { accessKeyId, region } = DEFAULT_OBJECTS_OPTIONS;
    const { network, clock } = host;
    const client = createObjectsClient({
      endpoint: service.url,
      accessKeyId,
      secretAccessKey,
      region,
      network,
      clock,
    });
    context.after(() => client.close());
    return client;
  };
  const client = clientWith(DEFAULT_OBJECTS_OPTIONS.secretAccessKey);
  const peer = async (): Promise<Peer> => {
    const connected = await Peer.connect(host.network, service.endpoints['main']!);
    context.after(() => connected.close());
    return connected;
  };
  return { service, client, host, clientWith, peer };
}

interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly query?: string;
  /** Signed. */
  readonly headers?: [string, string][];
  /** Added behind the signature. */
  readonly unsigned?: [string, string][];
  readonly payloadHash?: string;
  readonly secretAccessKey?: string;
}

/** The head of a signed request as it goes over the wire. */
function rawHead({ service, host }: Bench, request: RawRequest): string {
  const { method, path, query = '' } = request;
  const { address, port } = service.endpoints['main']!;
  const secret = request.secretAccessKey ?? DEFAULT_OBJECTS_OPTIONS.secretAccessKey;
  const { accessKeyId, region } = DEFAULT_OBJECTS_OPTIONS;
  const headers = signRequest(
    nodeHashing,
    { accessKeyId, region, keys: new SigningKeys(nodeHashing, secret) },
    {
      method,
      host: `${address}:${port}`,
      path,
      query: Query.parse(query),
      headers: request.headers ?? [],
      payloadHash: request.payloadHash ?? nodeHashing.sha256Hex(''),
    },
    host.clock.now(),
  );
  const lines = [...headers, ...(request.unsigned ?? [])].map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${encodePath(path)}${query === '' ? '' : `?${query}`} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

function putHead(bench: Bench, sizeBytes: number, more: Partial<RawRequest> = {}): string {
  const unsigned: [string, string][] = [['Content-Length', String(sizeBytes)], ...(more.unsigned ?? [])];
  return rawHead(bench, {
    method: 'PUT',
    path: '/bucket/key',
    payloadHash: 'UNSIGNED-PAYLOAD',
    ...more,
    unsigned,
  });
}

async function textOf(client: ObjectsClient, key: string): Promise<string | undefined> {
  const object = await client.get('bucket', key);
  return (await object?.bytes(1 << 24))?.toString('latin1');
}

async function blobFiles({ files, folder }: TestHost): Promise<string[]> {
  const found: string[] = [];
  for (const sub of await files.list(`${folder}/blobs`)) {
    for (const name of await files.list(`${folder}/blobs/${sub}`)) found.push(name);
  }
  return found.filter((name) => name.endsWith('.blob') || name.endsWith('.draft'));
}

/** Waits for a condition that another task brings about. */
async function eventually(condition: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 10_000; turn++) {
    if (await condition()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.fail('the condition never came true');
}

const LARGE = 'x'.repeat(100_000);

describe('client and server', () => {
  test('an object comes back as it was put', async (context) => {
    const { client } = await bench(context);
    const options = { contentType: 'text/plain', cacheControl: 'no-cache', metadata: { origin: 'test' } };
    const keys = [
      'a',
      'a/b',
      'a//b',
      '../x',
      'sp ace',
      'p+lus',
      'per%cent',
      'é😀',
      '?&=#',
      '%2e%2e/x',
      'new\nline',
      '-',
    ];
    for (const key of keys) {
      const { etag } = await client.put('bucket', key, `body of ${key}`, options);
      const head = await client.head('bucket', key);
      assert.deepEqual(head && [head.etag, head.contentType, head.metadata], [
        etag,
        'text/plain',
        { origin: 'test' },
      ]);
      assert.equal((await (await client.get('bucket', key))?.bytes(100))?.toString(), `body of ${key}`);
    }
    const page = await client.list('bucket');
    assert.deepEqual(
      page.objects.map(({ key }) => key),
      keys.toSorted((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right))),
    );
    for (const key of keys) await client.delete('bucket', key);
    assert.deepEqual((await client.list('bucket')).objects, []);
  });

  test('streams, ranges, pages and what is missing', async (context) => {
    const { client } = await bench(context);
    async function* stream() {
      for (let index = 0; index < 10; index++) yield Buffer.alloc(10_000, String(index));
    }
    await client.put('bucket', 'stream', { stream: stream(), sizeBytes: 100_000 });
    const range = await client.get('bucket', 'stream', { range: 'bytes=9999-10000' });
    assert.equal((await range?.bytes(10))?.toString(), '01');
    assert.equal(await client.get('bucket', 'missing'), undefined);
    assert.equal(await client.head('bucket', 'missing'), undefined);
    await assert.rejects(client.get('nobucket', 'x'), { code: 'NoSuchBucket' });
    for (const key of ['d/1', 'd/2', 'e']) await client.put('bucket', key, '');
    const first = await client.list('bucket', { delimiter: '/', maxKeys: 1 });
    assert.deepEqual([first.prefixes, first.objects], [['d/'], []]);
    const second = await client.list('bucket', {
      delimiter: '/',
      continuationToken: first.continuationToken ?? '',
    });
    assert.deepEqual([second.prefixes, second.objects.map(({ key }) => key)], [[], ['e', 'stream']]);
  });

  test('buckets', async (context) => {
    const { client } = await bench(context);
    assert.equal(await client.createBucket('another'), true);
    assert.equal(await client.createBucket('another'), true);
    assert.deepEqual(
      (await client.listBuckets()).map(({ name }) => name),
      ['another', 'bucket'],
    );
    await client.put('another', 'key', '');
    await assert.rejects(client.deleteBucket('another'), { code: 'BucketNotEmpty' });
    await client.delete('another', 'key');
    await client.deleteBucket('another');
    await assert.rejects(client.deleteBucket('another'), { code: 'NoSuchBucket' });
    await assert.rejects(client.createBucket('No'), { code: 'InvalidBucketName' });
  });

  test('a presigned URL needs no credentials', async (context) => {
    const { client, host, service } = await bench(context);
    await client.put('bucket', 'a/b c', 'shared');
    const url = new URL(client.presign('GET', 'bucket', 'a/b c', 60));
    const peer = await Peer.connect(host.network, service.endpoints['main']!);
    context.after(() => peer.close());
    peer.send(`GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\n\r\n`);
    await peer.untilText('shared');
    peer.send(`DELETE ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\n\r\n`);
    assert.match(await peer.untilText('</Error>'), /403[\s\S]*SignatureDoesNotMatch/);
  });

  test('only one of many may create', async (context) => {
    const { client } = await bench(context);
    const attempts = Array.from({ length: 10 }, (_, index) =>
      client.put('bucket', 'once', String(index), { createOnly: true }).then(
        () => index,
        (thrown) => {
          assert.ok(thrown instanceof S3Error && thrown.code === 'PreconditionFailed');
          return undefined;
        },
      ),
    );
    const winners = (await Promise.all(attempts)).filter((index) => index !== undefined);
    assert.equal(winners.length, 1);
    assert.equal(await textOf(client, 'once'), String(winners[0]));
  });

  test('the span of a request names operation, outcome and request id', async (context) => {
    const { client, host } = await bench(context);
    await client.put('bucket', 'key', 'x', { requestId: 'trace-1' });
    await client.get('bucket', 'missing');
    const spans = host.observatory.spans().map(({ operation, outcome }) => [operation, outcome]);
    assert.deepEqual(spans, [
      ['PutObject', '200'],
      ['GetObject', 'NoSuchKey'],
    ]);
    assert.equal(host.observatory.spans()[0]?.requestId, 'trace-1');
  });
});

describe('identity', () => {
  test('the wrong secret', async (context) => {
    const { clientWith } = await bench(context);
    const client = clientWith('wrong');
    await assert.rejects(client.put('bucket', 'key', 'x'), { code: 'SignatureDoesNotMatch', status: 403 });
    await assert.rejects(client.head('bucket', 'key'), { code: 'AccessDenied', status: 403 });
  });

  test('nobody may do anything, and learns nothing', async (context) => {
    const opened = await bench(context, { publicRead: ['public'], buckets: ['bucket', 'public'] });
    await opened.client.put('bucket', 'key', 'secret');
    await opened.client.put('public', 'key', 'for all');
    const peer = await opened.peer();
    const ask = async (line: string, end = '</Error>', more = ''): Promise<string> => {
      peer.send(`${line} HTTP/1.1\r\nHost: x\r\n${more}\r\n`);
      return peer.untilText(end);
    };
    const closed = [
      'GET /',
      'GET /bucket',
      'GET /bucket/key',
      'GET /bucket/missing',
      'GET /missing/key',
      'DELETE /bucket/key',
      'GET /public',
      'GET /public?list-type=2',
      'GET /public/key?acl',
      'GET /public/key?uploadId=x',
      'DELETE /public/key',
      'POST /public/key?uploads',
    ];
    for (const line of closed)
      assert.match(await ask(line), /^HTTP\/1.1 403 [\s\S]*<Code>AccessDenied</, line);
    assert.match(await ask('PUT /public/key', '</Error>', 'Content-Length: 0\r\n'), /AccessDenied/);
    const copied = 'x-amz-copy-source: /bucket/key\r\nContent-Length: 0\r\n';
    assert.match(await ask('PUT /public/copy', '</Error>', copied), /AccessDenied/);
    assert.match(await ask('GET /public/key?response-content-type=text/html'), /InvalidRequest/);
    assert.match(await ask('GET /public/missing'), /NoSuchKey/);
    assert.match(
      await ask('GET /public/key', 'for all'),
      /^HTTP\/1.1 200 [\s\S]*X-Content-Type-Options: nosniff/,
    );
    assert.match(await ask('HEAD /public/key', '\r\n\r\n'), /^HTTP\/1.1 200 /);
  });

  test('a client that waits for 100 Continue gets it after the gate only', async (context) => {
    const opened = await bench(context);
    const unsigned: [string, string][] = [['Expect', '100-continue']];
    const stranger = await opened.peer();
    stranger.send(putHead(opened, 5, { secretAccessKey: 'wrong', unsigned }));
    assert.match(await stranger.untilText('</Error>'), /^HTTP\/1.1 403 /);
    const friend = await opened.peer();
    friend.send(putHead(opened, 5, { unsigned }));
    assert.equal(await friend.untilText('\r\n\r\n'), 'HTTP/1.1 100 Continue\r\n\r\n');
    friend.send('hello');
    assert.match(await friend.untilText('\r\n\r\n'), /^HTTP\/1.1 200 /);
  });

  test('the development secret is refused away from loopback', async () => {
    const host = testHost('objects');
    await assert.rejects(startObjects({ port: 0, host: '0.0.0.0' }, host), { code: 'invalid-options' });
    await assert.rejects(startObjects({ port: 0, secretAccessKey: '' }, host), { code: 'invalid-options' });
  });

  test('browsers of other origins', async (context) => {
    const opened = await bench(context, { corsOrigins: ['https://app.test'] });
    const peer = await opened.peer();
    const preflight = (origin: string, method = 'PUT'): void => {
      peer.send(
        `OPTIONS /bucket/key HTTP/1.1\r\nHost: x\r\nOrigin: ${origin}\r\n` +
          `Access-Control-Request-Method: ${method}\r\nAccess-Control-Request-Headers: x-amz-date\r\n\r\n`,
      );
    };
    preflight('https://evil.test');
    const refused = await peer.untilText('</Error>');
    assert.match(refused, /^HTTP\/1.1 403 [\s\S]*AccessForbidden/);
    assert.match(refused, /\r\nVary: Origin, Access-Control-Request-Method, /);
    assert.doesNotMatch(refused, /Allow-Origin/);
    preflight('https://app.test', 'TRACE');
    assert.match(await peer.untilText('</Error>'), /^HTTP\/1.1 403 /);
    preflight('https://app.test');
    const allowed = await peer.untilText('\r\n\r\n');
    assert.match(allowed, /^HTTP\/1.1 200 [\s\S]*Access-Control-Allow-Origin: https:\/\/app.test\r\n/);
    assert.match(allowed, /\r\nAccess-Control-Allow-Headers: x-amz-date\r\n/);
    assert.doesNotMatch(allowed, /Allow-Credentials/);
    // Also for nobody's origin, or a cache would give this answer to a page that may read it, or the other way round.
    peer.send('GET /bucket/key HTTP/1.1\r\nHost: x\r\n\r\n');
    assert.match(await peer.untilText('</Error>'), /\r\nVary: Origin\r\n/);
    peer.send('GET /bucket/key HTTP/1.1\r\nHost: x\r\nOrigin: https://app.test\r\n\r\n');
    assert.match(
      await peer.untilText('</Error>'),
      /\r\nAccess-Control-Expose-Headers: ETag, Content-Length, /,
    );
  });

  test('no origins: nothing is said of them, and any preflight is refused', async (context) => {
    const opened = await bench(context);
    const peer = await opened.peer();
    const origin = 'Host: x\r\nOrigin: https://app.test\r\n';
    peer.send(`OPTIONS /bucket/key HTTP/1.1\r\n${origin}Access-Control-Request-Method: GET\r\n\r\n`);
    assert.match(await peer.untilText('</Error>'), /^HTTP\/1.1 403 /);
    peer.send(`OPTIONS /bucket/key HTTP/1.1\r\n${origin}\r\n`);
    assert.match(await peer.untilText('</Error>'), /^HTTP\/1.1 400 [\s\S]*InvalidRequest/);
    peer.send(`GET /bucket/key HTTP/1.1\r\n${origin}\r\n`);
    assert.doesNotMatch(await peer.untilText('</Error>'), /Vary|Access-Control/);
  });

  test('an origin that no browser sends is refused at the start', async () => {
    for (const origin of ['https://app.test/', 'app.test', 'https://*.app.test']) {
      const started = startObjects({ port: 0, corsOrigins: [origin] }, testHost('objects'));
      await assert.rejects(started, { code: 'invalid-options' }, origin);
    }
  });
});

describe('bounds of HTTP', () => {
  test('come before those that follow from ours', async (context) => {
    const limits = { headTimeoutMs: 60_000 };
    const opened = await bench(context, { limits, httpLimits: { headTimeoutMs: 20 } });
    const peer = await opened.peer();
    peer.send('GET / HTTP/1.1\r\nHo');
    assert.match((await peer.untilClosed()).toString('latin1'), /^HTTP\/1.1 408 /);
  });

  test('of HTTP/2 too, which a server with a certificate speaks', async (context) => {
    const host = testHost('objects');
    const tls = await createDevelopmentIdentity(host.clock, ['127.0.0.1']);
    const { service } = await bench(context, { tls, httpLimits: { http2Streams: 3 } }, host);
    const client = http2.connect(service.url, { rejectUnauthorized: false });
    context.after(() => client.destroy());
    const [settings] = (await once(client, 'remoteSettings')) as [http2.Settings];
    assert.equal(settings.maxConcurrentStreams, 3);
  });
});

describe('bad input', () => {
  test('garbage', async (context) => {
    const opened = await bench(context);
    const peer = await opened.peer();
    peer.send('\x16\x03\x01 not a request\r\n\r\n');
    assert.match((await peer.untilClosed()).toString('latin1'), /^HTTP\/1.1 400 /);
    await opened.client.put('bucket', 'key', 'still served');
  });

  test('half a head, then silence', async (context) => {
    const opened = await bench(context, { limits: { headTimeoutMs: 20 } });
    const peer = await opened.peer();
    peer.send(putHead(opened, 5).slice(0, 40));
    assert.match((await peer.untilClosed()).toString('latin1'), /^HTTP\/1.1 408 /);
  });

  test('half a body, then silence', async (context) => {
    const opened = await bench(context, { limits: { bodyIdleTimeoutMs: 20 } });
    const peer = await opened.peer();
    peer.send(putHead(opened, LARGE.length) + LARGE.slice(0, 70_000));
    const answer = (await peer.untilClosed()).toString('latin1');
    assert.match(answer, /^HTTP\/1.1 400 [\s\S]*<Code>RequestTimeout</);
    assert.equal(await opened.client.head('bucket', 'key'), undefined);
    assert.deepEqual(await blobFiles(opened.host), []);
  });

  test('half a body, then gone', async (context) => {
    const opened = await bench(context);
    const peer = await opened.peer();
    peer.send(putHead(opened, LARGE.length) + LARGE.slice(0, 70_000));
    await eventually(async () => (await blobFiles(opened.host)).length === 1);
    peer.close();
    await eventually(async () => (await blobFiles(opened.host)).length === 0);
    assert.equal(await opened.client.head('bucket', 'key'), undefined);
  });

  test('one byte at a time', async (context) => {
    const opened = await bench(context);
    const peer = await opened.peer();
    await peer.dribble(`${putHead(opened, 5)}hello`);
    assert.match(await peer.untilText('\r\n\r\n'), /^HTTP\/1.1 200 /);
    assert.equal(await textOf(opened.client, 'key'), 'hello');
  });

  test('a head that is too long', async (context) => {
    const opened = await bench(context);
    const peer = await opened.peer();
    peer.send(`GET /bucket/key HTTP/1.1\r\nHost: x\r\nx-amz-meta-a: ${'x'.repeat(40_000)}\r\n\r\n`);
    assert.match((await peer.untilClosed()).toString('latin1'), /^HTTP\/1.1 431 /);
  });

  test('too much metadata', async (context) => {
    const { client } = await bench(context);
    await assert.rejects(client.put('bucket', 'key', 'x', { metadata: { a: 'x'.repeat(3000) } }), {
      code: 'MetadataTooLarge',
    });
  });

  test('a PUT without a length', async (context) => {
    const opened = await bench(context);
    const peer = await opened.peer();
    peer.send(rawHead(opened, { method: 'PUT', path: '/bucket/key' }));
    assert.match(await peer.untilText('</Error>'), /^HTTP\/1.1 411 [\s\S]*MissingContentLength/);
  });

  test('an object over the limit, declared or not', async (context) => {
    const opened = await bench(context, { limits: { maxPutBytes: 50_000 } });
    await assert.rejects(opened.client.put('bucket', 'key', LARGE), { code: 'EntityTooLarge' });
    const peer = await opened.peer();
    const unsigned: [string, string][] = [['Transfer-Encoding', 'chunked']];
    peer.send(
      rawHead(opened, { method: 'PUT', path: '/bucket/key', payloadHash: 'UNSIGNED-PAYLOAD', unsigned }),
    );
    peer.send(`${LARGE.length.toString(16)}\r\n${LARGE}\r\n0\r\n\r\n`);
    assert.match(await peer.untilText('</Error>'), /EntityTooLarge/);
    assert.deepEqual(await blobFiles(opened.host), []);
  });

  test('documents that are bombs, huge, or lie about their hash', async (context) => {
    const opened = await bench(context, { limits: { maxDocumentBytes: 100_000 } });
    const post = async (body: string, payloadHash = nodeHashing.sha256Hex(body)): Promise<string> => {
      const peer = await opened.peer();
      const unsigned: [string, string][] = [['Content-Length', String(body.length)]];
      const request = { method: 'POST', path: '/bucket', query: 'delete=', payloadHash, unsigned };
      peer.send(rawHead(opened, request) + body);
      return peer.untilText('</Error>');
    };
    const bomb = '<!DOCTYPE Delete [<!ENTITY a "ha">]><Delete><Object><Key>&a;</Key></Object></Delete>';
    assert.match(await post(bomb), /MalformedXML/);
    assert.match(
      await post(`<Delete>${'<Object><Key>k</Key></Object>'.repeat(1001)}</Delete>`),
      /MalformedXML/,
    );
    assert.match(await post('<Delete></Delete>'), /MalformedXML/);
    assert.match(await post(`<Delete>${'x'.repeat(100_000)}</Delete>`), /MaxMessageLengthExceeded/);
    assert.match(await post('<Delete/>', nodeHashing.sha256Hex('')), /XAmzContentSHA256Mismatch/);
  });

  test('a subresource or a header that is not supported is refused, and the object untouched', async (context) => {
    const opened = await bench(context);
    await opened.client.put('bucket', 'key', 'kept');
    const peer = await opened.peer();
    peer.send(putHead(opened, 3, { query: 'tagging=' }));
    peer.send('new');
    assert.match(await peer.untilText('</Error>'), /^HTTP\/1.1 501 [\s\S]*NotImplemented/);
    const fields = [
      'x-amz-server-side-encryption',
      'x-amz-tagging',
      'x-amz-object-lock-mode',
      'x-amz-grant-read',
    ];
    for (const name of fields) {
      const asking = await opened.peer();
      asking.send(putHead(opened, 3, { headers: [[name, 'x']] }));
      asking.send('new');
      const answer = await asking.untilText('</Error>');
      assert.match(answer, /^HTTP\/1.1 501 /);
      assert.ok(answer.includes(`<Header>${name}</Header>`), answer);
    }
    assert.equal(await textOf(opened.client, 'key'), 'kept');
  });

  test('an override that would end its header', async (context) => {
    const opened = await bench(context);
    await opened.client.put('bucket', 'key', 'x');
    const peer = await opened.peer();
    const query = 'response-content-type=a%0D%0ASet-Cookie%3A%20b';
    peer.send(rawHead(opened, { method: 'GET', path: '/bucket/key', query }));
    assert.match(await peer.untilText('</Error>'), /^HTTP\/1.1 400 [\s\S]*InvalidArgument/);
  });

  test('a client that never reads holds back nobody else', async (context) => {
    const opened = await bench(context);
    const body = Buffer.alloc(24 << 20, 'y');
    await opened.client.put('bucket', 'big', body);
    const peer = await opened.peer();
    peer.connection.pause();
    peer.send(rawHead(opened, { method: 'GET', path: '/bucket/big' }));
    await opened.client.put('bucket', 'small', 'served');
    assert.equal(await textOf(opened.client, 'small'), 'served');
    await opened.client.delete('bucket', 'big');
    assert.equal((await blobFiles(opened.host)).length, 1);
    peer.close();
    await eventually(async () => (await blobFiles(opened.host)).length === 0);
  });

  test('HEAD has no body, even of an error', async (context) => {
    const opened = await bench(context);
    const peer = await opened.peer();
    peer.send(rawHead(opened, { method: 'HEAD', path: '/bucket/missing' }));
    peer.send(rawHead(opened, { method: 'HEAD', path: '/bucket' }));
    const answers = await peer.until((received) => received.includes('x-amz-bucket-region'));
    assert.match(answers.toString(), /^HTTP\/1.1 404 [\s\S]*\r\n\r\nHTTP\/1.1 200 /);
  });
});

describe('durable state', () => {
  test('who reads keeps what was there, though it is overwritten and deleted', async (context) => {
    const opened = await bench(context);
    await opened.client.put('bucket', 'key', LARGE);
    const reading = await opened.client.get('bucket', 'key');
    await opened.client.put('bucket', 'key', 'short');
    await opened.client.delete('bucket', 'key');
    assert.equal((await reading?.bytes(1 << 20))?.toString(), LARGE);
    await eventually(async () => (await blobFiles(opened.host)).length === 0);
  });

  test('all is there after a restart, and what nobody names is swept', async (context) => {
    const files = createMemoryFiles();
    const first = await bench(context, {}, testHost('objects', { files }));
    await first.client.put('bucket', 'large', LARGE, { metadata: { a: 'b' } });
    await first.client.put('bucket', 'small', 'small');
    await first.service.close();
    const orphan = `${first.host.folder}/blobs/ab/${'ab'.repeat(16)}.blob`;
    await files.makeFolder(`${first.host.folder}/blobs/ab`);
    await (await files.open(orphan, 'create')).close();
    const second = await bench(context, {}, testHost('objects', { files }));
    assert.equal(await textOf(second.client, 'large'), LARGE);
    assert.equal(await textOf(second.client, 'small'), 'small');
    assert.deepEqual((await second.client.head('bucket', 'large'))?.metadata, { a: 'b' });
    assert.equal((await blobFiles(second.host)).length, 1);
  });

  test('bytes that rotted on the disk are never sent as if they were sound', async (context) => {
    const opened = await bench(context);
    await opened.client.put('bucket', 'key', LARGE);
    const [name] = await blobFiles(opened.host);
    for (const sub of await opened.host.files.list(`${opened.host.folder}/blobs`)) {
      const path = `${opened.host.folder}/blobs/${sub}/${name}`;
      if ((await opened.host.files.stat(path)) === undefined) continue;
      const file = await opened.host.files.open(path, 'write');
      await file.write(90_000, Buffer.from('rot'));
      await file.close();
    }
    const object = await opened.client.get('bucket', 'key');
    await assert.rejects(async () => object?.bytes(1 << 20));
  });
});
