import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { chunkings } from '../../core/testing/chunkings.ts';
import { formatMailbox, parseMailbox, parsePath } from './address.ts';
import { parseCommand } from './command.ts';
import { DataReader, stuffData } from './data-reader.ts';
import { fieldOf, scanHeader } from './header-scan.ts';
import { decodeXtext } from './parameters.ts';
import { decodeReply, encodeReply } from './reply.ts';
import { startAuth } from './sasl.ts';

const addresses: [text: string, localPart: string, domain: string][] = [
  ['user@example.com', 'user', 'example.com'],
  ['User.Name+tag@Example.COM', 'User.Name+tag', 'example.com'],
  ['"john doe"@example.com', 'john doe', 'example.com'],
  ['"a\\"b@c"@example.com', 'a"b@c', 'example.com'],
  ['user@[192.0.2.1]', 'user', '[192.0.2.1]'],
  ['user@[IPv6:2001:db8::1]', 'user', '[ipv6:2001:db8::1]'],
  ['küche@münchen.example', 'küche', 'münchen.example'],
  ['postmaster', 'postmaster', ''],
];
for (const [text, localPart, domain] of addresses) {
  test(`address ${text}`, () => assert.deepEqual(parseMailbox(text), { localPart, domain }));
}

const notAddresses = [
  '',
  '@example.com',
  'user',
  'user@',
  'a@b@c',
  'a..b@c.test',
  '.a@c.test',
  'a.@c.test',
  'a b@c.test',
  'a@-c.test',
  'a@c..test',
  'a@[',
  '"a@c.test',
  '"a"b@c.test',
  `${'x'.repeat(65)}@c.test`,
  `a@${'x'.repeat(64)}.test`,
  'a\r\n@c.test',
];
for (const text of notAddresses) {
  test(`no address: ${JSON.stringify(text).slice(0, 40)}`, () =>
    assert.equal(typeof parseMailbox(text), 'string'));
}

test('addresses: what is written is read again the same', () => {
  const local = fc.string({ minLength: 1, maxLength: 20, unit: fc.constantFrom(...'ab.+"\\@ <>') });
  fc.assert(
    fc.property(local, (localPart) => {
      const mailbox = { localPart, domain: 'example.com' };
      const parsed = parsePath(`<${formatMailbox(mailbox)}> SIZE=1`);
      assert.ok(parsed.ok);
      assert.deepEqual(parsed.mailbox, mailbox);
      assert.equal(parsed.rest, 'SIZE=1');
    }),
  );
});

test('paths: null, source route, and what is neither', () => {
  assert.deepEqual(parsePath('<>'), { ok: true, mailbox: undefined, rest: '', ascii: true });
  const routed = parsePath('<@a.test,@b.test:user@c.test>');
  assert.ok(routed.ok && routed.mailbox?.domain === 'c.test');
  for (const bad of [
    'user@c.test',
    '<user@c.test',
    '<user@c.test>x',
    '<@a.test user@c.test>',
    '<<a@b.test>>',
  ]) {
    assert.equal(parsePath(bad).ok, false, bad);
  }
});

const commands: [line: string, expected: unknown][] = [
  ['ehlo client.example', { verb: 'EHLO', name: 'client.example' }],
  ['HELO [127.0.0.1]', { verb: 'HELO', name: '[127.0.0.1]' }],
  ['MAIL FROM:<>', { verb: 'MAIL', from: undefined, parameters: {}, ascii: true }],
  [
    'mail from:<a@b.test> size=100 body=8bitmime smtputf8 RET=HDRS ENVID=x+2By',
    {
      verb: 'MAIL',
      from: { localPart: 'a', domain: 'b.test' },
      parameters: { sizeBytes: 100, body: '8BITMIME', smtputf8: true, ret: 'HDRS', envid: 'x+y' },
      ascii: true,
    },
  ],
  [
    'RCPT TO:<a@b.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;a+40b.test',
    {
      verb: 'RCPT',
      to: { localPart: 'a', domain: 'b.test' },
      parameters: { notify: ['SUCCESS', 'FAILURE'], orcpt: 'rfc822;a@b.test' },
      ascii: true,
    },
  ],
  ['AUTH plain abc=', { verb: 'AUTH', mechanism: 'PLAIN', initial: 'abc=' }],
  ['NOOP whatever', { verb: 'NOOP', argument: 'whatever' }],
  ['quit', { verb: 'QUIT' }],
];
for (const [line, expected] of commands) {
  test(`command ${line}`, () =>
    assert.deepEqual(parseCommand(Buffer.from(line)), { ok: true, command: expected }));
}

const refusedCommands: [line: string, code: number][] = [
  ['', 500],
  ['XYZZY', 500],
  ['EXPN staff', 502],
  ['BDAT 10', 502],
  ['DATA now', 501],
  ['EHLO', 501],
  ['EHLO a b', 501],
  ['MAIL a@b.test', 501],
  ['MAIL FROM:a@b.test', 553],
  ['MAIL FROM:<a@b.test> FOO=1', 555],
  ['MAIL FROM:<a@b.test> SIZE=x', 501],
  ['MAIL FROM:<a@b.test> SIZE=1 SIZE=2', 501],
  ['MAIL FROM:<postmaster>', 553],
  ['RCPT TO:<>', 553],
  ['RCPT TO:<a@b.test> SIZE=1', 555],
  ['RCPT TO:<a@b.test> NOTIFY=NEVER,DELAY', 501],
  ['MAIL FROM:<a@b.test>\0', 500],
  ['VRFY', 501],
  ['AUTH', 501],
  ['MAIL FROM:<a@b.test> __proto__=1', 555],
  ['GET / HTTP/1.1', 521],
];
for (const [line, code] of refusedCommands) {
  test(`refused command ${JSON.stringify(line)} → ${code}`, () => {
    const parsed = parseCommand(Buffer.from(line));
    assert.equal(parsed.ok ? 250 : parsed.reply.code, code);
  });
}

test('xtext: escapes are decoded, injections refused', () => {
  assert.equal(decodeXtext('a+2Bb'), 'a+b');
  for (const bad of ['a+0D', 'a+0A', 'a+00', 'a+2', 'a+2b', 'a=b', 'a b'])
    assert.equal(decodeXtext(bad), undefined, bad);
});

/** wire bytes → message, whether a fault is noted, and how many bytes follow the end. */
const messages: [name: string, wire: string, message: string, fault: string | undefined, left: number][] = [
  ['empty', '.\r\n', '', undefined, 0],
  ['plain', 'a\r\nb\r\n.\r\n', 'a\r\nb\r\n', undefined, 0],
  ['stuffed', '..\r\n..a\r\n.\r\n', '.\r\n.a\r\n', undefined, 0],
  ['dot inside a line', 'a.\r\n.b\r\n.\r\n', 'a.\r\nb\r\n', undefined, 0],
  ['pipelined QUIT', 'x\r\n.\r\nQUIT\r\n', 'x\r\n', undefined, 6],
  // CVE-2023-51764 and its kin: none of these ends the message.
  ['LF.LF', 'x\n.\ny\r\n.\r\n', 'x\n.\ny\r\n', 'bare-line-ending', 0],
  ['LF.CRLF', 'x\n.\r\ny\r\n.\r\n', 'x\n.\r\ny\r\n', 'bare-line-ending', 0],
  ['CRLF.LF', 'x\r\n.\ny\r\n.\r\n', 'x\r\n\ny\r\n', 'bare-line-ending', 0],
  ['CR.CR', 'x\r.\ry\r\n.\r\n', 'x\r.\ry\r\n', 'bare-line-ending', 0],
  ['CR.LF', 'x\r.\ny\r\n.\r\n', 'x\r.\ny\r\n', 'bare-line-ending', 0],
  ['CR.CRLF', 'x\r.\r\ny\r\n.\r\n', 'x\r.\r\ny\r\n', 'bare-line-ending', 0],
  ['CRLF.CR', 'x\r\n.\ry\r\n.\r\n', 'x\r\n\ry\r\n', 'bare-line-ending', 0],
  ['CRLF NUL.CRLF', 'x\r\n\0.\r\ny\r\n.\r\n', 'x\r\n\0.\r\ny\r\n', 'bare-line-ending', 0],
  ['CRCRLF', 'x\r\r\n.\r\n', 'x\r\r\n', 'bare-line-ending', 0],
  ['long line', `${'y'.repeat(30)}\r\n.\r\n`, `${'y'.repeat(30)}\r\n`, 'long-line', 0],
];
for (const [name, wire, message, fault, left] of messages) {
  test(`data: ${name}, however it arrives`, () => {
    for (const chunks of chunkings(Buffer.from(wire, 'latin1'))) {
      const reader = new DataReader(20);
      const parts: Buffer[] = [];
      let ended = false;
      let after = 0;
      for (const chunk of chunks) {
        if (ended) {
          after += chunk.length;
          continue;
        }
        const result = reader.read(chunk);
        parts.push(...result.parts);
        ended = result.ended;
        if (ended) after += chunk.length - result.consumed;
      }
      assert.equal(ended, true);
      assert.equal(Buffer.concat(parts).toString('latin1'), message);
      assert.equal(reader.fault, fault);
      assert.equal(after, left);
      assert.equal(reader.sizeBytes, message.length);
    }
  });
}

test('data: what stuffData makes, DataReader undoes, with clean line endings', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('.', '\r', '\n', 'a') }), (text) => {
      const reader = new DataReader(1_000);
      const result = reader.read(stuffData(Buffer.from(text)));
      assert.equal(result.ended, true);
      assert.equal(reader.fault, undefined);
      const lines = text.replaceAll('\r\n', '\n').replaceAll('\r', '\n').replaceAll('\n', '\r\n');
      const expected = lines === '' || lines.endsWith('\r\n') ? lines : `${lines}\r\n`;
      assert.equal(Buffer.concat(result.parts).toString(), expected);
    }),
  );
});

test('replies: written and read again; control characters cannot split one', () => {
  const reply = { code: 250, enhanced: '2.1.0', lines: ['one', 'two'] };
  assert.equal(encodeReply(reply), '250-2.1.0 one\r\n250 2.1.0 two\r\n');
  assert.equal(encodeReply({ code: 550, lines: ['a\r\n250 ok'] }), '550 a??250 ok\r\n');
  const bytes = Buffer.from(encodeReply(reply));
  assert.deepEqual(decodeReply(Buffer.concat([bytes, Buffer.from('221')]), 1_000), {
    kind: 'reply',
    reply,
    consumed: bytes.length,
  });
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(decodeReply(bytes.subarray(0, length), 1_000).kind, 'need-more');
  }
  for (const bad of [
    'hello\r\n',
    '250-a\r\n251 b\r\n',
    '99 x\r\n',
    '250_x\r\n',
    `250 ${'x'.repeat(2_000)}`,
  ]) {
    assert.equal(decodeReply(Buffer.from(bad), 1_000).kind, 'malformed', bad.slice(0, 20));
  }
});

test('header scan: folding, case, and the end', () => {
  const fields = scanHeader(Buffer.from('Subject: a\r\n b\r\nX-Y:1\r\n\r\nSubject: body\r\n'));
  assert.equal(fieldOf(fields, 'subject'), 'a b');
  assert.equal(fieldOf(fields, 'x-y'), '1');
  assert.equal(fields.length, 2);
});

test('SASL: PLAIN and LOGIN, and what is malformed', () => {
  const token = Buffer.from('\0user\0pass').toString('base64');
  assert.deepEqual(startAuth('PLAIN')?.answer(token), { username: 'user', password: 'pass' });
  assert.equal(startAuth('PLAIN')?.answer('!!!'), 'malformed');
  assert.equal(startAuth('PLAIN')?.answer(Buffer.from('other\0user\0pass').toString('base64')), 'malformed');
  const login = startAuth('LOGIN');
  assert.equal(login?.answer(Buffer.from('user').toString('base64')), 'more');
  assert.deepEqual(login?.answer(Buffer.from('pass').toString('base64')), {
    username: 'user',
    password: 'pass',
  });
  assert.equal(startAuth('CRAM-MD5'), undefined);
});
