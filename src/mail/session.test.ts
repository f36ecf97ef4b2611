import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chunkings } from '../core/testing/chunkings.ts';
import { createDirectory } from './engine/directory.ts';
import { DEFAULT_MAIL_LIMITS } from './limits.ts';
import { type Action, MailSession, type SessionConfig } from './session.ts';

const directory = createDirectory({ domains: ['octet.test'], mailboxes: 'any' });

function config(overrides: Partial<SessionConfig> = {}): SessionConfig {
  return {
    hostname: 'mail.octet.test',
    limits: { ...DEFAULT_MAIL_LIMITS, maxMessageBytes: 1_000, maxErrors: 5, maxRecipients: 3 },
    tlsAvailable: false,
    plaintextAuth: true,
    requireAuth: false,
    bareLineEndings: 'reject',
    accepts: (recipient) => directory.accepts(recipient),
    admits: () => true,
    ...overrides,
  };
}

interface Outcome {
  codes: number[];
  text: string;
  messages: string[];
  closed: boolean;
  kinds: string[];
}

/** Plays the driver: stores every message, accepts the password `right`. */
function play(
  script: string,
  overrides: Partial<SessionConfig> = {},
  chunks: Buffer[] = [Buffer.from(script, 'latin1')],
): Outcome {
  const session = new MailSession(config(overrides), false, 0);
  const outcome: Outcome = { codes: [], text: '', messages: [], closed: false, kinds: [] };
  let open = '';
  const perform = (actions: Action[]): void => {
    for (const action of actions) {
      outcome.kinds.push(action.kind);
      if (action.kind === 'write') outcome.text += action.text;
      if (action.kind === 'open') open = '';
      if (action.kind === 'data') open += action.bytes.toString('latin1');
      if (action.kind === 'close') outcome.closed = true;
      if (action.kind === 'commit') {
        outcome.messages.push(open);
        perform(session.stored({ ok: true, detail: 'queued' }, 0));
      }
      if (action.kind === 'authenticate') {
        perform(session.authenticated(action.password === 'right' ? action.username : undefined, 0));
      }
      if (action.kind === 'start-tls') perform(session.secured(0));
    }
  };
  perform(session.greet());
  for (const chunk of chunks) perform(session.receive(chunk, 0));
  outcome.codes = outcome.text
    .split('\r\n')
    .filter((line) => line[3] === ' ')
    .map((line) => Number(line.slice(0, 3)));
  return outcome;
}

const envelope = 'EHLO c.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<x@octet.test>\r\n';

test('a message that may be stored gets no reply: the connection ends', () => {
  const session = new MailSession(config({}), false, 0);
  session.greet();
  const script = `${envelope}DATA\r\nSubject: x\r\n\r\n.\r\nNOOP\r\n`;
  const asked = session.receive(Buffer.from(script), 0);
  assert.equal(asked.at(-1)?.kind, 'commit');
  assert.deepEqual(session.stored({ ok: false, refusal: 'unknown' }, 0), [{ kind: 'close' }]);
  assert.equal(session.closed, true);
});

test('a pipelined transaction: replies in order, the same however it arrives', () => {
  const script = `${envelope}DATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\nNOOP\r\nQUIT\r\n`;
  for (const chunks of chunkings(Buffer.from(script))) {
    const { codes, messages, closed } = play(script, {}, chunks);
    assert.deepEqual(codes, [220, 250, 250, 250, 354, 250, 250, 221]);
    assert.deepEqual(messages, ['Subject: x\r\n\r\n.dot\r\n']);
    assert.equal(closed, true);
  }
});

test('EHLO names what is there, HELO does not', () => {
  const { text } = play('EHLO c.test\r\n', { tlsAvailable: true });
  for (const extension of [
    'PIPELINING',
    'SIZE 1000',
    '8BITMIME',
    'SMTPUTF8',
    'STARTTLS',
    'AUTH PLAIN LOGIN',
    'ENHANCEDSTATUSCODES',
  ]) {
    assert.ok(text.includes(extension), extension);
  }
  assert.ok(!play('HELO c.test\r\n').text.includes('SIZE'));
  assert.ok(!play('EHLO c.test\r\n', { plaintextAuth: false }).text.includes('AUTH'));
});

const sequences: [name: string, script: string, codes: number[]][] = [
  ['MAIL before EHLO', 'MAIL FROM:<a@b.test>\r\n', [220, 503]],
  ['RCPT before MAIL', 'EHLO c\r\nRCPT TO:<x@octet.test>\r\n', [220, 250, 503]],
  ['DATA before RCPT', 'EHLO c\r\nMAIL FROM:<>\r\nDATA\r\n', [220, 250, 250, 503]],
  [
    'DATA after refused RCPT',
    'EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<x@far.test>\r\nDATA\r\n',
    [220, 250, 250, 550, 554],
  ],
  ['nested MAIL', 'EHLO c\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\n', [220, 250, 250, 503]],
  ['RSET', `${envelope}RSET\r\nDATA\r\n`, [220, 250, 250, 250, 250, 503]],
  ['EHLO resets', `${envelope}EHLO c\r\nDATA\r\n`, [220, 250, 250, 250, 250, 503]],
  ['postmaster without domain', 'EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\n', [220, 250, 250, 250]],
  ['announced too large', 'EHLO c\r\nMAIL FROM:<> SIZE=1001\r\n', [220, 250, 552]],
  ['UTF-8 without SMTPUTF8', 'EHLO c\r\nMAIL FROM:<\xc3\xa9@b.test>\r\n', [220, 250, 553]],
  ['UTF-8 with it', 'EHLO c\r\nMAIL FROM:<\xc3\xa9@b.test> SMTPUTF8\r\n', [220, 250, 250]],
  [
    'too many recipients',
    `${envelope}${'RCPT TO:<y@octet.test>\r\n'.repeat(3)}`,
    [220, 250, 250, 250, 250, 250, 452],
  ],
  ['too many errors', 'X\r\n'.repeat(7), [220, 500, 500, 500, 500, 500, 421]],
  ['HTTP', 'POST / HTTP/1.1\r\nHost: x\r\n\r\nMAIL FROM:<>\r\n', [220, 521]],
  ['bare LF', 'NOOP\nMAIL FROM:<>\r\n', [220, 521]],
  ['endless line', 'A'.repeat(3_000), [220, 500]],
  ['STARTTLS not offered', 'EHLO c\r\nSTARTTLS\r\n', [220, 250, 502]],
  ['AUTH good', `EHLO c\r\nAUTH PLAIN ${btoa('\0me\0right')}\r\n`, [220, 250, 235]],
  [
    'AUTH in steps',
    `EHLO c\r\nAUTH LOGIN\r\n${btoa('me')}\r\n${btoa('right')}\r\n`,
    [220, 250, 334, 334, 235],
  ],
  ['AUTH cancelled', 'EHLO c\r\nAUTH PLAIN\r\n*\r\nNOOP\r\n', [220, 250, 334, 501, 250]],
  ['AUTH twice', `EHLO c\r\nAUTH PLAIN ${btoa('\0me\0right')}\r\nAUTH PLAIN\r\n`, [220, 250, 235, 503]],
  [
    'AUTH brute force',
    `EHLO c\r\n${`AUTH PLAIN ${btoa('\0me\0wrong')}\r\n`.repeat(4)}`,
    [220, 250, 535, 535, 535, 421],
  ],
  ['AUTH unknown', 'EHLO c\r\nAUTH CRAM-MD5\r\n', [220, 250, 504]],
  ['AUTH in a transaction', 'EHLO c\r\nMAIL FROM:<>\r\nAUTH PLAIN\r\n', [220, 250, 250, 503]],
];
for (const [name, script, codes] of sequences) {
  test(`sequence: ${name}`, () => assert.deepEqual(play(script).codes, codes));
}

const relays = [
  'x@far.test',
  'x%far.test@octet.test',
  'far.test!x@octet.test',
  '"x@far.test"@octet.test',
  '@octet.test:x@far.test',
  'x@sub.octet.test',
  'x@octet.test.far.test',
];
for (const address of relays) {
  test(`no open relay: ${address}`, () => {
    const { codes } = play(`EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<${address}>\r\n`);
    assert.equal(codes.at(-1), 550);
  });
}

test('a message over the limit is read to its real end, then refused; what follows is a command again', () => {
  const { codes, messages, kinds } = play(
    `${envelope}DATA\r\n${'x'.repeat(998)}\r\n${'y'.repeat(998)}\r\n.\r\nNOOP\r\n`,
  );
  assert.deepEqual(codes.slice(4), [354, 552, 250]);
  assert.deepEqual(messages, []);
  assert.ok(kinds.includes('abort') && !kinds.includes('commit'));
});

test('smuggling: a bare LF before a dot neither ends the message nor lets it in', () => {
  const smuggled = `${envelope}DATA\r\nx\n.\r\nMAIL FROM:<evil@b.test>\r\nRCPT TO:<x@octet.test>\r\nDATA\r\ny\r\n.\r\n`;
  const strict = play(smuggled);
  assert.deepEqual(strict.codes.slice(4), [354, 550]);
  assert.equal(strict.messages.length, 0);
  const lenient = play(smuggled, { bareLineEndings: 'keep' });
  assert.equal(lenient.messages.length, 1);
  assert.ok(lenient.messages[0]?.includes('MAIL FROM:<evil@b.test>'));
});

test('STARTTLS forgets what was sent behind it, who one was, and the transaction', () => {
  const { text, codes } = play(
    'EHLO c\r\nMAIL FROM:<>\r\nRSET\r\nSTARTTLS\r\nNOOP\r\nMAIL FROM:<evil@b.test>\r\n',
    { tlsAvailable: true },
  );
  assert.deepEqual(codes, [220, 250, 250, 250, 220]);
  assert.ok(!text.includes('evil'));
  assert.deepEqual(
    play('EHLO c\r\nSTARTTLS\r\n', { tlsAvailable: true }, [
      Buffer.from('EHLO c\r\nSTARTTLS\r\n'),
      Buffer.from('MAIL FROM:<>\r\n'),
    ]).codes,
    [220, 250, 220, 503],
  );
});

test('requireAuth and a rate limit refuse MAIL', () => {
  assert.deepEqual(play('EHLO c\r\nMAIL FROM:<>\r\n', { requireAuth: true }).codes, [220, 250, 530]);
  assert.deepEqual(play('EHLO c\r\nMAIL FROM:<>\r\n', { admits: () => false }).codes, [220, 250, 450]);
  assert.deepEqual(play('EHLO c\r\nAUTH PLAIN\r\n', { plaintextAuth: false }).codes, [220, 250, 538]);
});

test('deadlines: silence, and a drip that never ends', () => {
  const session = new MailSession(config(), false, 0);
  session.greet();
  assert.equal(session.deadlineMs, 300_000);
  session.receive(Buffer.from('NOOP\r\n'), 1_000);
  assert.equal(session.deadlineMs, 301_000);
  assert.deepEqual(session.expire(300_999), []);
  const actions = session.expire(301_000);
  assert.deepEqual(
    actions.map((action) => action.kind),
    ['write', 'close'],
  );
  const drip = new MailSession(config(), false, 0);
  for (let at = 0; at < 3_600_000; at += 60_000) drip.receive(Buffer.from('x'), at);
  assert.equal(drip.deadlineMs, 3_600_000);
});

test('shutdown: told between commands, nothing half stored', () => {
  const session = new MailSession(config(), false, 0);
  session.greet();
  session.receive(Buffer.from(`${envelope}DATA\r\nhalf`), 0);
  const actions = session.shutdown();
  assert.deepEqual(
    actions.map((action) => action.kind),
    ['abort', 'write', 'close'],
  );
  assert.equal(session.closed, true);
});
