/** What is sent to each protocol, and what it has to say to that. */
import type { Peer } from '../../../src/core/testing/peer.ts';
import type { Attack } from './attack.ts';
import {
  AMQP_HEADER,
  AMQP_OPEN,
  amqpFrame,
  amqpIds,
  amqpMethod,
  amqpStartOk,
  dnsQuestion,
  framed,
  httpRequest,
  noise,
  POSTGRES_READY,
  postgresMessage,
  postgresStartup,
  respCommand,
  shortString,
  TLS_CLIENT_HELLO,
  uint32,
} from './bytes.ts';
import type { Protocol, Target } from './house.ts';

const FILLER = Buffer.alloc(64 * 1024, 'a');
const HTTP = httpRequest('/');
const SMTP = 'EHLO attacker.test\r\nMAIL FROM:<a@b.test>\r\n';
const RESP = respCommand('FLUSHALL');

type AttackTable = Readonly<Record<Protocol, (target: Target) => readonly Attack[]>>;

// DNS over TCP: an unfinished message may take 10 s.

const dnsHeader = Buffer.from([0x12, 0x34, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
/** FORMERR with nothing but a header: QR and RD set, code 1. */
const FORMERR = /^\x00\x0c\x12\x34\x81\x01\x00{8}$/;

const dns = (): Attack[] => [
  {
    what: 'a name that points to itself',
    send: framed(Buffer.concat([dnsHeader, Buffer.from([0xc0, 0x0c, 0, 1, 0, 1])])),
    reply: FORMERR,
    ends: 'open',
  },
  {
    what: 'a question cut short',
    send: framed(dnsQuestion('www.bad.test').subarray(0, 20)),
    reply: FORMERR,
    ends: 'open',
  },
  {
    what: 'more questions than there are octets',
    send: framed(Buffer.concat([Buffer.from([0x12, 0x34, 1, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0]), noise(64)])),
    reply: FORMERR,
    ends: 'open',
  },
  {
    what: 'a message of the greatest length, almost all of it behind the question',
    send: framed(Buffer.concat([dnsQuestion('www.bad.test'), Buffer.alloc(65_535 - 30)])),
    reply: FORMERR,
    ends: 'open',
  },
  {
    what: 'less than a header, and an answer, before a question',
    send: Buffer.concat([
      framed(noise(5)),
      framed(Buffer.from([0x99, 0x99, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
      framed(dnsQuestion('www.bad.test')),
    ]),
    // The first two deserve none: this is the third one's.
    reply: /^\x00.\x12\x34[\x84\x85].*\xc0\x00\x02\x50/s,
    ends: 'open',
  },
  {
    what: 'an operation that does not exist',
    send: framed(Buffer.from([0x12, 0x34, 0x38, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
    reply: /^\x00\x0c\x12\x34\xb8\x04\x00{8}$/,
    ends: 'open',
  },
  { what: 'an HTTP request', send: HTTP, ends: { afterMs: 10_000 } },
  { what: 'an SMTP conversation', send: SMTP, ends: { afterMs: 10_000 } },
  { what: 'a TLS handshake', send: TLS_CLIENT_HELLO, ends: { afterMs: 10_000 } },
];

// PostgreSQL: 30 s until somebody has authenticated.

export const loggedIntoPostgres = async (peer: Peer): Promise<void> => {
  peer.send(postgresStartup());
  await peer.untilText(POSTGRES_READY);
};

/** ErrorResponse, FATAL, with this SQLSTATE, and nothing behind it. */
export const fatal = (state: string): RegExp =>
  new RegExp(`^E....SFATAL\\0VFATAL\\0C${state}\\0.*\\0\\0$`, 's');

const postgres = (): Attack[] => [
  ...[
    ['an HTTP request', HTTP],
    ['an SMTP conversation', SMTP],
    ['a RESP command', RESP],
    ['a TLS handshake', TLS_CLIENT_HELLO],
    ['noise', noise(4_096)],
    ['a startup packet of no length', uint32(0)],
    ['a startup packet longer than any', uint32(10_001)],
    ['a startup packet without its zero', Buffer.concat([uint32(12), uint32(0x3_0000), Buffer.from('user')])],
  ].map(([what, send]) => ({ what, send, reply: fatal('08P01'), ends: 'closed' }) as Attack),
  {
    what: 'protocol 2.0',
    send: Buffer.concat([uint32(12), uint32(0x2_0000), uint32(0)]),
    reply: fatal('0A000'),
    ends: 'closed',
  },
  ...[
    ['a message type that does not exist', postgresMessage('z', 'x')],
    ['a message shorter than its length', Buffer.from('Q\0\0\0\x02')],
    ['a message longer than any', Buffer.concat([Buffer.from('Q'), uint32(0x7fff_ffff)])],
    ['a query without its zero', postgresMessage('Q', 'select 1')],
    ['a Bind with more parameters than octets', postgresMessage('B', '\0\0\0\0\xff\xff')],
  ].map(
    ([what, send]) =>
      ({ what, open: loggedIntoPostgres, send, reply: fatal('08P01'), ends: 'closed' }) as Attack,
  ),
  {
    what: 'a thousand parentheses within each other',
    open: loggedIntoPostgres,
    send: postgresMessage('Q', `select ${'('.repeat(1_000)}1${')'.repeat(1_000)}\0`),
    reply: /^E....SERROR\0VERROR\0C54001\0.*Z\0\0\0\x05I$/s,
    ends: 'open',
  },
  {
    what: 'a query of noise',
    open: loggedIntoPostgres,
    send: postgresMessage('Q', `select '\xff\xfe'\0`),
    reply: /^E....SERROR\0VERROR\0C22021\0.*Z\0\0\0\x05I$/s,
    ends: 'open',
  },
];

// RESP: an unfinished request may take 60 s.

export const loggedIntoCache = async (peer: Peer): Promise<void> => {
  peer.send(respCommand('AUTH', 'octet'));
  await peer.untilText('+OK\r\n');
};

const protocolError = (text: string): RegExp => new RegExp(`^-ERR Protocol error: ${text}\\r\\n$`);

const resp = (): Attack[] => [
  ...[
    ['something else than an argument', '*1\r\n+PING\r\n', "expected '\\$', got '\\+'"],
    ['a count that is none', '*abc\r\n', 'invalid multibulk length'],
    ['a length that is none', '*1\r\n$abc\r\n', 'invalid bulk length'],
    ['an open quote', 'GET "key\r\n', 'unbalanced quotes in request'],
    ['too many arguments before a password', '*11\r\n', 'unauthenticated multibulk length'],
    ['too long an argument before a password', '*1\r\n$16385\r\n', 'unauthenticated bulk length'],
  ].map(([what, send, error]) => ({ what, send, reply: protocolError(error!), ends: 'closed' }) as Attack),
  {
    what: 'an argument longer than it said',
    open: loggedIntoCache,
    send: '*1\r\n$4\r\nPINGPING\r\n',
    reply: protocolError('expected CRLF after bulk'),
    ends: 'closed',
  },
  {
    what: 'more arguments than any command has',
    open: loggedIntoCache,
    send: '*16777217\r\n',
    reply: protocolError('invalid multibulk length'),
    ends: 'closed',
  },
  {
    what: 'an argument longer than any value',
    open: loggedIntoCache,
    send: '*1\r\n$536870881\r\n',
    reply: protocolError('invalid bulk length'),
    ends: 'closed',
  },
  {
    what: 'a line without end',
    send: '',
    filler: FILLER,
    reply: protocolError('too big inline request'),
    ends: 'closed',
  },
  {
    what: 'a count without end',
    open: loggedIntoCache,
    send: '*',
    filler: Buffer.alloc(64 * 1024, '1'),
    reply: protocolError('too big mbulk count string'),
    ends: 'closed',
  },
  // A browser can be made to send these, so nothing of them is carried out, and nothing is said.
  { what: 'an HTTP request', send: HTTP, ends: 'closed' },
  {
    what: 'an HTTP form with commands in it',
    open: loggedIntoCache,
    send: 'POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nFLUSHALL\r\n',
    ends: 'closed',
  },
  {
    what: 'an SMTP conversation',
    send: SMTP,
    // As Redis: what a command is, is looked at before who asks.
    reply: /^-ERR unknown command 'EHLO', .*\r\n-ERR unknown command 'MAIL', .*\r\n$/,
    ends: 'open',
  },
  { what: 'a TLS handshake', send: TLS_CLIENT_HELLO, ends: { afterMs: 60_000 } },
  { what: 'a PostgreSQL startup', send: postgresStartup(), ends: { afterMs: 60_000 } },
];

// AMQP: 10 s until the connection is open, 5 s to confirm a close.

export const openedQueue = async (peer: Peer, tuneOkAndOpen = AMQP_OPEN): Promise<void> => {
  const answered = (classId: number, methodId: number): Promise<Buffer> =>
    peer.until((received) => received.includes(amqpIds(classId, methodId)) && received.at(-1) === 0xce);
  peer.send(AMQP_HEADER);
  await answered(10, 10);
  peer.take();
  peer.send(amqpStartOk('octet', 'octet'));
  await answered(10, 30);
  peer.take();
  peer.send(tuneOkAndOpen);
  await answered(10, 41);
};

export const openedChannel = async (peer: Peer): Promise<void> => {
  await openedQueue(peer);
  peer.take();
  peer.send(amqpMethod(1, 20, 10, shortString('')));
  await peer.until((received) => received.includes(amqpIds(20, 11)) && received.at(-1) === 0xce);
};

/** connection.close (10, 50) on channel 0 or channel.close (20, 40), with this reply code. */
const amqpClose = (code: number, channel = 0): RegExp => {
  const octets = [...(channel === 0 ? amqpIds(10, 50) : amqpIds(20, 40)), code >> 8, code & 0xff];
  const escaped = octets.map((octet) => `\\x${octet.toString(16).padStart(2, '0')}`).join('');
  return new RegExp(`^\\x01\\x00\\x0${channel}....${escaped}.*\\xce$`, 's');
};

const amqp = (): Attack[] => [
  ...[
    ['an HTTP request', HTTP],
    ['an SMTP conversation', SMTP],
    ['a RESP command', RESP],
    ['a PostgreSQL startup', postgresStartup()],
    ['a TLS handshake', TLS_CLIENT_HELLO],
    ['noise', noise(4_096)],
    ['AMQP 1.0', 'AMQP\0\x01\0\0'],
  ].map(([what, send]) => ({ what, send, reply: /^AMQP\0\0\x09\x01$/, ends: 'closed' }) as Attack),
  {
    what: 'a frame type that does not exist',
    open: openedQueue,
    send: amqpFrame(9, 0, Buffer.alloc(4)),
    reply: amqpClose(501),
    ends: 'closed',
  },
  {
    what: 'a frame with a wrong end',
    open: openedQueue,
    send: amqpFrame(1, 0, amqpIds(10, 50), 0xcd),
    reply: amqpClose(501),
    ends: 'closed',
  },
  {
    what: 'a frame longer than agreed',
    open: openedQueue,
    send: Buffer.concat([Buffer.from([3, 0, 1]), uint32(0x7fff_ffff)]),
    reply: amqpClose(501),
    ends: 'closed',
  },
  {
    what: 'a method that does not exist',
    open: openedQueue,
    send: amqpMethod(0, 99, 1, Buffer.alloc(0)),
    reply: amqpClose(540),
    ends: { afterMs: 5_000 },
  },
  {
    what: 'a method cut short',
    open: openedQueue,
    send: amqpMethod(1, 20, 10, Buffer.from([200, 65])),
    reply: amqpClose(502),
    ends: { afterMs: 5_000 },
  },
  {
    what: 'a channel that is not open',
    open: openedQueue,
    send: amqpMethod(7, 60, 70, Buffer.from([0, 0, 1, 97, 0])),
    reply: amqpClose(504),
    ends: { afterMs: 5_000 },
  },
  {
    what: 'a message body that nobody announced',
    open: openedChannel,
    send: amqpFrame(3, 1, Buffer.from('body')),
    reply: amqpClose(505),
    ends: { afterMs: 5_000 },
  },
  {
    what: 'a table that is longer than its frame',
    open: openedChannel,
    send: amqpMethod(1, 50, 10, Buffer.concat([Buffer.from([0, 0, 1, 97, 0]), uint32(0xffff_ffff)])),
    reply: amqpClose(502),
    ends: { afterMs: 5_000 },
  },
  {
    what: 'a message longer than any',
    open: openedChannel,
    send: Buffer.concat([
      amqpMethod(1, 60, 40, Buffer.from([0, 0, 0, 1, 97, 0])),
      amqpFrame(
        2,
        1,
        Buffer.concat([Buffer.from([0, 60, 0, 0]), uint32(0x10), uint32(0), Buffer.from([0, 0])]),
      ),
    ]),
    reply: amqpClose(406, 1),
    ends: 'open',
  },
];

// SMTP: 5 minutes between commands.

export const greeted = async (peer: Peer): Promise<void> => {
  await peer.untilText('ESMTP Octet\r\n');
};

export const inTransaction = async (peer: Peer): Promise<void> => {
  await greeted(peer);
  peer.send('EHLO attacker.test\r\nMAIL FROM:<a@octet.test>\r\nRCPT TO:<b@octet.test>\r\nDATA\r\n');
  await peer.untilText('354 end with <CR><LF>.<CR><LF>\r\n');
};

const smtp = (): Attack[] =>
  (
    [
      {
        what: 'an HTTP request',
        send: HTTP,
        reply: /^521 5\.7\.0 this is not an HTTP server, closing\r\n$/,
        ends: 'closed',
      },
      {
        what: 'a bare line feed between commands',
        send: 'EHLO attacker.test\nNOOP\n',
        reply: /^521 5\.5\.2 bare LF received, closing\r\n$/,
        ends: 'closed',
      },
      {
        what: 'a RESP command',
        send: RESP,
        reply: /^(500 5\.5\.2 command not recognised\r\n){3}$/,
        ends: 'open',
      },
      {
        what: 'twenty commands of noise',
        send: 'x\0\xff\xfe\r\n'.repeat(20),
        reply: /^(500 5\.5\.2 .*\r\n){20}421 4\.7\.0 too many errors, closing\r\n$/,
        ends: 'closed',
      },
      {
        what: 'a command line without end',
        send: '',
        filler: FILLER,
        reply: /^500 5\.5\.2 line too long\r\n$/,
        ends: 'closed',
      },
      {
        what: 'a message announced longer than any',
        send: 'EHLO attacker.test\r\nMAIL FROM:<a@octet.test> SIZE=99999999999999999\r\n',
        reply: /\r\n552 5\.3\.4 message size exceeds the limit\r\n$/,
        ends: 'open',
      },
      {
        what: 'a message with another hidden in it',
        open: inTransaction,
        send: 'Subject: a\r\n\r\nb\n.\nMAIL FROM:<c@octet.test>\r\n.\r\n',
        reply: /^550 5\.6\.0 bare CR, bare LF or NUL in the message\r\n$/,
        ends: 'open',
      },
      {
        what: 'a TLS handshake',
        send: TLS_CLIENT_HELLO,
        reply: /^421 4\.4\.2 timeout, closing\r\n$/,
        ends: { afterMs: 300_000 },
      },
      {
        what: 'a PostgreSQL startup',
        send: postgresStartup(),
        reply: /^421 4\.4\.2 timeout, closing\r\n$/,
        ends: { afterMs: 300_000 },
      },
    ] satisfies Attack[]
  ).map((attack) => ({ open: greeted, ...attack }));

// HTTP: 10 s for the head of a request.

export const refusal = (status: number): RegExp =>
  new RegExp(
    `^HTTP/1\\.1 ${status} (.+\\r\\n)*Connection: close\\r\\n(.+\\r\\n)*\\r\\n\\{.*"status":${status}.*\\}$`,
    'i',
  );

const http = ({ path, fields }: Target): Attack[] => {
  const head = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${fields}`;
  const bad = (what: string, send: Attack['send'], status = 400): Attack => ({
    what,
    send,
    reply: refusal(status),
    ends: 'closed',
  });
  const endless = (what: string, send: string, filler: Buffer, status: number): Attack => ({
    ...bad(what, send, status),
    filler,
  });
  return [
    bad('noise', Buffer.concat([noise(4_096), Buffer.from('\r\n\r\n')])),
    bad('an SMTP conversation', `${SMTP}\r\n`),
    bad('a RESP command', `${RESP}\r\n`),
    bad('two lengths', `${head}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`),
    bad('a length and chunks', `${head}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`),
    bad('a bare line feed', `GET ${path} HTTP/1.1\nHost: 127.0.0.1\n\n`),
    bad('no Host', `GET ${path} HTTP/1.1\r\n\r\n`),
    bad('a field without a name', `${head}: x\r\n\r\n`),
    bad('HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505),
    endless('a request line without end', 'GET /', FILLER, 414),
    endless('a field without end', `${head}X: `, FILLER, 431),
    endless('fields without end', head, Buffer.from('X: y\r\n'.repeat(8)), 431),
    {
      what: 'a TLS handshake',
      send: TLS_CLIENT_HELLO,
      reply: refusal(408),
      ends: { afterMs: 10_000 },
    },
    { what: 'a PostgreSQL startup', send: postgresStartup(), reply: refusal(408), ends: { afterMs: 10_000 } },
    { what: 'an AMQP header', send: AMQP_HEADER, reply: refusal(408), ends: { afterMs: 10_000 } },
  ];
};

export const ATTACKS: AttackTable = { dns, postgres, resp, amqp, smtp, http };
