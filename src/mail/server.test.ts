import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDevelopmentIdentity } from '../core/net/certificates.ts';
import type { Endpoint } from '../core/net/network.ts';
import { type TestHost, testHost } from '../core/testing/host.ts';
import { Peer } from '../core/testing/peer.ts';
import { systemClock } from '../core/time/system-clock.ts';
import { createHttpClient, type HttpClient } from '../http/index.ts';
import {
  DEFAULT_MAIL_LIMITS,
  DEFAULT_MAIL_OPTIONS,
  type Mail,
  type MailLimits,
  type MailOptions,
  sendMail,
  startMail,
} from './index.ts';

async function start(
  host: TestHost,
  limits: Partial<MailLimits> = {},
  options: Partial<MailOptions> = {},
): Promise<Mail> {
  return startMail({ ...DEFAULT_MAIL_OPTIONS, port: 0, httpPort: 0, ...options, limits }, host);
}

function main(mail: Mail): Endpoint {
  return mail.endpoints['main'] as Endpoint;
}

interface Inbox {
  get(
    path: string,
    headers?: readonly (readonly [string, string])[],
  ): Promise<{ status: number; body: Record<string, unknown> }>;
  send(method: string, path: string, headers?: readonly (readonly [string, string])[]): Promise<number>;
  close(): Promise<void>;
}

function inbox(host: TestHost, mail: Mail): Inbox {
  const client: HttpClient = createHttpClient({ network: host.network, clock: host.clock });
  const base = `http://127.0.0.1:${mail.endpoints['http']?.port}`;
  return {
    async get(path, headers = []) {
      const response = await client.request({ url: base + path, headers });
      const text = await response.body.text(10_000_000);
      return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : { text } };
    },
    async send(method, path, headers = []) {
      const response = await client.request({ method, url: base + path, headers });
      await response.body.bytes(1_000_000);
      return response.status;
    },
    close: () => client.close(),
  };
}

function send(host: TestHost, mail: Mail, to: string[], data: string) {
  const { address, port } = main(mail);
  return sendMail(
    { network: host.network, clock: host.clock, host: address, port },
    { from: 'a@b.test', to, data },
  );
}

test('a message is sent, listed, read, fetched raw and deleted; two mailboxes share its bytes', async () => {
  const host = testHost('mail');
  await using mail = await start(host);
  const result = await send(
    host,
    mail,
    ['Ann+x@octet.test', 'bob@octet.test'],
    'Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nFrom: A <a@b.test>\nX-Request-Id: r1\n\nhello\n.\n',
  );
  assert.equal(result.reply.code, 250);
  const http = inbox(host, mail);
  const listed = (await http.get('/api/messages')).body['messages'] as Record<string, string>[];
  assert.deepEqual(listed.map((one) => one['mailbox']).sort(), ['ann@octet.test', 'bob@octet.test']);
  assert.equal(listed[0]?.['subject'], 'Grüße');
  assert.equal(listed[0]?.['requestId'], 'r1');
  assert.equal(listed[0]?.['blobId'], undefined);
  const id = listed[0]?.['id'];
  const read = (await http.get(`/api/messages/${id}`)).body;
  assert.equal(read['text'], 'hello\n.\n');
  assert.equal(read['seen'], true);
  const raw = String((await http.get(`/api/messages/${id}/raw`)).body['text']);
  assert.match(
    raw,
    /^Return-Path: <a@b\.test>\r\nReceived: from localhost \(\[127\.0\.0\.1\]\)\r\n\tby mail\.octet\.test with ESMTP id [0-9a-f]{24};/,
  );
  assert.ok(raw.endsWith('hello\r\n.\r\n'));
  assert.equal(await http.send('DELETE', `/api/messages/${id}`), 204);
  assert.equal((await http.get(`/api/messages/${id}`)).status, 404);
  const other = listed[1]?.['id'];
  assert.equal((await http.get(`/api/messages/${other}`)).body['text'], 'hello\n.\n');
  assert.equal((await http.get('/api/messages?mailbox=nobody@octet.test')).body['messages']?.toString(), '');
  assert.equal(await http.send('DELETE', '/api/messages'), 200);
  assert.deepEqual((await http.get('/api/messages')).body['messages'], []);
  const [box] = (await http.get('/api/mailboxes')).body['mailboxes'] as Record<string, number>[];
  assert.equal(box?.['uidNext'], 2);
  await http.close();
});

test('a message too large for its summary lies in a blob, and goes with its last mailbox', async () => {
  const host = testHost('mail');
  const body = 'x'.repeat(70).concat('\r\n').repeat(3_000);
  const first = await start(host);
  await send(host, first, ['a@octet.test', 'b@octet.test'], `Subject: large\r\n\r\n${body}`);
  await first.close();
  await using second = await start(host);
  const [one, other] = second.store.list({ limit: 10 });
  for (const message of [one!, other!]) {
    let raw = '';
    for await (const chunk of second.store.bytes(message)) raw += chunk.toString('latin1');
    assert.ok(raw.endsWith(body));
    assert.equal(raw.length, message.sizeBytes);
  }
  const blobs = () => host.files.list('/octet/mail/blobs');
  const withBlob = (await blobs()).length;
  await second.store.remove(one!.id);
  await second.store.remove(other!.id);
  assert.ok(withBlob > 0);
  assert.equal(await second.store.sweep(), 0);
});

test('mail is there after a restart on the same folder', async () => {
  const host = testHost('mail');
  const first = await start(host);
  await send(host, first, ['x@octet.test'], 'Subject: kept\n\nbody\n');
  await first.close();
  await using second = await start(host);
  const http = inbox(host, second);
  const { body } = await http.get('/api/wait?subject=kept');
  assert.equal(body['subject'], 'kept');
  assert.equal((await http.get(`/api/messages/${body['id']}`)).body['text'], 'body\n');
  await http.close();
});

test('waiting: a message that comes later, one that never comes', async () => {
  const host = testHost('mail');
  await using mail = await start(host);
  const http = inbox(host, mail);
  const waiting = http.get('/api/wait?to=late@octet.test&timeoutMs=9000');
  await send(host, mail, ['other@octet.test'], 'Subject: other\n\n');
  await send(host, mail, ['late@octet.test'], 'Subject: late\n\n');
  assert.equal((await waiting).body['subject'], 'late');
  assert.equal((await http.get('/api/wait?to=never@octet.test&timeoutMs=1')).status, 408);
  assert.equal((await http.get('/api/wait?timeoutMs=soon')).status, 400);
  await http.close();
});

test('paging goes back through the whole mailbox', async () => {
  const host = testHost('mail');
  await using mail = await start(host);
  for (let index = 0; index < 5; index++) await send(host, mail, ['x@octet.test'], `Subject: ${index}\n\n`);
  const http = inbox(host, mail);
  for (const scope of ['', '&mailbox=x@octet.test']) {
    const subjects: string[] = [];
    let before = '';
    for (;;) {
      const page = (await http.get(`/api/messages?limit=2${scope}${before}`)).body['messages'] as Record<
        string,
        string
      >[];
      if (page.length === 0) break;
      subjects.push(...page.map((one) => one['subject'] ?? ''));
      before = `&before=${page.at(-1)?.['id']}`;
    }
    assert.deepEqual([...subjects].sort(), ['0', '1', '2', '3', '4']);
  }
  await http.close();
});

test('STARTTLS with AUTH inside it', async () => {
  const host = testHost('mail');
  const identity = await createDevelopmentIdentity(systemClock, ['localhost']);
  await using mail = await start(host, {}, { tls: async () => identity, requireAuth: true });
  const { address, port } = main(mail);
  const tls = { serverName: 'localhost', ca: identity.ca };
  const base = { network: host.network, clock: host.clock, host: address, port, tls };
  const message = { from: 'a@b.test', to: ['x@octet.test'], data: 'Subject: s\n\n' };
  const good = await sendMail({ ...base, auth: { user: 'octet', password: 'octet' } }, message);
  assert.equal(good.reply.code, 250);
  await assert.rejects(sendMail({ ...base, auth: { user: 'octet', password: 'wrong' } }, message), {
    replyCode: 535,
  });
  await assert.rejects(sendMail(base, message), { replyCode: 530 });
  const [stored] = mail.store.list({ limit: 1 });
  let raw = '';
  for await (const chunk of mail.store.bytes(stored!)) raw += chunk.toString();
  assert.match(raw, /with ESMTPSA id/);
});

test('refusals reach the client as coded errors', async () => {
  const host = testHost('mail');
  await using mail = await start(host);
  await assert.rejects(send(host, mail, ['x@far.test'], 'x'), {
    code: 'refused',
    replyCode: 550,
    enhanced: '5.7.1',
    retryable: false,
  });
  const partly = await send(host, mail, ['x@far.test', 'x@octet.test'], 'x');
  assert.deepEqual(
    partly.refused.map((one) => one.address),
    ['x@far.test'],
  );
  await assert.rejects(send(host, mail, ['x@octet.test>\r\nRCPT TO:<y@octet.test'], 'x'), {
    code: 'protocol',
  });
});

test('garbage, silence, half a message, one byte at a time: the others are served', async () => {
  const host = testHost('mail');
  await using mail = await start(host, { commandTimeoutMs: 80, dataTimeoutMs: 80, maxErrors: 3 });
  const garbage = await Peer.connect(host.network, main(mail));
  garbage.send(Buffer.from(Array.from({ length: 5_000 }, (_, index) => index % 251)));
  const silent = await Peer.connect(host.network, main(mail));
  const half = await Peer.connect(host.network, main(mail));
  half.send('EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<x@octet.test>\r\nDATA\r\nSubject: half');
  const slow = await Peer.connect(host.network, main(mail));
  await slow.dribble('EHLO c\r\nQUIT\r\n');
  assert.match((await slow.untilClosed()).toString(), /221 2\.0\.0 bye\r\n$/);
  assert.equal((await send(host, mail, ['x@octet.test'], 'Subject: ok\n\n')).reply.code, 250);
  assert.match((await garbage.untilClosed()).toString('latin1'), /(500|521) /);
  assert.match((await silent.untilClosed()).toString(), /421 4\.4\.2 timeout/);
  assert.match((await half.untilClosed()).toString(), /354 [\s\S]*421 4\.4\.2 timeout/);
  assert.deepEqual(
    mail.store.list({ limit: 10 }).map((one) => one.subject),
    ['ok'],
  );
});

test('silence within a message has its own, shorter time', async () => {
  const host = testHost('mail');
  await using mail = await start(host, { commandTimeoutMs: 3_600_000, dataTimeoutMs: 80 });
  const half = await Peer.connect(host.network, main(mail));
  half.send('EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<x@octet.test>\r\nDATA\r\nSubject: half');
  assert.match((await half.untilClosed()).toString(), /354 [\s\S]*421 4\.4\.2 timeout/);
});

test('a client that never reads is stopped from asking', async () => {
  const host = testHost('mail');
  await using mail = await start(host, {
    maxErrors: 1_000_000_000,
    maxUnwrittenBytes: 10_000,
    connections: { ...DEFAULT_MAIL_LIMITS.connections, idleTimeoutMs: 150, maxBufferedBytes: 100_000 },
  });
  const peer = await Peer.connect(host.network, main(mail));
  await peer.untilText('220 ');
  peer.connection.pause();
  const requests = 'HELP\r\n'.repeat(10_000);
  while (peer.connection.write(requests));
  // The server stops reading from who does not read; then nothing moves, and idleness ends it.
  const open = (): number | undefined =>
    host.observatory.samples().find((sample) => sample.name === 'octet_mail_connections')?.value;
  while (open() !== 0) await host.clock.sleep(10);
  assert.equal((await send(host, mail, ['x@octet.test'], 'Subject: ok\n\n')).reply.code, 250);
  peer.close();
});

test('a disk that is full: 452, nothing stored, and it goes on when there is room', async () => {
  const host = testHost('mail');
  let full = false;
  const files = new Proxy(host.files, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        if (full && name === 'open') throw Object.assign(new Error('disk full'), { code: 'ENOSPC' });
        return member.apply(target, args);
      };
    },
  });
  await using mail = await start(testHost('mail', { ...host, files }));
  full = true;
  const large = 'y'.repeat(500).concat('\n').repeat(300);
  await assert.rejects(send(host, mail, ['x@octet.test'], large), { replyCode: 452, retryable: true });
  full = false;
  assert.equal((await send(host, mail, ['x@octet.test'], 'x')).reply.code, 250);
  assert.equal(mail.store.list({ limit: 10 }).length, 1);
});

test('the inbox answers no page of another origin and no other host name', async () => {
  const host = testHost('mail');
  await using mail = await start(host);
  const http = inbox(host, mail);
  assert.equal((await http.get('/api/messages', [['Origin', 'https://evil.example']])).status, 403);
  assert.equal((await http.get('/api/messages', [['Host', '127.evil.example']])).status, 403);
  assert.equal((await http.get('/api/messages', [['Origin', 'http://localhost:8900']])).status, 200);
  assert.equal(await http.send('DELETE', '/api/messages/none'), 404);
  await http.close();
});
