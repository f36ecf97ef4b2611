import assert from 'node:assert/strict';
import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  readdir,
  rename,
  rm,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { suite } from 'node:test';
import type { Files, OpenFile } from '../../core/files/files.ts';
import { createMemoryFiles } from '../../core/files/memory-files.ts';
import { systemFiles } from '../../core/files/system-files.ts';
import { SeededRandom } from '../../core/random/seeded-random.ts';
import { testHost } from '../../core/testing/host.ts';
import { Peer } from '../../core/testing/peer.ts';
import { SimulatedClock } from '../../core/time/simulated-clock.ts';
import { HttpError } from '../errors.ts';
import { CONTENT_LIMITS } from '../limits.ts';
import { startHttpServer } from '../server.ts';
import type { HttpRequest } from '../types.ts';
import { Fields } from '../wire/fields.ts';
import { immutableFingerprints } from './cache-policy.ts';
import { ContentBody } from './representation.ts';
import { createStaticFiles, type StaticFilesOptions } from './static-files.ts';

const NOW = Date.UTC(2026, 5, 1, 12, 0, 0);
/** The date of every file, unless a test says otherwise: old enough for a strong tag. */
const MODIFIED = NOW - 3_600_000;

interface Answer {
  readonly status: number;
  readonly fields: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

interface Site extends AsyncDisposable {
  readonly folder: string;
  readonly root: string;
  readonly clock: SimulatedClock;
  /** Open files and folders that nobody has closed. */
  openCount(): number;
  put(name: string, content: string | Buffer, modifiedMs?: number): Promise<void>;
  get(target: string, ...lines: string[]): Promise<Answer>;
  request(method: string, target: string, ...lines: string[]): Promise<Answer>;
  peer(): Promise<Peer>;
}

/** A server on a real socket over a folder of the machine, whose clock only the test moves. */
async function start(options: Partial<StaticFilesOptions> = {}): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), 'octet-static-'));
  const root = join(folder, 'root');
  await mkdir(root);
  const clock = new SimulatedClock(NOW);
  const open = new Set<OpenFile>();
  const files = counted(options.files ?? systemFiles, open);
  const host = testHost('static', { clock, files, random: new SeededRandom(1) });
  const site = createStaticFiles({ ...host, root, ...options, files });
  const server = await startHttpServer({
    host,
    address: { host: '127.0.0.1', port: 0 },
    handler: site.handle,
  });
  const peers: Peer[] = [];
  const peer = async (): Promise<Peer> => {
    const made = await Peer.connect(host.network, server.endpoint);
    peers.push(made);
    return made;
  };
  const request = async (method: string, target: string, ...lines: string[]): Promise<Answer> => {
    const client = await peer();
    client.send(
      `${[`${method} ${target} HTTP/1.1`, 'Host: a', 'Connection: close', ...lines].join('\r\n')}\r\n\r\n`,
    );
    const answer = parse(await client.untilClosed());
    client.close();
    return answer;
  };
  return {
    folder,
    root,
    clock,
    openCount: () => open.size,
    async put(name, content, modifiedMs = MODIFIED) {
      const path = join(root, name);
      await mkdir(join(path, '..'), { recursive: true });
      await writeFile(path, content);
      await utimes(path, modifiedMs / 1_000, modifiedMs / 1_000);
    },
    request,
    get: (target, ...lines) => request('GET', target, ...lines),
    peer,
    async [Symbol.asyncDispose]() {
      for (const one of peers) one.close();
      await server.close(0);
      site.close();
      await rm(folder, { recursive: true });
      assert.equal(open.size, 0, 'files were left open');
    },
  };
}

function counted(files: Files, open: Set<OpenFile>): Files {
  return {
    ...files,
    stat: (path) => files.stat(path),
    realPath: (path) => files.realPath(path),
    async open(path, mode) {
      const file = await files.open(path, mode);
      open.add(file);
      const close = file.close.bind(file);
      file.close = () => {
        open.delete(file);
        return close();
      };
      return file;
    },
  };
}

function parse(bytes: Buffer): Answer {
  const headEnd = bytes.indexOf('\r\n\r\n');
  const [line = '', ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n');
  const fields = new Map(
    lines.map((field) => [
      field.slice(0, field.indexOf(':')).toLowerCase(),
      field.slice(field.indexOf(':') + 2),
    ]),
  );
  return { status: Number(line.split(' ')[1]), fields, body: bytes.subarray(headEnd + 4) };
}

const large = Buffer.from(Array.from({ length: 3_000_000 }, (_, at) => (at * 31) % 251));

suite('static files', () => {
  test('a file with all that is known of it', async () => {
    await using site = await start();
    await site.put('a.css', 'body {}');
    const { status, fields, body } = await site.get('/a.css');
    assert.equal(status, 200);
    assert.equal(String(body), 'body {}');
    const etag = fields.get('etag') ?? '';
    assert.match(etag, /^"[\w-]{22}"$/);
    assert.deepEqual(Object.fromEntries(fields), {
      date: 'Mon, 01 Jun 2026 12:00:00 GMT',
      'content-type': 'text/css; charset=utf-8',
      'accept-ranges': 'bytes',
      etag,
      'last-modified': 'Mon, 01 Jun 2026 11:00:00 GMT',
      'cache-control': 'no-cache',
      vary: 'Accept-Encoding',
      'x-content-type-options': 'nosniff',
      'content-length': '7',
      connection: 'close',
    });
  });

  const types: readonly [name: string, type: string][] = [
    ['a.html', 'text/html; charset=utf-8'],
    ['a.js', 'text/javascript; charset=utf-8'],
    ['a.mjs', 'text/javascript; charset=utf-8'],
    ['a.json', 'application/json'],
    ['a.svg', 'image/svg+xml'],
    ['a.PNG', 'image/png'],
    ['a.wasm', 'application/wasm'],
    ['a.woff2', 'font/woff2'],
    ['a', 'application/octet-stream'],
    ['a.unknown', 'application/octet-stream'],
  ];
  test('the media type is that of the name', async () => {
    await using site = await start();
    for (const [name, type] of types) {
      await site.put(name, 'x');
      assert.equal((await site.get(`/${name}`)).fields.get('content-type'), type, name);
    }
  });

  test('short, long and empty files, whole and to HEAD', async () => {
    await using site = await start();
    for (const size of [
      0,
      1,
      CONTENT_LIMITS.filePieceBytes,
      CONTENT_LIMITS.keptFileBytes + 1,
      large.length,
    ]) {
      const content = large.subarray(0, size);
      await site.put(`${size}.bin`, content);
      const { status, fields, body } = await site.get(`/${size}.bin`);
      assert.equal(status, 200);
      assert.equal(fields.get('content-length'), String(size));
      assert.ok(body.equals(content), `${size} bytes`);
      const head = await site.request('HEAD', `/${size}.bin`);
      assert.deepEqual(head, { status, fields, body: Buffer.alloc(0) });
    }
  });

  test('ranges, one and several, of what is in memory and of what is not', async () => {
    await using site = await start();
    for (const size of [100_000, large.length]) {
      const content = large.subarray(0, size);
      await site.put(`${size}.bin`, content);
      const one = await site.get(`/${size}.bin`, 'Range: bytes=-1000');
      assert.equal(one.status, 206);
      assert.equal(one.fields.get('content-range'), `bytes ${size - 1000}-${size - 1}/${size}`);
      assert.ok(one.body.equals(content.subarray(-1000)));
      const two = await site.get(`/${size}.bin`, 'Range: bytes=0-9,5000-90000');
      assert.equal(two.status, 206);
      assert.equal(two.fields.get('content-length'), String(two.body.length));
      assert.ok(two.body.includes(content.subarray(5_000, 90_001)));
      const none = await site.get(`/${size}.bin`, `Range: bytes=${size}-`);
      assert.equal(none.status, 416);
      assert.equal(none.fields.get('content-range'), `bytes */${size}`);
    }
  });

  test('a flood of ranges is answered with the whole, once', async () => {
    await using site = await start();
    await site.put('a.bin', large);
    const flood = Array.from({ length: 1_300 }, (_, at) => `${at}-`).join(',');
    const { status, body } = await site.get('/a.bin', `Range: bytes=${flood}`);
    assert.equal(status, 200);
    assert.ok(body.equals(large));
    const tiny = Array.from({ length: 16 }, (_, at) => `${at * 2}-${at * 2}`).join(',');
    const joined = await site.get('/a.bin', `Range: bytes=${tiny}`);
    assert.equal(joined.fields.get('content-range'), `bytes 0-30/${large.length}`);
  });

  test('conditions: 304, 412, and If-Range', async () => {
    await using site = await start();
    await site.put('a.bin', 'abcdef');
    const { fields } = await site.get('/a.bin');
    const etag = fields.get('etag')!;
    const unchanged = await site.get('/a.bin', `If-None-Match: "x", ${etag}`);
    assert.equal(unchanged.status, 304);
    assert.equal(unchanged.fields.get('etag'), etag);
    assert.equal(unchanged.fields.has('content-length'), false);
    assert.equal(unchanged.body.length, 0);
    assert.equal((await site.get('/a.bin', `If-Modified-Since: ${fields.get('last-modified')}`)).status, 304);
    assert.equal((await site.get('/a.bin', 'If-Match: "x"')).status, 412);
    assert.equal((await site.get('/a.bin', 'Range: bytes=0-1', `If-Range: ${etag}`)).status, 206);
    assert.equal((await site.get('/a.bin', 'Range: bytes=0-1', 'If-Range: "x"')).status, 200);
  });

  test('a file that has just been written has a weak tag, and a strong one a second later', async () => {
    await using site = await start();
    await site.put('a.bin', 'abcdef', NOW);
    const young = await site.get('/a.bin');
    assert.match(young.fields.get('etag') ?? '', /^W\/"[\w-]{22}"$/);
    assert.equal(
      (await site.get('/a.bin', 'Range: bytes=0-1', `If-Range: ${young.fields.get('etag')}`)).status,
      200,
    );
    await site.clock.advance(1_000);
    const settled = await site.get('/a.bin');
    assert.equal(`W/${settled.fields.get('etag')}`, young.fields.get('etag'));
    assert.equal((await site.get('/a.bin', `If-None-Match: ${young.fields.get('etag')}`)).status, 304);
  });

  test('what was read when it was young has a weak tag until it is read again, however late that is', async () => {
    await using site = await start({ checkEveryMs: 60_000 });
    await site.put('a.bin', 'first', NOW);
    const young = await site.get('/a.bin');
    // Within the same tick of the disk's clock, so with the same size and date.
    await writeFile(join(site.root, 'a.bin'), 'other');
    await utimes(join(site.root, 'a.bin'), NOW / 1_000, NOW / 1_000);
    await site.clock.advance(59_999);
    const late = await site.get('/a.bin');
    assert.equal(String(late.body), 'first');
    assert.equal(late.fields.get('etag'), young.fields.get('etag'));
    assert.match(late.fields.get('etag') ?? '', /^W/);
    await site.clock.advance(1);
    assert.equal(String((await site.get('/a.bin')).body), 'other');
  });

  test('a prefix that is none, or would lead to another host, is refused at once', () => {
    const host = testHost('static');
    for (const prefix of ['', 'a/', '/a', '//', '/a//'])
      assert.throws(() => createStaticFiles({ ...host, root: '/', prefix }), HttpError);
  });

  test('no date lies in the future', async () => {
    await using site = await start();
    await site.put('a.bin', 'abcdef', NOW + 86_400_000);
    assert.equal((await site.get('/a.bin')).fields.get('last-modified'), 'Mon, 01 Jun 2026 12:00:00 GMT');
  });

  test('a change shows after the time to look again, whatever kind of change', async () => {
    await using site = await start();
    await site.put('a.bin', 'first');
    const first = await site.get('/a.bin');
    await site.put('new', 'other');
    await rename(join(site.root, 'new'), join(site.root, 'a.bin'));
    assert.equal(String((await site.get('/a.bin')).body), 'first');
    await site.clock.advance(1_000);
    const other = await site.get('/a.bin', `If-None-Match: ${first.fields.get('etag')}`);
    assert.equal(other.status, 200, 'same size and date, another file');
    assert.equal(String(other.body), 'other');
    await rm(join(site.root, 'a.bin'));
    await site.clock.advance(1_000);
    assert.equal((await site.get('/a.bin')).status, 404);
  });

  test('with no time at all, every request looks', async () => {
    await using site = await start({ checkEveryMs: 0 });
    for (const content of ['one', 'two']) {
      await site.put('a.bin', content, NOW);
      assert.equal(String((await site.get('/a.bin')).body), content);
    }
    await site.put('b.bin', large);
    const answers = await Promise.all(Array.from({ length: 8 }, () => site.get('/b.bin')));
    for (const { body } of answers) assert.ok(body.equals(large));
  });

  test('a folder is its index, with a slash at its end', async () => {
    await using site = await start();
    await site.put('index.html', 'top');
    await site.put('docs/index.html', 'docs');
    await site.put('empty/other.html', 'x');
    assert.equal(String((await site.get('/')).body), 'top');
    assert.equal(String((await site.get('/docs/')).body), 'docs');
    const redirect = await site.get('/docs?a=b&c=//d');
    assert.equal(redirect.status, 301);
    assert.equal(redirect.fields.get('location'), '/docs/?a=b&c=//d');
    assert.equal((await site.get('/empty/')).status, 404);
    assert.equal((await site.get('/index.html/')).status, 404);
  });

  test('below a prefix, and nothing beside it', async () => {
    await using site = await start({ prefix: '/assets/', index: '' });
    await site.put('a b/c.txt', 'x');
    assert.equal((await site.get('/assets/a%20b/c.txt')).status, 200);
    assert.equal((await site.get('/assets/a%20b')).fields.get('location'), '/assets/a%20b/');
    for (const target of ['/a%20b/c.txt', '/assets', '/assetsa', '/assets/', '/assets/a%20b/']) {
      assert.equal((await site.get(target)).status, 404, target);
    }
  });

  test('only GET, HEAD and OPTIONS', async () => {
    await using site = await start();
    await site.put('a.txt', 'x');
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'PROPFIND']) {
      const { status, fields } = await site.request(method, '/a.txt');
      assert.equal(status, 405);
      assert.equal(fields.get('allow'), 'GET, HEAD, OPTIONS');
    }
    const options = await site.request('OPTIONS', '/a.txt');
    assert.equal(options.status, 204);
    assert.equal(options.fields.get('allow'), 'GET, HEAD, OPTIONS');
  });

  test('the caching that the owner has for a name', async () => {
    await using site = await start({ cacheControl: immutableFingerprints });
    await site.put('assets/app-1f2e3d4c.js', 'x');
    await site.put('index.html', 'x');
    const { fields } = await site.get('/assets/app-1f2e3d4c.js');
    assert.equal(fields.get('cache-control'), 'public, max-age=31536000, immutable');
    assert.equal((await site.get('/')).fields.get('cache-control'), 'no-cache');
    const unchanged = await site.get('/assets/app-1f2e3d4c.js', `If-None-Match: ${fields.get('etag')}`);
    assert.equal(unchanged.fields.get('cache-control'), 'public, max-age=31536000, immutable');
    assert.equal(unchanged.fields.get('vary'), 'Accept-Encoding');
  });
});

suite('precompressed siblings', () => {
  test('are sent to whom they suit, as representations of their own', async () => {
    await using site = await start();
    await site.put('a.js', 'plain text');
    await site.put('a.js.br', 'BR-CODED');
    await site.put('a.js.gz', 'GZ');
    const cases: readonly [acceptEncoding: string, coding: string | undefined, body: string][] = [
      ['gzip, deflate, br, zstd', 'br', 'BR-CODED'],
      ['gzip', 'gzip', 'GZ'],
      ['zstd', undefined, 'plain text'],
      ['br;q=0.1, gzip', 'gzip', 'GZ'],
      ['identity', undefined, 'plain text'],
      ['identity;q=0, br', 'br', 'BR-CODED'],
    ];
    const tags = new Set<string>();
    for (const [acceptEncoding, coding, body] of cases) {
      const answer = await site.get('/a.js', `Accept-Encoding: ${acceptEncoding}`);
      assert.equal(answer.fields.get('content-encoding'), coding, acceptEncoding);
      assert.equal(String(answer.body), body);
      assert.equal(answer.fields.get('content-type'), 'text/javascript; charset=utf-8');
      assert.equal(answer.fields.get('vary'), 'Accept-Encoding');
      tags.add(answer.fields.get('etag')!);
    }
    assert.equal(tags.size, 3);
    assert.equal((await site.get('/a.js')).fields.has('content-encoding'), false);
    const refused = await site.get('/a.js', 'Accept-Encoding: identity;q=0, deflate');
    assert.equal(refused.status, 406);
    assert.equal(refused.fields.get('vary'), 'Accept-Encoding');
  });

  test('have ranges and conditions of their own, for their coding is stored', async () => {
    await using site = await start();
    await site.put('a.js', 'plain text');
    await site.put('a.js.gz', 'GZ-CODED');
    const part = await site.get('/a.js', 'Accept-Encoding: gzip', 'Range: bytes=0-1');
    assert.equal(part.status, 206);
    assert.equal(part.fields.get('content-range'), 'bytes 0-1/8');
    assert.equal(part.fields.get('content-encoding'), 'gzip');
    assert.equal(String(part.body), 'GZ');
    const etag = part.fields.get('etag');
    const gzip = await site.get('/a.js', 'Accept-Encoding: gzip', `If-None-Match: ${etag}`);
    assert.equal(gzip.status, 304);
    assert.equal(gzip.fields.get('vary'), 'Accept-Encoding');
    assert.equal((await site.get('/a.js', `If-None-Match: ${etag}`)).status, 200);
  });

  test('are left alone when they are older, of a type that is not coded, or switched off', async () => {
    await using site = await start();
    await site.put('old.js', 'plain', MODIFIED + 2_000);
    await site.put('old.js.gz', 'GZ', MODIFIED);
    await site.put('a.png', 'plain');
    await site.put('a.png.gz', 'GZ');
    for (const target of ['/old.js', '/a.png']) {
      const { fields } = await site.get(target, 'Accept-Encoding: gzip');
      assert.equal(fields.has('content-encoding'), false, target);
    }
    assert.equal((await site.get('/a.png')).fields.has('vary'), false);
    await using off = await start({ precompressed: [] });
    await off.put('a.js', 'plain');
    await off.put('a.js.gz', 'GZ');
    const { fields } = await off.get('/a.js', 'Accept-Encoding: gzip');
    assert.equal(fields.has('content-encoding'), false);
    assert.equal(fields.has('vary'), false);
  });
});

suite('attacks on static files', () => {
  /** Every way out of the root that has worked on some server; the secret lies beside it. */
  const escapes: readonly string[] = [
    '/../secret.txt',
    '/..',
    '/./../secret.txt',
    '/%2e%2e/secret.txt',
    '/%2E%2E/secret.txt',
    '/.%2e/secret.txt',
    '/..%2fsecret.txt',
    '/..%5csecret.txt',
    '/..\\secret.txt',
    '/%252e%252e/secret.txt',
    '/%252e%252e%252fsecret.txt',
    '/a/../../secret.txt',
    '/a/%2e%2e/%2e%2e/secret.txt',
    '/%c0%ae%c0%ae/secret.txt',
    '/%c0%ae%c0%ae%c0%afsecret.txt',
    '/%uff0e%uff0e/secret.txt',
    '/..;/secret.txt',
    '/a%00/../../secret.txt',
    '/..%00/secret.txt',
    '/secret.txt%00.css',
    '/.../secret.txt',
    '/....//secret.txt',
    '//etc/passwd',
    '///etc/passwd',
    '/%2fetc%2fpasswd',
    '/etc%2f..%2f..%2fsecret.txt',
    '/C:/secret.txt',
    '/c%3a%5csecret.txt',
    '/a.txt::$DATA',
    '/a.txt%20',
    '/a.txt.',
    '/con',
    '/aux.txt',
    '/.env',
    '/.git/config',
    '/GIT~1/config',
    '/a/.hidden',
    'http://a/../secret.txt',
    'http://a//secret.txt',
    `/${'a/'.repeat(2_000)}`,
    `/${'a'.repeat(5_000)}`,
    `/${'%2e%2e/'.repeat(500)}etc/passwd`,
  ];

  test('traversal: nothing outside the root, hidden or special is ever sent', async () => {
    await using site = await start();
    await writeFile(join(site.folder, 'secret.txt'), 'SECRET');
    await site.put('a.txt', 'a');
    await site.put('a/b.txt', 'b');
    for (const name of ['.env', '.git/config', 'a/.hidden']) await site.put(name, 'SECRET');
    for (const target of escapes) {
      const { status, body } = await site.get(target);
      assert.ok(status === 404 || status === 400, `${target} → ${status}`);
      assert.ok(!body.includes('SECRET') && !body.includes('root:'), target);
    }
    assert.equal(String((await site.get('/a/b.txt')).body), 'b');
  });

  test('symbolic links: within the root they are followed, out of it not, whatever they are called', async () => {
    await using site = await start();
    await mkdir(join(site.folder, 'outside'));
    await mkdir(join(site.folder, 'root-beside'));
    await writeFile(join(site.folder, 'outside/index.html'), 'SECRET');
    await writeFile(join(site.folder, 'root-beside/a.txt'), 'SECRET');
    await site.put('real/a.txt', 'inside');
    const links: readonly [name: string, to: string][] = [
      ['in', 'real/a.txt'],
      ['in-folder', 'real'],
      ['absolute', join(site.folder, 'outside/index.html')],
      ['relative', '../outside/index.html'],
      ['folder', '../outside'],
      ['beside', '../root-beside'],
      ['chain', 'relative'],
      ['circle', 'circle'],
      ['dangling', 'nothing'],
      ['up-and-back', '../root/real/a.txt'],
    ];
    for (const [name, to] of links) await symlink(to, join(site.root, name));
    for (const target of ['/in', '/in-folder/a.txt', '/up-and-back']) {
      assert.equal(String((await site.get(target)).body), 'inside', target);
    }
    const out = [
      '/absolute',
      '/relative',
      '/folder',
      '/folder/',
      '/folder/index.html',
      '/beside/a.txt',
      '/chain',
      '/circle',
      '/dangling',
    ];
    for (const target of out) {
      const { status, body } = await site.get(target);
      assert.equal(status, 404, target);
      assert.ok(!body.includes('SECRET'));
    }
    assert.equal(site.openCount(), 0, 'what was refused is closed again');
  });

  test('a link that is switched between two looks: what is open must be what was judged', async () => {
    let swap: (() => Promise<void>) | undefined;
    const files: Files = {
      ...systemFiles,
      async open(path, mode) {
        const file = await systemFiles.open(path, mode);
        await swap?.();
        return file;
      },
    };
    await using site = await start({ files });
    await writeFile(join(site.folder, 'secret.txt'), 'SECRET');
    await site.put('good.txt', 'good');
    await symlink('../secret.txt', join(site.root, 'link'));
    // Opened while it leads out, judged while it leads in.
    swap = async () => {
      await symlink('good.txt', join(site.root, 'new'));
      await rename(join(site.root, 'new'), join(site.root, 'link'));
    };
    const { status, body } = await site.get('/link');
    assert.equal(status, 404);
    assert.ok(!body.includes('SECRET'));
    swap = undefined;
    assert.equal(String((await site.get('/link')).body), 'good');
  });

  test('a hard link is a file like any other, a pipe and a folder are none', async () => {
    await using site = await start();
    await site.put('a.txt', 'a');
    await link(join(site.root, 'a.txt'), join(site.root, 'hard.txt'));
    assert.equal(String((await site.get('/hard.txt')).body), 'a');
    const { execFileSync } = await import('node:child_process');
    execFileSync('mkfifo', [join(site.root, 'pipe')]);
    await mkdir(join(site.root, 'index.html'));
    assert.equal((await site.get('/pipe')).status, 404);
    assert.equal((await site.get('/')).status, 404);
  });

  test('a file that may not be read is none', async () => {
    const files: Files = {
      ...systemFiles,
      open: async (path, mode) => {
        if (path.endsWith('locked.txt')) throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
        return systemFiles.open(path, mode);
      },
    };
    await using site = await start({ files });
    await site.put('locked.txt', 'x');
    await chmod(join(site.root, 'locked.txt'), 0);
    assert.equal((await site.get('/locked.txt')).status, 404);
  });

  test('no redirect leads to another host', async () => {
    await using site = await start();
    await mkdir(join(site.root, 'evil.example'));
    await mkdir(join(site.root, '\\evil.example'));
    for (const target of [
      '//evil.example',
      '///evil.example',
      '/\\evil.example',
      '/%5cevil.example',
      '/%2fevil.example',
      '//evil.example/%2e%2e',
    ]) {
      const { status, fields } = await site.get(target);
      assert.ok(status === 404 || status === 400, target);
      assert.equal(fields.has('location'), false, target);
    }
    assert.equal((await site.get('/evil.example')).fields.get('location'), '/evil.example/');
  });

  test('no name of a file splits a header', async () => {
    await using site = await start();
    const name = 'a\r\nSet-Cookie: evil=1\r\n\r\nx';
    await mkdir(join(site.root, name));
    await site.put('b é"\'.txt', 'x');
    await mkdir(join(site.root, "c é ' (1)"));
    const split = await site.get(`/${encodeURIComponent(name)}`);
    assert.equal(split.status, 404);
    assert.equal(split.fields.has('set-cookie'), false);
    const redirect = await site.get("/c%20é%20'%20(1)".replace('é', '%c3%a9'));
    assert.equal(redirect.fields.get('location'), "/c%20%C3%A9%20'%20(1)/");
  });

  test('a file that becomes shorter while it is sent is a cut, never a wrong length', async () => {
    const files: Files = {
      ...systemFiles,
      open: async (path, mode) => shrinking(await systemFiles.open(path, mode)),
    };
    await using site = await start({ files });
    await site.put('a.bin', large);
    const peer = await site.peer();
    peer.send('GET /a.bin HTTP/1.1\r\nHost: a\r\n\r\n');
    const { fields, body } = parse(await peer.untilClosed());
    assert.equal(fields.get('content-length'), String(large.length));
    assert.ok(body.length < large.length);
  });

  test('a client that goes away leaves no file open', async () => {
    await using site = await start({ checkEveryMs: 0 });
    await site.put('a.bin', Buffer.alloc(20_000_000));
    const peer = await site.peer();
    peer.send('GET /a.bin HTTP/1.1\r\nHost: a\r\n\r\n');
    await peer.untilText('\r\n\r\n');
    peer.connection.pause();
    peer.close();
    await site.put('b.bin', 'b');
    // The shelf holds one of each; more would be the reader's that is gone.
    while (site.openCount() > 1) await site.get('/b.bin');
  });

  test('a client that does not read is not read for', async () => {
    const size = 50_000_000;
    let readBytes = 0;
    let underWay = 0;
    const files: Files = {
      ...systemFiles,
      async open(path, mode) {
        const file = await systemFiles.open(path, mode);
        const read = file.read.bind(file);
        file.read = async (position, into) => {
          underWay++;
          const count = await read(position, into);
          underWay--;
          readBytes += count;
          return count;
        };
        return file;
      },
    };
    await using site = await start({ files });
    await site.put('sparse.bin', '');
    await truncate(join(site.root, 'sparse.bin'), size);
    const peer = await site.peer();
    peer.send('GET /sparse.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    await peer.untilText('\r\n\r\n');
    peer.connection.pause();
    // The sockets fill up first; then nothing happens any more.
    for (let still = 0, seen = -1; still < 1_000; still++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (underWay > 0 || readBytes !== seen) still = 0;
      seen = readBytes;
    }
    assert.ok(readBytes < size / 2, `${readBytes} bytes were read`);
    peer.connection.resume();
    await peer.untilClosed();
    assert.equal(readBytes, size);
  });

  test('many names hold no more memory and files than the bounds', async () => {
    await using site = await start();
    const count = CONTENT_LIMITS.keptFiles + 20;
    for (let at = 0; at < count; at++) await site.put(`${at}.bin`, `content ${at}`);
    await site.put('large.bin', large);
    await site.get('/large.bin');
    assert.equal(site.openCount(), 1);
    for (let at = 0; at < count; at++)
      assert.equal(String((await site.get(`/${at}.bin`)).body), `content ${at}`);
    assert.equal(site.openCount(), 0, 'the one used longest ago was let go');
    assert.ok((await site.get('/large.bin')).body.equals(large));
  });
});

test('a file pushed off the shelf before its answer is looked up again', async () => {
  const memory = createMemoryFiles();
  const made = await memory.open('/f', 'create');
  await made.truncate(CONTENT_LIMITS.keptFileBytes + 1);
  // Every name leads to the one file, at once, so that looks end between the end of another and its answer.
  const files: Files = {
    ...memory,
    open: (_, mode) => memory.open('/f', mode),
    realPath: async (path) => path,
    stat: () => memory.stat('/f'),
  };
  const host = testHost('static', { files });
  await using site = createStaticFiles({ ...host, files, root: '/r', checkEveryMs: 0 });
  const names = Array.from({ length: CONTENT_LIMITS.keptFiles * 2 }, (_, at) => `/${at}.bin`);
  const lengths = names.map(async (name) => {
    const request = {
      method: 'GET',
      path: name,
      query: '',
      headers: Fields.from([]),
    } as unknown as HttpRequest;
    const { body } = await site.handle(request);
    assert.ok(body instanceof ContentBody);
    return (await body.bytes()).length;
  });
  assert.deepEqual(new Set(await Promise.all(lengths)), new Set([CONTENT_LIMITS.keptFileBytes + 1]));
});

/** Reads nothing beyond the first megabyte. */
function shrinking(file: OpenFile): OpenFile {
  const read = file.read.bind(file);
  file.read = (position, into) => (position > 1_000_000 ? Promise.resolve(0) : read(position, into));
  return file;
}

suite('static files in memory', () => {
  test('are served as those of the machine', async () => {
    const files = createMemoryFiles(new SimulatedClock(MODIFIED));
    await files.makeFolder('/site/docs');
    const file = await files.open('/site/docs/index.html', 'create');
    await file.write(0, Buffer.from('<p>docs'));
    await file.close();
    await using site = await start({ files, root: '/site' });
    const { status, fields, body } = await site.get('/docs/');
    assert.equal(status, 200);
    assert.equal(String(body), '<p>docs');
    assert.equal(fields.get('last-modified'), 'Mon, 01 Jun 2026 11:00:00 GMT');
    assert.equal((await site.get('/docs/', `If-None-Match: ${fields.get('etag')}`)).status, 304);
    assert.equal((await site.get('/docs')).fields.get('location'), '/docs/');
    assert.equal((await site.get('/none')).status, 404);
    assert.deepEqual(await readdir(site.root), [], 'not from the disk');
  });
});
