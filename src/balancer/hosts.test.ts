/** Which names the balancer answers to, on real sockets: what a page whose name leads to 127.0.0.1 would send. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import test, { type TestContext } from 'node:test';
import { createDevelopmentIdentity } from '../core/net/certificates.ts';
import { testHost } from '../core/testing/host.ts';
import { Peer } from '../core/testing/peer.ts';
import { startHttpServer, text } from '../http/index.ts';
import { BalancerError } from './errors.ts';
import type { BalancerOptions } from './options.ts';
import { type BalancerExtras, startBalancer } from './server.ts';

/** A balancer on loopback before one server that counts what reaches it, and switches to whatever it is asked for. */
async function bench(context: TestContext, options: Partial<BalancerOptions> & BalancerExtras = {}) {
  const reached: string[] = [];
  const server = await startHttpServer({
    host: testHost('backend'),
    address: { host: '127.0.0.1', port: 0 },
    handler: async (request) => {
      reached.push(`${request.method} ${request.headers.get('host')} ${await request.body.text(100)}`);
      if (request.upgrade === undefined) return text(200, 'reached');
      return {
        status: 101,
        headers: [['Upgrade', request.upgrade]],
        upgrade: (connection) => {
          connection.attach({ data: () => undefined, end: () => connection.end() });
          connection.write('reached');
        },
      };
    },
  });
  context.after(() => server.close(0));
  const host = testHost('balancer');
  const balancer = await startBalancer(
    {
      port: 0,
      managementPort: 0,
      pools: { p: { servers: [`127.0.0.1:${server.endpoint.port}`] } },
      routes: [
        { pathPrefix: '/', pool: 'p' },
        { host: 'Files.example.com', pathPrefix: '/files', pool: 'p' },
      ],
      ...options,
    },
    host,
  );
  context.after(() => balancer.close(0));
  const { main } = balancer.endpoints;
  /** The whole answer to a request of the text. */
  const send = async (head: string, body = ''): Promise<string> => {
    const peer = await Peer.connect(host.network, main!);
    context.after(() => peer.close());
    peer.send(`${head}\r\nConnection: close\r\n\r\n${body}`);
    return (await peer.untilClosed()).toString('latin1');
  };
  return { reached, send, host, port: main!.port };
}

const FOREIGN = [
  'evil.example.com',
  'evil.example.com:8080',
  'EVIL.example.com.',
  '127.0.0.1.evil.example.com',
  'localhost.evil.example.com',
  'files.example.com.evil.net',
  'a.files.example.com',
  '0x7f.1',
];

test('a page that made its name lead here is refused, and nothing reaches a server', async (context) => {
  const { reached, send, host } = await bench(context);
  for (const name of FOREIGN) {
    for (const [head, body] of [
      [`GET / HTTP/1.1\r\nHost: ${name}`, ''],
      [`POST /a HTTP/1.1\r\nHost: ${name}\r\nOrigin: http://${name}\r\nContent-Length: 1`, 'x'],
      [`GET http://${name}/ HTTP/1.1\r\nHost: ${name}`, ''],
      [`OPTIONS * HTTP/1.1\r\nHost: ${name}`, ''],
      [`GET / HTTP/1.1\r\nHost: ${name}\r\nX-Forwarded-Host: localhost`, ''],
    ] as const) {
      const answer = await send(head, body);
      assert.match(answer, /^HTTP\/1\.1 421 Misdirected Request\r\n/, head);
      assert.match(answer, /\r\nProxy-Status: octet; error=http_request_denied\r\n/);
      assert.match(answer, /\r\n\r\n\{"reason":"foreign-host",.*allowedHosts/);
      assert.doesNotMatch(answer, /evil/i);
    }
  }
  assert.deepEqual(reached, []);
  const counted = await host.observatory.prometheusText();
  assert.match(counted, /octet_balancer_refused_total\{[^}]*reason="foreign-host"[^}]*\} 40\n/);
});

test('addresses, names that nobody can own and the hosts of routes are answered', async (context) => {
  const { reached, send } = await bench(context);
  const names = ['127.0.0.1:8080', '[::1]', 'localhost', 'api:80', 'shop.test', 'files.EXAMPLE.com:80'];
  for (const name of names) {
    const answer = await send(`POST / HTTP/1.1\r\nHost: ${name}\r\nContent-Length: 1`, 'x');
    assert.match(answer, /^HTTP\/1\.1 200 /, name);
  }
  assert.deepEqual(
    reached,
    names.map((name) => `POST ${name} x`),
  );
  assert.match(await send('GET / HTTP/1.0'), /^HTTP\/1\.1 200 /);
});

test('names that are listed are answered, and only they', async (context) => {
  const { send } = await bench(context, { allowedHosts: ['shop.example.com', '*.b.example.com'] });
  for (const name of ['shop.example.com', 'Shop.Example.Com.:8080', 'a.b.example.com', 'localhost'])
    assert.match(await send(`GET / HTTP/1.1\r\nHost: ${name}`), /^HTTP\/1\.1 200 /, name);
  for (const name of ['example.com', 'b.example.com', 'evil.example.com'])
    assert.match(await send(`GET / HTTP/1.1\r\nHost: ${name}`), /^HTTP\/1\.1 421 /, name);
  const open = await bench(context, { allowedHosts: ['*'] });
  assert.match(await open.send('GET / HTTP/1.1\r\nHost: evil.example.com'), /^HTTP\/1\.1 200 /);
});

test('a WebSocket is switched for names of ours only', async (context) => {
  const { reached, host, port } = await bench(context);
  const upgrade = async (name: string): Promise<Peer> => {
    const peer = await Peer.connect(host.network, { address: '127.0.0.1', port });
    context.after(() => peer.close());
    const fields = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k`;
    peer.send(`GET /socket HTTP/1.1\r\nHost: ${name}\r\nOrigin: http://${name}\r\n${fields}\r\n\r\n`);
    return peer;
  };
  const foreign = await upgrade('evil.example.com');
  assert.match(await foreign.untilText('\r\n\r\n'), /^HTTP\/1\.1 421 /);
  assert.deepEqual(reached, []);
  const ours = await upgrade('shop.test');
  assert.match(await ours.untilText('\r\n\r\n'), /^HTTP\/1\.1 101 /);
  await ours.untilText('reached');
});

test('HTTP/2 says it by :authority', async (context) => {
  const tls = await createDevelopmentIdentity(testHost('test').clock, ['localhost']);
  const { reached, port } = await bench(context, { tls });
  const client = http2.connect(`https://localhost:${port}`, { ca: tls.ca, host: '127.0.0.1' });
  context.after(() => client.destroy());
  const status = async (authority: string): Promise<unknown> => {
    const stream = client.request({ ':path': '/', ':authority': authority });
    const [fields] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
    stream.resume();
    await once(stream, 'close');
    return fields[':status'];
  };
  assert.equal(await status('evil.example.com'), 421);
  assert.deepEqual(reached, []);
  assert.equal(await status(`localhost:${port}`), 200);
  assert.equal(await status('files.example.com'), 200);
});

test('names that are none are refused at the start', async () => {
  const pools = { p: { servers: ['127.0.0.1:1'] } };
  const bad: Partial<BalancerOptions>[] = [
    ...['', 'a:80', 'http://a.test', 'a b', '*a.test', '::1'].map((name) => ({ allowedHosts: ['a', name] })),
    ...['', 'a:80', '*.a.test', '*'].map((host) => ({
      pools,
      routes: [{ host, pathPrefix: '/', pool: 'p' }],
    })),
  ];
  for (const options of bad) {
    await assert.rejects(
      startBalancer({ port: 0, managementPort: 0, ...options }, testHost('balancer')),
      (thrown) =>
        thrown instanceof BalancerError &&
        thrown.code === 'bad-configuration' &&
        /^(allowedHosts|routes\[0\]\.host) .*no host name$/.test(thrown.message),
      JSON.stringify(options),
    );
  }
});
