import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { suite, test } from 'node:test';
import { createDevelopmentIdentity } from '../core/net/certificates.ts';
import { createSystemNetwork } from '../core/net/system-network.ts';
import { systemClock } from '../core/time/system-clock.ts';
import { type Script, ScriptedServer } from '../http/testing/scripted-server.ts';
import { type CurlFlags, curl, type Output } from './curl.ts';
import { CliError, EXIT } from './exit.ts';
import { main } from './main.ts';

const network = createSystemNetwork();
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const moved = (location: string): string =>
  `HTTP/1.1 302 Found\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`;

const script = (run: Script): Promise<ScriptedServer> => ScriptedServer.start(network, run);

class Told implements Output {
  text = '';

  write(chunk: string | Uint8Array): boolean {
    this.text += Buffer.from(chunk as string).toString();
    return true;
  }

  once(): this {
    return this;
  }
}

/** @returns what was written, and the exit code */
async function run(url: string, flags: CurlFlags = {}): Promise<readonly [string, number]> {
  const told = new Told();
  const exitCode = await curl(url, flags, told);
  return [told.text, exitCode];
}

const ends = (exitCode: number, words: RegExp) => (thrown: unknown) => {
  assert.ok(thrown instanceof CliError, String(thrown));
  assert.equal(thrown.exitCode, exitCode, thrown.message);
  assert.match(thrown.message, words);
  return true;
};

suite('octet curl', () => {
  test('follows redirections with -L only, and only so many', async () => {
    await using server = await script((connection, _, all) =>
      connection.write(all.includes('GET /b ') ? OK : moved('/b')),
    );
    assert.deepEqual(await run(server.url), ['', EXIT.ok]);
    assert.deepEqual(await run(server.url, { location: true }), ['ok', EXIT.ok]);
    const none = { location: true, maxRedirs: '0' };
    assert.deepEqual(await run(server.url, none), ['', EXIT.ok]);
    await using round = await script((connection) => connection.write(moved('/')));
    const two = { location: true, maxRedirs: '2' };
    await assert.rejects(run(round.url, two), ends(EXIT.failed, /too-many-redirects/));
    assert.equal(round.received.join('').match(/GET/g)!.length, 3);
  });

  test('goes through a proxy, but for what is excepted', async () => {
    await using proxy = await script((connection) => connection.write(OK));
    await using server = await script((connection) => connection.write(OK));
    const flags = { proxy: `127.0.0.1:${proxy.endpoint.port}`, proxyUser: 'u:p' };
    assert.deepEqual(await run('http://name.test/a', flags), ['ok', EXIT.ok]);
    assert.match(proxy.received[0]!, /^GET http:\/\/name\.test\/a /);
    assert.match(proxy.received[0]!, /\r\nProxy-Authorization: Basic dTpw\r\n/);
    await run(server.url, { ...flags, noproxy: 'name.test, 127.0.0.0/8' });
    assert.equal(proxy.received.length, 1);
    assert.match(server.received[0]!, /^GET \/ /);
    await assert.rejects(run(server.url, { proxy: 'socks5://a' }), ends(EXIT.usage, /invalid-request/));
    await assert.rejects(run(server.url, { proxy: 'https://a' }), ends(EXIT.usage, /not supported/));
  });

  test('gives up after -m with the exit code for time', async () => {
    await using server = await script(() => undefined);
    await assert.rejects(run(server.url, { maxTime: '0.05' }), ends(EXIT.timedOut, /-timeout\)$/));
    for (const maxTime of ['0', '-1', 'soon', ''])
      await assert.rejects(run(server.url, { maxTime }), ends(EXIT.usage, /--max-time/));
    await assert.rejects(run(server.url, { connectTimeout: 'x' }), ends(EXIT.usage, /--connect-timeout/));
    const redirs = { location: true, maxRedirs: '51' };
    await assert.rejects(run(server.url, redirs), ends(EXIT.usage, /--max-redirs/));
  });

  test('trusts the authorities of --cacert, or anybody with -k', async () => {
    const identity = await createDevelopmentIdentity(systemClock, ['127.0.0.1']);
    const folder = await mkdtemp(path.join(os.tmpdir(), 'octet-curl-'));
    try {
      const cacert = path.join(folder, 'ca.pem');
      await writeFile(cacert, identity.ca);
      await using server = await ScriptedServer.start(network, (connection) => connection.write(OK), {
        tls: identity,
      });
      const url = server.url.replace('http', 'https');
      await assert.rejects(run(url), ends(EXIT.failed, /certificate-refused/));
      assert.deepEqual(await run(url, { cacert }), ['ok', EXIT.ok]);
      assert.deepEqual(await run(url, { insecure: true }), ['ok', EXIT.ok]);
      await assert.rejects(run(url, { cacert: `${cacert}.not` }), ends(EXIT.failed, /no file/));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('refuses what it does not know', async (context) => {
    const written: string[] = [];
    context.mock.method(process.stderr, 'write', (text: string) => written.push(text) > 0);
    assert.equal(await main(['curl', '--compressed', 'http://127.0.0.1:1/']), EXIT.usage);
    context.mock.restoreAll();
    assert.match(written.join(''), /--compressed/);
  });
});
