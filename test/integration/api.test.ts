/** The API over the real services, by fetch: what a web application would do with it. */
import assert from 'node:assert/strict';
import { get, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { connect as connectTcp } from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib';
import { connect } from 'amqplib';
import pg from 'pg';
import spells from '../../examples/spells/octet.config.ts';
import { type Octet, startOctet } from '../../src/octet.ts';

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

let octet: Octet;

before(async () => {
  octet = await startOctet({
    ...spells,
    baseDir: path.join(import.meta.dirname, '../../examples/spells'),
    api: { ...spells.api, filesBucket: 'files' },
  });
});

after(() => octet.close());

async function call(
  method: string,
  target: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(`${octet.env['API_URL']}${target}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = (response.headers.get('content-type') ?? '').includes('json');
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : { text } };
}

test('a row is inserted, read, changed and deleted; the cache never shows an old one', async () => {
  const created = await call('POST', '/api/spells', { name: 'Lumos', power: 3 });
  assert.equal(created.status, 201);
  const location = created.headers.get('location') ?? '';
  assert.equal(location, `/api/spells/${created.body['id']}`);
  assert.equal((await call('GET', location)).headers.get('x-cache'), 'miss');
  assert.equal((await call('GET', location)).headers.get('x-cache'), 'hit');
  const changed = await call('PATCH', location, { power: 4, incantation: null });
  assert.equal(changed.body['power'], 4);
  const read = await call('GET', location);
  assert.deepEqual([read.headers.get('x-cache'), read.body['power']], ['miss', 4]);
  assert.equal((await call('DELETE', location)).status, 204);
  assert.equal((await call('GET', location)).status, 404);
  assert.equal((await call('DELETE', location)).status, 404);
});

test('pages in key order, and conditions', async () => {
  for (let index = 0; index < 5; index++)
    await call('POST', '/api/spells', { name: `page ${index}`, power: index % 2 });
  const names: unknown[] = [];
  let after = '';
  do {
    const { body } = await call('GET', `/api/spells?limit=2&power=1${after}`);
    names.push(...(body['items'] as { name: string }[]).map((item) => item.name));
    after = body['next'] === undefined ? '' : `&after=${body['next']}`;
  } while (after !== '');
  assert.deepEqual(names, ['page 1', 'page 3']);
});

const refusals: [method: string, target: string, body: unknown, status: number][] = [
  ['GET', '/api/secrets', undefined, 404],
  ['GET', '/api/octet_outbox', undefined, 404],
  ['PUT', '/api/spells', {}, 405],
  ['GET', '/api/spells/x', undefined, 400],
  ['GET', '/api/spells?colour=red', undefined, 400],
  ['GET', '/api/spells?limit=0', undefined, 400],
  ['POST', '/api/spells', '{"name":', 400],
  ['POST', '/api/spells', [], 422],
  ['POST', '/api/spells', { name: 7 }, 422],
  ['POST', '/api/spells', { nmae: 'x' }, 422],
  ['POST', '/api/spells', { power: 1 }, 422],
  ['POST', '/api/spells', { name: 'x'.repeat(2_000_000) }, 413],
  ['POST', '/api/spells', { id: 1, name: 'page 0' }, 409],
  ['PATCH', '/api/spells/999999', { power: 1 }, 404],
];
for (const [method, target, body, status] of refusals) {
  test(`refused with ${status}: ${method} ${target} ${JSON.stringify(body ?? '').slice(0, 40)}`, async () => {
    const answer = await call(method, target, body);
    assert.equal(answer.status, status, JSON.stringify(answer.body));
    assert.equal(answer.headers.get('content-type'), 'application/problem+json');
    assert.equal(answer.body['status'], status);
    assert.ok(answer.headers.get('x-request-id'));
  });
}

test('SQL in names and values stays a value', async () => {
  const name = "'; DROP TABLE spells; --";
  const created = await call('POST', '/api/spells', { name });
  assert.equal(created.body['name'], name);
  const found = await call('GET', `/api/spells?name=${encodeURIComponent(name)}`);
  assert.equal((found.body['items'] as unknown[]).length, 1);
});

test('a form of a foreign page is not taken for JSON', async () => {
  const answer = await call('POST', '/api/spells', '{"name":"csrf"}', { 'content-type': 'text/plain' });
  assert.equal(answer.status, 415);
});

/** What the API says to a request of the bytes that are given, whatever Host they name. */
async function said(head: string, body = ''): Promise<string> {
  const { port } = new URL(octet.env['API_URL'] ?? '');
  const socket = connectTcp(Number(port), '127.0.0.1');
  socket.write(
    `${head}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  let answer = '';
  for await (const bytes of socket) answer += String(bytes);
  return answer;
}

test('a page that made its name lead here reads and changes nothing', async () => {
  const created = await call('POST', '/api/spells', { name: 'rebound', power: 3 });
  const location = `/api/spells/${created.body['id']}`;
  for (const name of ['evil.example.com', 'EVIL.example.com:80', '127.0.0.1.evil.example.com', '0x7f.1']) {
    for (const [line, body] of [
      [`GET ${location}`, ''],
      [`PATCH ${location}`, '{"power":4}'],
      [`DELETE ${location}`, ''],
      ['POST /api/spells', '{"name":"rebound"}'],
      ['PUT /files/rebound', 'x'],
      ['GET /openapi.json', ''],
      ['GET /metrics', ''],
      ['GET /healthz', ''],
      ['GET /nowhere', ''],
    ] as const) {
      const answer = await said(`${line} HTTP/1.1\r\nHost: ${name}\r\nOrigin: http://${name}`, body);
      assert.match(answer, /^HTTP\/1\.1 421 Misdirected Request\r\n/, `${line} ${name}`);
      assert.match(answer, /\r\nContent-Type: application\/problem\+json\r\n/);
      assert.match(answer, /\r\nX-Served-By: api-1\r\n/);
      assert.match(answer, /"detail":"[^"]*allowedHosts/);
      assert.doesNotMatch(answer, /evil|0x7f/i);
    }
  }
  const found = await call('GET', '/api/spells?name=rebound');
  assert.deepEqual(
    (found.body['items'] as { power: number }[]).map(({ power }) => power),
    [3],
  );
  assert.equal((await call('GET', '/files/rebound')).status, 404);
  for (const name of ['127.0.0.1:8081', 'localhost', '[::1]:1', 'api', 'spells.test'])
    assert.match(await said(`GET ${location} HTTP/1.1\r\nHost: ${name}`), /^HTTP\/1\.1 200 /, name);
  assert.match(await said('GET /healthz HTTP/1.0'), /^HTTP\/1\.1 200 /);
});

test('each write is told, with its id and the id of its request', async () => {
  const connection = await connect(octet.env['AMQP_URL'] ?? '');
  const channel = await connection.createChannel();
  await channel.purgeQueue('spell-archive');
  const created = await call('POST', '/api/spells', { name: 'told' }, { 'x-request-id': 'request-7' });
  await call('DELETE', `/api/spells/${created.body['id']}`);
  const told: { key: string; requestId: unknown; name: string }[] = [];
  while (told.length < 2) {
    const message = await channel.get('spell-archive', { noAck: true });
    if (message === false) continue;
    const { row } = JSON.parse(message.content.toString()) as { row: { name: string } };
    told.push({
      key: message.fields.routingKey,
      requestId: message.properties.headers?.['x-request-id'],
      name: row.name,
    });
  }
  assert.deepEqual(
    told.map((one) => one.key),
    ['spells.inserted', 'spells.deleted'],
  );
  assert.deepEqual(
    told.map((one) => one.name),
    ['told', 'told'],
  );
  assert.equal(told[0]?.requestId, 'request-7');
  await connection.close();
  const sql = new pg.Client({ connectionString: octet.env['DATABASE_URL'] });
  await sql.connect();
  assert.deepEqual((await sql.query('SELECT id FROM octet_outbox')).rows, []);
  await sql.end();
});

test('files: put, get with range and validator, delete', async () => {
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
  const url = `${octet.env['API_URL']}/files/some/deep%20name.bin`;
  const put = await fetch(url, { method: 'PUT', body: bytes, headers: { 'content-type': 'image/png' } });
  assert.equal(put.status, 201);
  const whole = await fetch(url);
  assert.equal(whole.headers.get('content-type'), 'image/png');
  assert.deepEqual(Buffer.from(await whole.arrayBuffer()), bytes);
  const part = await fetch(url, { headers: { range: 'bytes=10-19' } });
  assert.equal(part.status, 206);
  assert.deepEqual(Buffer.from(await part.arrayBuffer()), bytes.subarray(10, 20));
  const same = await fetch(url, { headers: { 'if-none-match': whole.headers.get('etag') ?? '' } });
  assert.equal(same.status, 304);
  const head = await fetch(url, { method: 'HEAD' });
  assert.equal(head.headers.get('content-length'), '300000');
  const outside = await fetch(url, { headers: { range: 'bytes=300000-' } });
  assert.equal(outside.status, 416);
  assert.equal(outside.headers.get('content-range'), 'bytes */300000');
  assert.equal(outside.headers.get('content-type'), 'application/problem+json');
  const other = await fetch(url, { headers: { 'if-match': '"other"' } });
  assert.equal(other.status, 412);
  assert.equal(((await other.json()) as { title: string }).title, 'The file is not as the request has it');
  assert.equal((await fetch(url, { method: 'DELETE' })).status, 204);
  assert.equal((await fetch(url)).status, 404);
  const sizeless = await fetch(url, {
    method: 'PUT',
    body: new Blob([bytes]).stream(),
    duplex: 'half',
  } as RequestInit);
  assert.equal(sizeless.status, 411);
});

test('files keep how they are coded', async () => {
  const url = `${octet.env['API_URL']}/files/page.html`;
  const html = '<p>lumos</p>'.repeat(1_000);
  const put = await fetch(url, {
    method: 'PUT',
    body: gzipSync(html),
    headers: { 'content-type': 'text/html', 'content-encoding': 'gzip' },
  });
  assert.equal(put.status, 201);
  const coded = await plainGet('/files/page.html');
  assert.equal(coded.headers['content-encoding'], 'gzip');
  assert.equal(gunzipSync(coded.bytes).toString(), html);
  await fetch(url, { method: 'PUT', body: html, headers: { 'content-type': 'text/html' } });
  for (const spelling of ['/files/page.html', '/fil%65s/page.html']) {
    const plain = await plainGet(spelling, { 'accept-encoding': 'gzip, br' });
    assert.equal(
      plain.headers['content-encoding'],
      undefined,
      `${spelling}: nothing is coded on its way, as ranges count these bytes`,
    );
    assert.equal(plain.headers['content-length'], String(html.length));
  }
});

/** Node's own client decodes nothing. */
async function plainGet(
  target: string,
  headers: Record<string, string> = {},
): Promise<{ headers: IncomingHttpHeaders; bytes: Buffer }> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(`${octet.env['API_URL']}${target}`, { headers }, resolve).on('error', reject);
  });
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  return { headers: response.headers, bytes: Buffer.concat(parts) };
}

test('a page of rows is compressed for who takes it, and says what it depends on', async () => {
  for (let index = 0; index < 40; index++)
    await call('POST', '/api/spells', { name: `long ${index}`, incantation: 'abracadabra '.repeat(5) });
  const plain = await plainGet('/api/spells');
  assert.equal(plain.headers['content-encoding'], undefined);
  assert.match(plain.headers.vary ?? '', /Accept-Encoding/);
  const coded = await plainGet('/api/spells', { 'accept-encoding': 'br' });
  assert.equal(coded.headers['content-encoding'], 'br');
  assert.match(coded.headers.vary ?? '', /Accept-Encoding/);
  assert.deepEqual(brotliDecompressSync(coded.bytes), plain.bytes);
  const short = await plainGet('/api/spells?limit=1', { 'accept-encoding': 'br' });
  assert.equal(short.headers['content-encoding'], undefined);
});

test('a coded body is decoded, within the bound of a body', async () => {
  const post = (body: Uint8Array<ArrayBuffer>, coding: string): Promise<Response> =>
    fetch(`${octet.env['API_URL']}/api/spells`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', 'content-encoding': coding },
    });
  const row = Buffer.from(JSON.stringify({ name: 'coded', power: 2 }));
  const created = await post(gzipSync(row), 'gzip');
  assert.equal(created.status, 201);
  assert.equal(((await created.json()) as { name: string }).name, 'coded');
  const bomb = await post(gzipSync(Buffer.alloc(50_000_000, ' ')), 'gzip');
  assert.equal(bomb.status, 413);
  const unknown = await post(Buffer.from(row), 'compress');
  assert.equal(unknown.status, 415);
  assert.equal(unknown.headers.get('accept-encoding'), 'br, zstd, gzip');
  assert.equal((await post(gzipSync(row).subarray(0, -4), 'gzip')).status, 400);
});

interface Description {
  readonly paths: Record<string, Record<string, { parameters: { name: string }[] }>>;
  readonly components: { schemas: Record<string, { properties: Record<string, unknown> }> };
}

test('the description is of what is served: each method of each path, and no other', async () => {
  const { status, body } = await call('GET', '/openapi.json');
  assert.equal(status, 200);
  const { paths, components } = body as unknown as Description;
  assert.deepEqual(Object.keys(paths).sort(), [
    '/api/spells',
    '/api/spells/{key}',
    '/files/{name}',
    '/healthz',
    '/metrics',
    '/openapi.json',
    '/readyz',
  ]);
  for (const [path, operations] of Object.entries(paths)) {
    const methods = Object.keys(operations).map((method) => method.toUpperCase());
    const options = await call('OPTIONS', path.replace(/\{\w+\}/g, '1'));
    const implied = methods.includes('GET') ? ['HEAD', 'OPTIONS'] : ['OPTIONS'];
    assert.equal(options.headers.get('allow'), [...methods, ...implied].sort().join(', '), path);
  }
  const rows = components.schemas['Row_spells']?.properties ?? {};
  assert.deepEqual(rows['power'], { type: ['integer', 'null'] });
  const filters = paths['/api/spells']?.['get']?.parameters.map(({ name }) => name);
  assert.deepEqual(filters, ['limit', 'after', ...Object.keys(rows)]);
  const first = await call('GET', '/api/spells?limit=1');
  const [row = {}] = first.body['items'] as Record<string, unknown>[];
  assert.deepEqual(Object.keys(row), Object.keys(rows), 'rows have the columns that are described');
});

test('metrics, in the text that Prometheus reads', async () => {
  const answer = await call('GET', '/metrics');
  assert.equal(answer.status, 200);
  assert.match(String(answer.body['text']), /^octet_api_cache_hits_total\{instance="api-1"\} \d+$/m);
  const counted = /^octet_api_requests_total\{instance="api-1",route="(\S+)",status="(\d+)"\}/gm;
  const routes = [...String(answer.body['text']).matchAll(counted)].map(
    ([, name, status]) => `${name} ${status}`,
  );
  for (const expected of [
    'api.spells.list 200',
    'api.spells.insert 201',
    'files.read 206',
    'none 404',
    'none 405',
    'foreign-host 421',
  ])
    assert.ok(routes.includes(expected), expected);
});

test('health', async () => {
  assert.equal((await call('GET', '/healthz')).status, 200);
  const ready = await call('GET', '/readyz');
  assert.deepEqual(ready.body, { instance: 'api-1', ready: true, troubles: {} });
});
