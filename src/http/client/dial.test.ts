/** The way to a server: names, allowed addresses, proxies, tunnels, TLS. */
import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { createDevelopmentIdentity } from '../../core/net/certificates.ts';
import type { Connection } from '../../core/net/network.ts';
import { createSystemNetwork } from '../../core/net/system-network.ts';
import { testHost } from '../../core/testing/host.ts';
import { systemClock } from '../../core/time/system-clock.ts';
import { HttpClientError } from '../errors.ts';
import { type Script, ScriptedServer } from '../testing/scripted-server.ts';
import { turns } from '../testing/virtual-time.ts';
import { createHttpClient, type HttpClient, type HttpClientOptions, isPublicAddress } from './index.ts';

const network = createSystemNetwork();
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const failure = (code: string) => (thrown: unknown) => {
  assert.ok(thrown instanceof HttpClientError, String(thrown));
  assert.equal(thrown.code, code, thrown.message);
  assert.ok(thrown.unsent);
  return true;
};

function client(options: Partial<HttpClientOptions> = {}): HttpClient {
  return createHttpClient({ network, clock: testHost('http').clock, ...options });
}

const script = (run: Script): Promise<ScriptedServer> => ScriptedServer.start(network, run);

/** A proxy that opens tunnels to `to`, and answers everything else itself. */
function proxyTo(to: () => number): Promise<ScriptedServer> {
  const isOpen = new Set<Connection>();
  return script((connection, _, all) => {
    if (isOpen.has(connection)) return;
    if (!all.startsWith('CONNECT')) return void connection.write(OK);
    isOpen.add(connection);
    connection.pause();
    void network.connect({ host: '127.0.0.1', port: to(), timeoutMs: 5_000 }).then((onward) => {
      onward.attach({ data: (chunk) => connection.write(chunk), close: () => connection.destroy() });
      connection.attach({ data: (chunk) => onward.write(chunk), close: () => onward.destroy() });
      connection.write('HTTP/1.1 200 Connection established\r\n\r\n');
      connection.resume();
    });
  });
}

suite('a name', () => {
  test('is resolved with its own errors; an address is not resolved', async () => {
    await using server = await script((connection) => connection.write(OK));
    await using http = client({
      resolve: async (host) => {
        if (host === 'none.test') return [];
        throw new Error('NXDOMAIN');
      },
    });
    await assert.rejects(http.request({ url: 'http://none.test/' }), failure('resolve-failed'));
    await assert.rejects(http.request({ url: 'http://gone.test/' }), failure('resolve-failed'));
    (await http.request({ url: server.url })).body.discard();
  });

  test('may lead to several addresses; the one that failed is tried last for a while', async () => {
    await using server = await script((connection) => connection.write(OK));
    const asked: string[] = [];
    const counting = {
      ...network,
      connect: (options: Parameters<typeof network.connect>[0]) => {
        asked.push(options.host);
        return network.connect(options);
      },
    };
    const resolve = async () => ['127.0.0.9', '127.0.0.1'];
    await using http = client({ network: counting, resolve, maxRequestsPerConnection: 1 });
    for (let count = 0; count < 2; count++) {
      const response = await http.request({ url: `http://name.test:${server.endpoint.port}/` });
      assert.equal(await response.body.text(10), 'ok');
    }
    assert.deepEqual(asked, ['127.0.0.9', '127.0.0.1', '127.0.0.1']);
  });
});

suite('allowAddress', () => {
  const guarded = (addresses: string[], asked: string[] = []): HttpClient =>
    client({
      resolve: async () => addresses,
      allowAddress: isPublicAddress,
      network: {
        ...network,
        connect: async (options) => {
          asked.push(options.host);
          throw new Error('not in this test');
        },
      },
    });

  test('refuses what leads into our own network, however it is written', async () => {
    for (const host of [
      '127.0.0.1',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '169.254.169.254',
      '10.0.0.1',
      '0.0.0.0',
    ]) {
      await using http = guarded(['192.0.2.1']);
      await assert.rejects(http.request({ url: `http://${host}/` }), failure('address-refused'), host);
    }
    for (const address of ['127.0.0.1', '::1', 'fd00::1', 'localhost', '127.1', '2130706433', 'fe80::1%lo']) {
      const asked: string[] = [];
      await using http = guarded([address], asked);
      await assert.rejects(http.request({ url: 'http://name.test/' }), failure('address-refused'), address);
      assert.deepEqual(asked, []);
    }
  });

  test('connects to the very address that it was asked about, and to no other', async () => {
    const asked: string[] = [];
    let count = 0;
    await using http = client({
      // A name that changes between check and use (DNS rebinding) is asked for only once.
      resolve: async () => (count++ === 0 ? ['10.0.0.1', '1.1.1.1'] : ['127.0.0.1']),
      allowAddress: isPublicAddress,
      network: {
        ...network,
        connect: async (options) => {
          asked.push(options.host);
          throw new Error('not in this test');
        },
      },
    });
    await assert.rejects(http.request({ url: 'http://name.test/' }), failure('connect-failed'));
    assert.deepEqual(asked, ['1.1.1.1']);
    await assert.rejects(http.request({ url: 'http://name.test/' }), failure('address-refused'));
  });

  test('holds for redirections too', async () => {
    await using server = await script((connection) =>
      connection.write('HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2/\r\nContent-Length: 0\r\n\r\n'),
    );
    const allowAddress = (address: string): boolean => address === '127.0.0.1';
    await using http = client({ resolve: async () => [], allowAddress });
    const request = { url: server.url, redirect: { follow: 1 } };
    await assert.rejects(http.request(request), failure('address-refused'));
  });

  test('cannot be kept without a resolver of ours, nor through a proxy', () => {
    const { clock } = testHost('http');
    const allowAddress = isPublicAddress;
    const resolve = async () => [];
    assert.throws(() => createHttpClient({ network, clock, allowAddress }), failure('invalid-request'));
    const proxy = { url: 'http://proxy/' };
    assert.throws(() => createHttpClient({ network, clock, allowAddress, resolve, proxy }), HttpClientError);
  });
});

suite('a proxy', () => {
  const authorization = 'Basic dTpw';

  test('is asked with the absolute URL, and told who we are', async () => {
    await using proxy = await script((connection) => connection.write(OK));
    await using http = client({ proxy: { url: proxy.url, authorization } });
    for (const url of ['http://name.test:81/a?b', 'http://[::1]/']) {
      (await http.request({ url })).body.discard();
      await turns();
    }
    assert.equal(
      proxy.received[0],
      `GET http://name.test:81/a?b HTTP/1.1\r\nHost: name.test:81\r\nProxy-Authorization: ${authorization}\r\n\r\n`,
    );
    assert.match(proxy.received[1]!, /^GET http:\/\/\[::1\]\/ HTTP\/1\.1\r\nHost: \[::1\]\r\n/);
  });

  test('is gone round where the rules say so', async () => {
    await using server = await script((connection) => connection.write(OK));
    await using http = client({ proxy: { url: 'http://127.0.0.1:1', except: ['127.0.0.0/8'] } });
    assert.equal(await (await http.request({ url: server.url })).body.text(10), 'ok');
    assert.match(server.received[0]!, /^GET \/ HTTP\/1\.1\r\nHost: 127/);
  });

  test('opens a tunnel for https, and hears nothing of what passes in it', async () => {
    const identity = await createDevelopmentIdentity(systemClock, ['name.test']);
    await using server = await ScriptedServer.start(network, (connection) => connection.write(OK), {
      tls: identity,
    });
    await using proxy = await proxyTo(() => server.endpoint.port);
    await using http = client({ proxy: { url: proxy.url, authorization }, tls: { ca: identity.ca } });
    for (let count = 0; count < 2; count++) {
      const response = await http.request({ url: 'https://name.test/secret' });
      assert.equal(await response.body.text(10), 'ok');
    }
    assert.equal(
      proxy.received[0]!.slice(0, proxy.received[0]!.indexOf('\r\n\r\n') + 4),
      `CONNECT name.test:443 HTTP/1.1\r\nHost: name.test:443\r\nProxy-Authorization: ${authorization}\r\n\r\n`,
    );
    assert.equal(proxy.connections.length, 1);
    assert.ok(!server.received[0]!.includes('Proxy-Authorization'));
    assert.match(server.received[0]!, /^GET \/secret HTTP\/1\.1\r\nHost: name\.test\r\n\r\n/);
  });

  test('opens a tunnel for a switch of protocols', async () => {
    await using server = await script((connection) =>
      connection.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nearly'),
    );
    await using proxy = await proxyTo(() => server.endpoint.port);
    await using http = client({ proxy: { url: proxy.url } });
    const response = await http.request({ url: 'http://name.test/', upgrade: 'x' });
    assert.equal(response.upgraded!.early.toString(), 'early');
    assert.match(proxy.received[0]!, /^CONNECT name\.test:80 /);
    response.upgraded!.connection.destroy();
  });

  const REFUSALS: readonly (readonly [string, string])[] = [
    ['407', 'HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n'],
    ['502', 'HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n'],
    ['bytes in the server’s name', 'HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n'],
    ['garbage', 'SSH-2.0-x\r\n\r\n'],
    ['a switch', 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'],
  ];
  for (const [name, bytes] of REFUSALS) {
    test(`that answers ${name} opens no tunnel`, async () => {
      await using proxy = await script((connection) => connection.write(bytes));
      await using http = client({ proxy: { url: proxy.url } });
      await assert.rejects(http.request({ url: 'https://name.test/' }), failure('proxy-failed'));
      while (proxy.openCount > 0) await turns(1);
      assert.equal(http.counters.connections, 0);
    });
  }

  test('that closes opens no tunnel', async () => {
    await using proxy = await script((connection) => connection.end());
    await using http = client({ proxy: { url: proxy.url } });
    await assert.rejects(http.request({ url: 'https://name.test/' }), failure('proxy-failed'));
  });
});

suite('TLS', () => {
  test('trusts who shows a good certificate of a name or an address; others have their own code', async () => {
    const identity = await createDevelopmentIdentity(systemClock, ['localhost', '127.0.0.1']);
    await using server = await ScriptedServer.start(network, (connection) => connection.write(OK), {
      tls: identity,
    });
    const resolve = async () => ['127.0.0.1'];
    const { port } = server.endpoint;
    const ca = { ca: identity.ca };
    const get = async (host: string, tls: HttpClientOptions['tls']): Promise<string> => {
      await using http = client({ resolve, ...(tls === undefined ? {} : { tls }) });
      return (await http.request({ url: `https://${host}:${port}/` })).body.text(10);
    };
    assert.equal(await get('localhost', ca), 'ok');
    assert.equal(await get('127.0.0.1', ca), 'ok');
    assert.equal(await get('other.test', { ...ca, serverName: 'localhost' }), 'ok');
    assert.equal(await get('localhost', { ...ca, minVersion: 'TLSv1.3' }), 'ok');
    assert.equal(await get('localhost', { unsafeAcceptAnyCertificate: true }), 'ok');
    await assert.rejects(get('localhost', undefined), failure('certificate-refused'));
    await assert.rejects(get('other.test', ca), failure('certificate-refused'));
    await assert.rejects(get('elsewhere.test', ca), failure('certificate-refused'));
    const notKey = { cert: 'x', key: 'y' };
    await assert.rejects(get('localhost', { ...ca, identity: notKey }), failure('tls-failed'));
  });

  test('with who does not speak it has failed', async () => {
    await using server = await script((connection) => connection.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await using http = client();
    const url = server.url.replace('http', 'https');
    await assert.rejects(http.request({ url }), failure('tls-failed'));
    assert.equal(http.counters.connections, 0);
  });
});
