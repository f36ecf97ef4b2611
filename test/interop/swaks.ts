import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Client, describe, type InteropWorld, type Outcome, run } from './client.ts';

function send(world: InteropWorld, ...words: string[]): Promise<Outcome> {
  const { hostname, port } = new URL(world.env['SMTP_URL'] ?? '');
  const fixed = ['--server', hostname, '--port', port, '--helo', 'client.example', '--timeout', '20'];
  return run('swaks', [...fixed, '--from', 'sender@example.org', ...words]);
}

/** The one message of a mailbox, as it lies there. */
async function read(world: InteropWorld, mailbox: string): Promise<string> {
  const base = `${world.env['MAIL_URL']}/api/messages`;
  const answer = await fetch(`${base}?mailbox=${encodeURIComponent(mailbox)}`);
  const { messages } = (await answer.json()) as { messages: { id: string }[] };
  assert.equal(messages.length, 1, `messages of ${mailbox}`);
  const raw = await fetch(`${base}/${messages[0]!.id}/raw`);
  assert.equal(raw.status, 200);
  return raw.text();
}

function accepted(outcome: Outcome): void {
  assert.equal(outcome.exitCode, 0, describe(outcome));
  assert.match(outcome.stdout, /^<[-~*]+ +250 .*\n -> QUIT/m);
}

function account(world: InteropWorld): [user: string, password: string] {
  const { username, password } = new URL(world.env['SMTP_URL'] ?? '');
  return [decodeURIComponent(username), decodeURIComponent(password)];
}

export const swaks: Client = {
  name: 'swaks',
  packages: ['swaks', 'libnet-ssleay-perl'],
  probe: ['perl', '-e', 'require Net::SSLeay; exec "swaks", "--version"'],
  services: ['mail'],
  checks: {
    'a plain message arrives as it was sent': async (world) => {
      const body = 'First line\n.a line with a dot\nLast line: ünï';
      const words = ['--to', 'plain@interop.test', '--header', 'Subject: plain', '--body', body];
      accepted(await send(world, ...words));
      const raw = await read(world, 'plain@interop.test');
      assert.match(raw, /^Subject: plain\r$/m);
      assert.match(raw, /^Received: from client\.example /m);
      assert.ok(raw.includes('\r\n\r\nFirst line\r\n.a line with a dot\r\nLast line: ünï\r\n'), raw);
    },
    'the extensions offered': async (world) => {
      const { stdout } = await send(world, '--to', 'x@interop.test', '--quit-after', 'EHLO');
      for (const extension of ['PIPELINING', 'SIZE \\d+', '8BITMIME', 'SMTPUTF8', 'STARTTLS'])
        assert.match(stdout, new RegExp(`^<-  250[- ]${extension}`, 'm'));
    },
    'a message over STARTTLS': async (world) => {
      const outcome = await send(world, '--to', 'tls@interop.test', '--tls', '--body', 'over TLS');
      assert.equal(outcome.exitCode, 0, describe(outcome));
      assert.match(outcome.stdout, /TLS started with cipher TLSv1\.[23]/);
      assert.match(await read(world, 'tls@interop.test'), /^over TLS\r$/m);
    },
    'AUTH PLAIN and LOGIN over TLS': async (world) => {
      const [user, password] = account(world);
      for (const mechanism of ['PLAIN', 'LOGIN']) {
        const auth = ['--tls', '--auth', mechanism, '--auth-user', user, '--auth-password', password];
        const to = `auth-${mechanism.toLowerCase()}@interop.test`;
        const outcome = await send(world, '--to', to, ...auth);
        assert.equal(outcome.exitCode, 0, describe(outcome));
        assert.match(outcome.stdout, /^<~ {2}235 /m);
        assert.match(await read(world, to), /^Received: .*\r\n[\s\S]*with ESMTPSA/m);
      }
    },
    'a wrong password is refused': async (world) => {
      const [user] = account(world);
      const auth = ['--tls', '--auth', 'PLAIN', '--auth-user', user, '--auth-password', 'wrong'];
      const outcome = await send(world, '--to', 'never@interop.test', ...auth);
      assert.equal(outcome.exitCode, 28, describe(outcome));
      assert.match(outcome.stdout, /^<~\* 535 5\.7\.8 /m);
    },
    'mail for other domains is refused': async (world) => {
      const outcome = await send(world, '--to', 'someone@elsewhere.example');
      assert.equal(outcome.exitCode, 24, describe(outcome));
      assert.match(outcome.stdout, /^<\*\* 5\d\d 5\.7\.1 /m);
    },
    'of several recipients those that can be served are': async (world) => {
      const to = 'one@interop.test,someone@elsewhere.example,two@interop.test';
      accepted(await send(world, '--to', to, '--body', 'for both'));
      for (const mailbox of ['one@interop.test', 'two@interop.test'])
        assert.match(await read(world, mailbox), /^for both\r$/m);
    },
    'commands in one packet': async (world) => {
      const outcome = await send(world, '--to', 'pipe@interop.test', '--pipeline', '--body', 'pipelined');
      assert.equal(outcome.exitCode, 0, describe(outcome));
      assert.match(outcome.stdout, /^ -> MAIL FROM.*\n -> RCPT TO.*\n -> DATA\n<- {2}250 /m);
      assert.match(await read(world, 'pipe@interop.test'), /^pipelined\r$/m);
    },
    'a message of megabytes with an attachment, byte for byte': async (world) => {
      const attachment = randomBytes(3_000_000);
      const file = path.join(world.folder, 'attachment.bin');
      await writeFile(file, attachment);
      const words = ['--to', 'big@interop.test', '--attach', `@${file}`, '--suppress-data'];
      const outcome = await send(world, ...words);
      assert.equal(outcome.exitCode, 0, describe(outcome));
      const raw = await read(world, 'big@interop.test');
      const encoded = /\r\nContent-Transfer-Encoding: BASE64\r\n\r\n([A-Za-z0-9+/=\r\n]+)\r\n--/i.exec(raw);
      assert.ok(
        Buffer.from(encoded?.[1] ?? '', 'base64').equals(attachment),
        'the attachment is another one',
      );
    },
    'a message announced as too large is refused before it is sent': async (world) => {
      const outcome = await send(
        world,
        '--to',
        'huge@interop.test',
        '--protocol',
        'ESMTP',
        '--from',
        'sender@example.org> SIZE=999999999999 <',
      );
      assert.notEqual(outcome.exitCode, 0);
      assert.match(outcome.stdout, /^<\*\* (552|501|555) /m);
    },
  },
};
