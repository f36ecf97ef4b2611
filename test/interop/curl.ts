import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Client, describe, type InteropWorld, type Outcome, run } from './client.ts';

const LARGE = randomBytes(5 * 1024 * 1024);

function at(world: InteropWorld, target: string): string {
  return `${world.env['BALANCER_URL']}${target}`;
}

async function fetched(...words: string[]): Promise<Outcome> {
  const outcome = await run('curl', ['--silent', '--show-error', '--max-time', '30', ...words]);
  assert.equal(outcome.exitCode, 0, `curl ${words.join(' ')}: ${describe(outcome)}`);
  return outcome;
}

/** Status and body of one request. */
async function request(...words: string[]): Promise<{ status: number; body: string }> {
  const { stdout } = await fetched('-w', '\n%{http_code}', ...words);
  const end = stdout.lastIndexOf('\n');
  return { status: Number(stdout.slice(end + 1)), body: stdout.slice(0, end) };
}

/** Puts an object as S3 has it, signed by curl, through the balancer. */
function upload(world: InteropWorld, file: string, target: string, ...more: string[]): Promise<Outcome> {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION } = world.env;
  const signed = ['--aws-sigv4', `aws:amz:${AWS_REGION}:s3`];
  const user = ['--user', `${AWS_ACCESS_KEY_ID}:${AWS_SECRET_ACCESS_KEY}`];
  const unsigned = ['-H', 'x-amz-content-sha256: UNSIGNED-PAYLOAD'];
  return fetched(...signed, ...user, ...unsigned, '-T', file, ...more, at(world, target));
}

export const curl: Client = {
  name: 'curl',
  packages: ['curl'],
  probe: ['curl', '--version'],
  services: ['database', 'cache', 'queue', 'objects', 'api', 'balancer'],
  checks: {
    'a signed upload through the balancer waits for 100 Continue': async (world) => {
      const file = path.join(world.folder, 'large.bin');
      await writeFile(file, LARGE);
      const outcome = await upload(world, file, '/files/large.bin', '-v', '-H', 'Content-Type: x/large');
      assert.match(outcome.stderr, /^> Expect: 100-continue/m);
      assert.match(outcome.stderr, /^< HTTP\/1\.1 100 Continue/m);
      assert.match(outcome.stderr, /^< HTTP\/1\.1 200 /m);
    },
    'the file comes back byte for byte': async (world) => {
      const { bytes } = await fetched(at(world, '/files/large.bin'));
      assert.ok(bytes.equals(LARGE), 'another file came back');
    },
    'ranges: one from the middle, the end, one that does not exist, a download resumed': async (world) => {
      const url = at(world, '/files/large.bin');
      const middle = await fetched('-r', '1000000-1000999', url);
      assert.ok(middle.bytes.equals(LARGE.subarray(1_000_000, 1_001_000)));
      const end = await fetched('-r', '-500', url);
      assert.ok(end.bytes.equals(LARGE.subarray(-500)));
      assert.equal((await request('-o', '/dev/null', '-r', '99999999-', url)).status, 416);
      const file = path.join(world.folder, 'resumed.bin');
      await writeFile(file, LARGE.subarray(0, 2_000_000));
      await fetched('-C', '-', '-o', file, url);
      const compared = await run('cmp', [file, path.join(world.folder, 'large.bin')]);
      assert.equal(compared.exitCode, 0, describe(compared));
    },
    'HEAD and conditions': async (world) => {
      const url = at(world, '/files/large.bin');
      const { stdout } = await fetched('-I', url);
      assert.match(stdout, /^HTTP\/1\.1 200 /);
      assert.match(stdout, new RegExp(`^content-length: ${LARGE.length}\r$`, 'im'));
      assert.match(stdout, /^content-type: x\/large\r$/im);
      assert.match(stdout, /^accept-ranges: bytes\r$/im);
      const etag = /^etag: (\S+)\r$/im.exec(stdout)?.[1] ?? '';
      assert.equal((await request('-H', `If-None-Match: ${etag}`, url)).status, 304);
      assert.equal((await request('-H', 'If-Match: "other"', url)).status, 412);
    },
    'an upload without a signature is refused': async (world) => {
      const { status, body } = await request('-X', 'PUT', '--data', 'x', at(world, '/files/unsigned'));
      assert.equal(status, 403);
      assert.match(body, /<Code>AccessDenied<\/Code>/);
    },
    'many requests on one connection': async (world) => {
      const urls = Array.from({ length: 20 }, () => at(world, '/files/large.bin'));
      const { stdout } = await fetched('-I', '-w', 'connects=%{num_connects}\n', ...urls);
      assert.equal(stdout.match(/^HTTP\/1\.1 200 /gm)?.length, 20);
      assert.equal(stdout.match(/^connects=1$/gm)?.length, 1, 'new connections were made');
    },
    'HTTP/1.0': async (world) => {
      const { bytes } = await fetched('--http1.0', '-r', '0-9', at(world, '/files/large.bin'));
      assert.ok(bytes.equals(LARGE.subarray(0, 10)));
    },
    'a row is made from a chunked body, read, changed, listed and deleted': async (world) => {
      const json = ['-H', 'Content-Type: application/json'];
      const chunked = ['-H', 'Transfer-Encoding: chunked', ...json];
      const made = await request(...chunked, '-d', '{"title":"by curl"}', at(world, '/api/notes'));
      assert.equal(made.status, 201, made.body);
      const { id } = JSON.parse(made.body) as { id: number };
      const row = at(world, `/api/notes/${id}`);
      assert.deepEqual(JSON.parse((await request(row)).body), { id, title: 'by curl', stars: 0 });
      assert.equal((await request('-X', 'PATCH', ...json, '-d', '{"stars":3}', row)).status, 200);
      assert.deepEqual(JSON.parse((await request(row)).body), { id, title: 'by curl', stars: 3 });
      const listed = JSON.parse((await request(at(world, '/api/notes?title=by%20curl'))).body) as object;
      assert.match(JSON.stringify(listed), new RegExp(`"id":${id},`));
      assert.equal((await request('-X', 'DELETE', row)).status, 204);
      assert.equal((await request(row)).status, 404);
    },
    'both instances of the API answer in turn, and a second read comes from the cache': async (world) => {
      const served = new Set<string>();
      for (let n = 0; n < 6; n++) {
        const { stdout } = await fetched('-i', at(world, '/api/notes'));
        served.add(/^x-served-by: (\S+)\r$/im.exec(stdout)?.[1] ?? '');
      }
      assert.deepEqual([...served].toSorted(), ['api-1', 'api-2']);
      const json = ['-H', 'Content-Type: application/json'];
      const made = await request(...json, '-d', '{"title":"cached"}', at(world, '/api/notes'));
      const { id } = JSON.parse(made.body) as { id: number };
      await fetched(at(world, `/api/notes/${id}`));
      const { stdout } = await fetched('-i', at(world, `/api/notes/${id}`));
      assert.match(stdout, /^x-cache: hit\r$/im);
    },
    'refusals are problem details': async (world) => {
      const json = ['-H', 'Content-Type: application/json'];
      const refusals: [status: number, words: string[]][] = [
        [404, [at(world, '/api/notes/999999999')]],
        [404, [at(world, '/api/no-such-table')]],
        [400, [...json, '-d', '{"title":', at(world, '/api/notes')]],
        [405, ['-X', 'PUT', ...json, '-d', '{}', at(world, '/api/notes')]],
        [415, ['-H', 'Content-Type: text/plain', '-d', '{}', at(world, '/api/notes')]],
      ];
      for (const [status, words] of refusals) {
        const { stdout } = await fetched('-i', ...words);
        assert.match(stdout, new RegExp(`^HTTP/1\\.1 ${status} `), words.join(' '));
        assert.match(stdout, /^content-type: application\/problem\+json/im, words.join(' '));
        assert.match(stdout, new RegExp(`"status":${status}`), words.join(' '));
      }
    },
  },
};
