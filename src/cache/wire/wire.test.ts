import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { chunkings } from '../../core/testing/chunkings.ts';
import { REPLY_LIMITS, REQUEST_LIMITS, UNAUTHENTICATED_REQUEST_LIMITS } from '../limits.ts';
import { formatDouble } from './double.ts';
import { type Reply, ReplyError, ReplyParser } from './reply-parser.ts';
import { ReplyWriter } from './reply-writer.ts';
import { RequestParser } from './request-parser.ts';
import { encodeRequest } from './request-writer.ts';

/** All commands in the chunks, and the fault that ended them. */
function parseRequests(
  chunks: readonly Buffer[],
  limits = REQUEST_LIMITS,
): { commands: string[][]; fault?: string } {
  const parser = new RequestParser(limits);
  const commands: string[][] = [];
  for (const chunk of chunks) {
    parser.feed(chunk);
    for (;;) {
      const step = parser.next();
      if (step === undefined) break;
      if ('malformed' in step) return { commands, fault: step.message };
      commands.push(step);
    }
  }
  return { commands };
}

const REQUESTS: readonly [bytes: string, commands: string[][], fault?: string][] = [
  ['*1\r\n$4\r\nPING\r\n', [['PING']]],
  ['*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n', [['SET', 'k', '']]],
  ['*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n*1\r\n$4\r\nPING\r\n', [['GET', 'a\r\nb'], ['PING']]],
  [
    '*2\r\n$4\r\nECHO\r\n$20\r\n\x00\xff0123456789abcdef\x80\x7f\r\n',
    [['ECHO', '\x00\xff0123456789abcdef\x80\x7f']],
  ],
  ['*0\r\n*-1\r\nPING\r\n', [['PING']]],
  ['\r\n\nPING\n', [['PING']]],
  ['set k "a b\\x41\\n\\"" \'it\\\'s\'\r\n', [['set', 'k', 'a bA\n"', "it's"]]],
  ['*1\r\n$4\r\nPING\r\nGET x\r\n', [['PING'], ['GET', 'x']]],
  ['set k "open\r\n', [], 'Protocol error: unbalanced quotes in request'],
  ['set k "a"b\r\n', [], 'Protocol error: unbalanced quotes in request'],
  ['*x\r\n', [], 'Protocol error: invalid multibulk length'],
  ['*01\r\n', [], 'Protocol error: invalid multibulk length'],
  ['*+1\r\n', [], 'Protocol error: invalid multibulk length'],
  ['*\r\n', [], 'Protocol error: invalid multibulk length'],
  ['*99999999999\r\n', [], 'Protocol error: invalid multibulk length'],
  ['*1\r\nPING\r\n', [], "Protocol error: expected '$', got 'P'"],
  ['*1\r\n$-1\r\n', [], 'Protocol error: invalid bulk length'],
  ['*1\r\n$99999999999999999999\r\n', [], 'Protocol error: invalid bulk length'],
  ['*1\r\n$536870913\r\n', [], 'Protocol error: invalid bulk length'],
  ['*1\r\n$ 4\r\n', [], 'Protocol error: invalid bulk length'],
  ['*1\r\n$4\r\nPINGxx', [], 'Protocol error: expected CRLF after bulk'],
  ['*1\r\n$4\r\nPING\r\n*1\r\n$x\r\n', [['PING']], 'Protocol error: invalid bulk length'],
  ['POST / HTTP/1.1\r\nx\r\n', [], 'POST'],
  ['Host: localhost\r\n', [], 'Host:'],
  ['GET / HTTP/1.1\r\n', [], 'GET'],
];

describe('requests', () => {
  for (const [bytes, commands, fault] of REQUESTS) {
    test(JSON.stringify(bytes), () => {
      for (const chunks of chunkings(Buffer.from(bytes, 'latin1'))) {
        assert.deepEqual(parseRequests(chunks), fault === undefined ? { commands } : { commands, fault });
      }
    });
  }

  test('any arguments in any chunks come back as they were', () => {
    const argument = fc.uint8Array({ maxLength: 40 });
    const property = fc.property(
      fc.array(fc.array(argument, { minLength: 1, maxLength: 6 }), { maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 40 }),
      (commands, cuts) => {
        const bytes = Buffer.concat(commands.map((args) => encodeRequest(args, 'latin1')));
        const chunks: Buffer[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const length = cuts[i % cuts.length]!;
          chunks.push(bytes.subarray(at, at + length));
          at += length;
        }
        const expected = commands.map((args) => args.map((arg) => Buffer.from(arg).toString('latin1')));
        assert.deepEqual(parseRequests(chunks).commands, expected);
      },
    );
    fc.assert(property, { numRuns: 200 });
  });

  test('random bytes never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        parseRequests([Buffer.from(bytes)]);
        parseRequests([Buffer.concat([Buffer.from('*2\r\n$3\r\n'), bytes])]);
      }),
    );
  });

  test('before authentication only small requests are read', () => {
    const limits = UNAUTHENTICATED_REQUEST_LIMITS;
    assert.equal(
      parseRequests([Buffer.from('*11\r\n')], limits).fault,
      'Protocol error: unauthenticated multibulk length',
    );
    assert.equal(
      parseRequests([Buffer.from('*1\r\n$16385\r\n')], limits).fault,
      'Protocol error: unauthenticated bulk length',
    );
  });

  test('an announced length allocates nothing', () => {
    const parser = new RequestParser(REQUEST_LIMITS);
    const before = process.memoryUsage().arrayBuffers;
    parser.feed(Buffer.from('*2\r\n$3\r\nSET\r\n$500000000\r\nabc'));
    assert.equal(parser.next(), undefined);
    assert.ok(process.memoryUsage().arrayBuffers - before < 10_000_000);
    assert.ok(parser.bufferedBytes >= 3);
  });

  test('a line without an end is refused at its limit', () => {
    const parser = new RequestParser(REQUEST_LIMITS);
    parser.feed(Buffer.alloc(65_537, 'a'));
    assert.deepEqual(parser.next(), {
      malformed: 'protocol-error',
      message: 'Protocol error: too big inline request',
    });
    const counts = new RequestParser(REQUEST_LIMITS);
    counts.feed(Buffer.concat([Buffer.from('*'), Buffer.alloc(65_537, '1')]));
    assert.deepEqual(counts.next(), {
      malformed: 'protocol-error',
      message: 'Protocol error: too big mbulk count string',
    });
  });
});

function parseReplies(chunks: readonly Buffer[]): { replies: Reply[]; fault?: string } {
  const parser = new ReplyParser(REPLY_LIMITS, 'latin1');
  const replies: Reply[] = [];
  for (const chunk of chunks) {
    parser.feed(chunk);
    for (;;) {
      const step = parser.next();
      if (step === undefined) break;
      if ('malformed' in step) return { replies, fault: step.malformed };
      replies.push(step.reply);
    }
  }
  return { replies };
}

const REPLIES: readonly [bytes: string, replies: Reply[], fault?: string][] = [
  ['+OK\r\n', ['OK']],
  ['-ERR no\r\n', [new ReplyError('ERR no')]],
  [':42\r\n:-7\r\n:9223372036854775807\r\n', [42, -7, 9223372036854775807n]],
  ['$5\r\nhello\r\n$0\r\n\r\n$-1\r\n', ['hello', '', null]],
  ['*3\r\n:1\r\n*2\r\n+a\r\n$-1\r\n*0\r\n*-1\r\n', [[1, ['a', null], []], null]],
  ['_\r\n#t\r\n#f\r\n', [null, true, false]],
  [',3.25\r\n,inf\r\n,-inf\r\n,1e+20\r\n', [3.25, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e20]],
  ['(3492890328409238509324850943850943825024385\r\n', [3492890328409238509324850943850943825024385n]],
  ['!5\r\nERR x\r\n=7\r\ntxt:abc\r\n', [new ReplyError('ERR x'), 'abc']],
  [
    '%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n',
    [
      new Map<string, Reply>([
        ['a', 1],
        ['b', [2]],
      ]),
    ],
  ],
  ['~2\r\n+a\r\n+b\r\n%0\r\n', [['a', 'b'], new Map()]],
  ['>3\r\n+message\r\n+c\r\n+m\r\n', [['message', 'c', 'm']]],
  ['|1\r\n+ttl\r\n:5\r\n+value\r\n', ['value']],
  ['?\r\n', [], 'unknown type "?"'],
  [':x\r\n', [], 'not an integer'],
  ['$-2\r\n', [], 'bad length of a string'],
  ['*1000000000000\r\n', [], 'bad length of an aggregate'],
  ['+a\n', [], 'a line does not end with CRLF'],
  ['$1\r\nabc', [], 'a string does not end with CRLF'],
  ['*1\r\n'.repeat(33), [], 'aggregates are nested too deep'],
];

describe('replies', () => {
  for (const [bytes, replies, fault] of REPLIES) {
    test(JSON.stringify(bytes).slice(0, 70), () => {
      for (const chunks of chunkings(Buffer.from(bytes, 'latin1'))) {
        assert.deepEqual(parseReplies(chunks), fault === undefined ? { replies } : { replies, fault });
      }
    });
  }

  test('a push is told from a reply', () => {
    const parser = new ReplyParser(REPLY_LIMITS, 'utf8');
    parser.feed(Buffer.from('>1\r\n+a\r\n*1\r\n+a\r\n'));
    assert.deepEqual(parser.next(), { reply: ['a'], isPush: true });
    assert.deepEqual(parser.next(), { reply: ['a'], isPush: false });
  });

  test('random bytes never throw', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...'+-:$*_#,(!=%~>|\r\n0123abc'), { maxLength: 60 }), (chars) => {
        parseReplies([Buffer.from(chars.join(''))]);
      }),
    );
  });
});

describe('the writer', () => {
  const write = (protocol: 2 | 3, fill: (writer: ReplyWriter) => void): string => {
    const writer = new ReplyWriter();
    writer.protocol = protocol;
    fill(writer);
    return writer.take().join('');
  };

  const SHAPES: readonly [name: string, fill: (writer: ReplyWriter) => void, resp2: string, resp3: string][] =
    [
      ['nil', (w) => w.nil(), '$-1\r\n', '_\r\n'],
      ['nil array', (w) => w.nilArray(), '*-1\r\n', '_\r\n'],
      ['map', (w) => w.map(2), '*4\r\n', '%2\r\n'],
      ['set', (w) => w.set(2), '*2\r\n', '~2\r\n'],
      ['push', (w) => w.push(3), '*3\r\n', '>3\r\n'],
      ['double', (w) => w.double(1.5), '$3\r\n1.5\r\n', ',1.5\r\n'],
      ['boolean', (w) => w.boolean(true), ':1\r\n', '#t\r\n'],
      ['big number', (w) => w.bigNumber('12'), '$2\r\n12\r\n', '(12\r\n'],
      ['verbatim', (w) => w.verbatim('txt', 'abc'), '$3\r\nabc\r\n', '=7\r\ntxt:abc\r\n'],
      ['bulk', (w) => w.bulk('\xff'), '$1\r\n\xff\r\n', '$1\r\n\xff\r\n'],
      ['error', (w) => w.error('ERR a\r\nb'), '-ERR a  b\r\n', '-ERR a  b\r\n'],
    ];
  for (const [name, fill, resp2, resp3] of SHAPES) {
    test(name, () => {
      assert.equal(write(2, fill), resp2);
      assert.equal(write(3, fill), resp3);
    });
  }

  test('goes back to a mark, across pieces', () => {
    const writer = new ReplyWriter();
    writer.bulk('before');
    const mark = writer.mark();
    for (let i = 0; i < 100; i++) writer.bulk('x'.repeat(2_000));
    writer.rollback(mark);
    assert.equal(writer.byteLength, 12);
    assert.deepEqual(writer.take(), ['$6\r\nbefore\r\n']);
    assert.deepEqual(writer.take(), []);
  });
});

describe('doubles', () => {
  const DOUBLES: readonly [number, string][] = [
    [0, '0'],
    [-0, '-0'],
    [3, '3'],
    [3.1, '3.1'],
    [-2.5, '-2.5'],
    [1e9, '1000000000'],
    [1e20, '1e+20'],
    [1.5e300, '1.5e+300'],
    [0.001, '0.001'],
    [1e-7, '1e-7'],
    [1.5e-10, '1.5e-10'],
    [0.1 + 0.2, '0.30000000000000004'],
    [Number.POSITIVE_INFINITY, 'inf'],
    [Number.NEGATIVE_INFINITY, '-inf'],
    [17179869184.5, '17179869184.5'],
  ];
  for (const [value, text] of DOUBLES) test(text, () => assert.equal(formatDouble(value), text));

  test('read back as the same number', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        assert.equal(Number(formatDouble(value)), value);
      }),
    );
  });
});
