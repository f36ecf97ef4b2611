/**
 * What a WebSocket may be sent, and what must come of it: every case in both directions, for the rules are the
 * same but for the mask. The order follows the sections of RFC 6455; the deflate cases are RFC 7692's.
 */
import { closePayload, hex, type TestFrame } from './frames.ts';

export interface WebSocketCase {
  readonly name: string;
  readonly frames: readonly TestFrame[];
  /** Messages told, in order: text as a string. */
  readonly messages: readonly (string | Buffer)[];
  /** Frames sent back. */
  readonly replies: readonly TestFrame[];
  /** The code with which it ends; undefined when it goes on. */
  readonly ends?: number;
  readonly compression?: boolean;
  readonly limits?: Readonly<Record<string, number>>;
}

const TEXT = 0x81;
const BINARY = 0x82;
const CLOSE = 0x88;
const PING = 0x89;
const PONG = 0x8a;
const TEXT_BEGINS = 0x01;
const BINARY_BEGINS = 0x02;
const GOES_ON = 0x00;
const ENDS = 0x80;
const RSV1 = 0x40;

/** The close frame that says which rule was broken. */
function refused(code: number, reason: string): Pick<WebSocketCase, 'replies' | 'ends'> {
  return { replies: [[CLOSE, closePayload(code, reason)]], ends: code };
}

const NOT_UTF8 = refused(1007, 'the text is not UTF-8');
const FRAGMENTED = refused(1002, 'a control frame is fragmented');
const UNFINISHED = refused(1002, 'a message begins before the last one has ended');
const NO_MESSAGE = refused(1002, 'a continuation without a message to continue');
const TOO_BIG = refused(1009, 'the message is too big');
const NOT_DEFLATE = refused(1007, 'the message is not DEFLATE');

const sizes = [0, 1, 63, 64, 65, 125, 126, 127, 128, 65_535, 65_536, 65_537];

const framing: WebSocketCase[] = sizes.flatMap((size) => [
  {
    name: `text of ${size} bytes`,
    frames: [[TEXT, 'x'.repeat(size)]],
    messages: ['x'.repeat(size)],
    replies: [],
  },
  {
    name: `binary of ${size} bytes`,
    frames: [[BINARY, Buffer.alloc(size, 0xfe)]],
    messages: [Buffer.alloc(size, 0xfe)],
    replies: [],
  },
]);

const pings: WebSocketCase[] = [
  { name: 'an empty ping', frames: [[PING, '']], messages: [], replies: [[PONG, '']] },
  { name: 'a ping with text', frames: [[PING, 'hello']], messages: [], replies: [[PONG, 'hello']] },
  {
    name: 'a ping that is not UTF-8',
    frames: [[PING, hex('00 ff fe fd fc')]],
    messages: [],
    replies: [[PONG, hex('00 ff fe fd fc')]],
  },
  {
    name: 'a ping of 125 bytes',
    frames: [[PING, 'p'.repeat(125)]],
    messages: [],
    replies: [[PONG, 'p'.repeat(125)]],
  },
  {
    name: 'a ping of 126 bytes',
    frames: [[PING, 'p'.repeat(126)]],
    messages: [],
    ...refused(1002, 'a control frame is longer than 125 bytes'),
  },
  { name: 'a pong that was not asked for', frames: [[PONG, 'x']], messages: [], replies: [] },
  {
    name: 'a pong, then a ping',
    frames: [
      [PONG, 'x'],
      [PING, 'y'],
    ],
    messages: [],
    replies: [[PONG, 'y']],
  },
  {
    name: 'ten pings, answered in order',
    frames: Array.from({ length: 10 }, (_, n): TestFrame => [PING, `ping ${n}`]),
    messages: [],
    replies: Array.from({ length: 10 }, (_, n): TestFrame => [PONG, `ping ${n}`]),
  },
  {
    name: 'more pings than the bound',
    frames: Array.from({ length: 4 }, (): TestFrame => [PING, '']),
    limits: { controlFramesPerSecond: 3 },
    messages: [],
    replies: [
      [PONG, ''],
      [PONG, ''],
      [PONG, ''],
      [CLOSE, closePayload(1008, 'too many control frames')],
    ],
    ends: 1008,
  },
  {
    name: 'more pongs than the bound',
    frames: Array.from({ length: 4 }, (): TestFrame => [PONG, '']),
    limits: { controlFramesPerSecond: 3 },
    messages: [],
    ...refused(1008, 'too many control frames'),
  },
];

const WITHOUT_EXTENSION = refused(1002, 'RSV1 is set but no extension was agreed on');
const RESERVED = refused(1002, 'RSV2 or RSV3 is set');

const reservedBits: WebSocketCase[] = [
  ...[0x10, 0x20, 0x30, 0x50, 0x60, 0x70].map(
    (bits): WebSocketCase => ({
      name: `reserved bits ${bits.toString(16)} on text`,
      frames: [[TEXT | bits, 'x']],
      messages: [],
      ...RESERVED,
    }),
  ),
  { name: 'RSV1 on text', frames: [[TEXT | RSV1, 'x']], messages: [], ...WITHOUT_EXTENSION },
  {
    name: 'RSV3 after a good message',
    frames: [
      [TEXT, 'good'],
      [TEXT | 0x10, 'bad'],
      [PING, ''],
    ],
    messages: ['good'],
    ...RESERVED,
  },
  { name: 'RSV2 on a ping', frames: [[PING | 0x20, 'x']], messages: [], ...RESERVED },
  { name: 'RSV2 and RSV3 on a close', frames: [[CLOSE | 0x30, '']], messages: [], ...RESERVED },
];

const opcodes: WebSocketCase[] = [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf].flatMap((opcode) =>
  ['', 'x'].map(
    (payload): WebSocketCase => ({
      name: `reserved opcode ${opcode.toString(16)}${payload === '' ? '' : ' with content'}`,
      frames: [
        [TEXT, 'good'],
        [0x80 | opcode, payload],
        [PING, ''],
      ],
      messages: ['good'],
      ...refused(1002, 'the opcode is reserved'),
    }),
  ),
);

const fragments: WebSocketCase[] = [
  {
    name: 'a fragmented ping',
    frames: [
      [0x09, 'x'],
      [ENDS, 'y'],
    ],
    messages: [],
    ...FRAGMENTED,
  },
  {
    name: 'a fragmented pong',
    frames: [
      [0x0a, 'x'],
      [ENDS, 'y'],
    ],
    messages: [],
    ...FRAGMENTED,
  },
  { name: 'a fragmented close', frames: [[0x08, '']], messages: [], ...FRAGMENTED },
  {
    name: 'text in two',
    frames: [
      [TEXT_BEGINS, 'one '],
      [ENDS, 'two'],
    ],
    messages: ['one two'],
    replies: [],
  },
  {
    name: 'binary in three, the middle one empty',
    frames: [
      [BINARY_BEGINS, 'a'],
      [GOES_ON, ''],
      [ENDS, 'b'],
    ],
    messages: [Buffer.from('ab')],
    replies: [],
  },
  {
    name: 'text in three empty ones',
    frames: [
      [TEXT_BEGINS, ''],
      [GOES_ON, ''],
      [ENDS, ''],
    ],
    messages: [''],
    replies: [],
  },
  {
    name: 'a ping between two fragments, answered before the message is whole',
    frames: [
      [TEXT_BEGINS, 'one '],
      [PING, 'p'],
      [ENDS, 'two'],
    ],
    messages: ['one two'],
    replies: [[PONG, 'p']],
  },
  {
    name: 'a pong between two fragments',
    frames: [
      [TEXT_BEGINS, 'one '],
      [PONG, 'p'],
      [ENDS, 'two'],
    ],
    messages: ['one two'],
    replies: [],
  },
  { name: 'a continuation at first', frames: [[ENDS, 'x']], messages: [], ...NO_MESSAGE },
  {
    name: 'a continuation at first that goes on',
    frames: [
      [GOES_ON, 'x'],
      [ENDS, 'y'],
    ],
    messages: [],
    ...NO_MESSAGE,
  },
  {
    name: 'a continuation after a whole message',
    frames: [
      [TEXT, 'x'],
      [ENDS, 'y'],
    ],
    messages: ['x'],
    ...NO_MESSAGE,
  },
  {
    name: 'a continuation after a fragmented message',
    frames: [
      [TEXT_BEGINS, 'a'],
      [ENDS, 'b'],
      [GOES_ON, 'c'],
    ],
    messages: ['ab'],
    ...NO_MESSAGE,
  },
  {
    name: 'text inside of text',
    frames: [
      [TEXT_BEGINS, 'x'],
      [TEXT, 'y'],
    ],
    messages: [],
    ...UNFINISHED,
  },
  {
    name: 'binary inside of text',
    frames: [
      [TEXT_BEGINS, 'x'],
      [BINARY, 'y'],
    ],
    messages: [],
    ...UNFINISHED,
  },
  {
    name: 'text that begins twice',
    frames: [
      [TEXT_BEGINS, 'x'],
      [TEXT_BEGINS, 'y'],
    ],
    messages: [],
    ...UNFINISHED,
  },
  {
    name: 'as many fragments as the bound',
    frames: [
      [TEXT_BEGINS, 'a'],
      [GOES_ON, 'b'],
      [ENDS, 'c'],
    ],
    limits: { fragmentCount: 3 },
    messages: ['abc'],
    replies: [],
  },
  {
    name: 'more fragments than the bound',
    frames: [
      [TEXT_BEGINS, ''],
      [GOES_ON, ''],
      [GOES_ON, ''],
      [ENDS, ''],
    ],
    limits: { fragmentCount: 3 },
    messages: [],
    ...refused(1008, 'a message has too many fragments'),
  },
];

/** Well-formed, each at an edge of the table in wire/utf8.ts. */
const GOOD_TEXTS = [
  'κόσμε',
  'Hello-µ@ßöäüàá-UTF-8!!',
  '\u0000',
  '\u007f',
  '\u0080',
  '\u07ff',
  '\u0800',
  '\ud7ff',
  '\ue000',
  '\ufffd',
  '\ufffe\uffff',
  '\ufeffwith a byte order mark',
  '\u{10000}',
  '\u{3ffff}\u{40000}\u{fffff}\u{100000}',
  '\u{10ffff}',
];

/** With the number of bytes after which it cannot become UTF-8 any more; one more than all: only its end shows it. */
export const BAD_TEXTS: readonly (readonly [bytes: string, knownAfter: number])[] = [
  ['80', 1],
  ['bf', 1],
  ['61 80', 2],
  ['c0 80', 1],
  ['c1 bf', 1],
  ['c2', 2],
  ['c2 41', 2],
  ['df c0', 2],
  ['e0 80 80', 2],
  ['e0 9f bf', 2],
  ['e1 80', 3],
  ['e2 82 41', 3],
  ['ed a0 80', 2],
  ['ed bf bf', 2],
  ['f0 80 80 80', 2],
  ['f0 8f bf bf', 2],
  ['f0 9f 98', 4],
  ['f0 9f 98 c0', 4],
  ['f4 90 80 80', 2],
  ['f5 80 80 80', 1],
  ['f8 88 80 80 80', 1],
  ['fe', 1],
  ['ff', 1],
  ['ce ba e1 bd b9 cf 83 ce bc ce b5 ed a0 80 65 64 69 74 65 64', 13],
  ['ce ba e1 bd b9 cf 83 ce bc ce b5 f4 90 80 80 65 64 69 74 65 64', 13],
];

const utf8: WebSocketCase[] = [
  ...GOOD_TEXTS.map(
    (text): WebSocketCase => ({
      name: `text ${JSON.stringify(text)}`,
      frames: [[TEXT, text]],
      messages: [text],
      replies: [],
    }),
  ),
  ...GOOD_TEXTS.map(
    (text): WebSocketCase => ({
      name: `text ${JSON.stringify(text)}, a fragment for each byte`,
      frames: inFragments(Buffer.from(text)),
      messages: [text],
      replies: [],
    }),
  ),
  ...BAD_TEXTS.flatMap(([bytes]): WebSocketCase[] => [
    { name: `text ${bytes}`, frames: [[TEXT, hex(bytes)]], messages: [], ...NOT_UTF8 },
    {
      name: `text ${bytes}, a fragment for each byte`,
      frames: inFragments(hex(bytes)),
      messages: [],
      ...NOT_UTF8,
    },
    {
      name: `text ${bytes} behind a long beginning`,
      frames: [[TEXT, Buffer.concat([Buffer.from('é'.repeat(40)), hex(bytes)])]],
      messages: [],
      ...NOT_UTF8,
    },
  ]),
  {
    name: 'a bad fragment is told before the message ends',
    frames: [
      [TEXT_BEGINS, 'good'],
      [GOES_ON, hex('f4 90')],
      [PING, ''],
    ],
    messages: [],
    ...NOT_UTF8,
  },
  {
    name: 'a control frame inside of a character',
    frames: [
      [TEXT_BEGINS, hex('e2 82')],
      [PING, hex('ff')],
      [ENDS, hex('ac')],
    ],
    messages: ['€'],
    replies: [[PONG, hex('ff')]],
  },
];

function inFragments(bytes: Buffer): TestFrame[] {
  return Array.from(bytes, (byte, at): TestFrame => {
    const opcode = at === 0 ? TEXT_BEGINS : GOES_ON;
    return [at === bytes.length - 1 ? opcode | ENDS : opcode, Buffer.of(byte)];
  });
}

const GOOD_CODES = [
  1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
];
const BAD_CODES = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];

const closing: WebSocketCase[] = [
  {
    name: 'close with 1000, echoed once',
    frames: [
      [CLOSE, closePayload(1000)],
      [CLOSE, closePayload(1000)],
    ],
    messages: [],
    replies: [[CLOSE, closePayload(1000)]],
    ends: 1000,
  },
  { name: 'an empty close', frames: [[CLOSE, '']], messages: [], replies: [[CLOSE, '']], ends: 1005 },
  {
    name: 'close with a reason',
    frames: [[CLOSE, closePayload(1001, 'going away — über')]],
    messages: [],
    replies: [[CLOSE, closePayload(1001)]],
    ends: 1001,
  },
  {
    name: 'close with a reason of 123 bytes',
    frames: [[CLOSE, closePayload(1000, 'r'.repeat(123))]],
    messages: [],
    replies: [[CLOSE, closePayload(1000)]],
    ends: 1000,
  },
  {
    name: 'close with a reason of 124 bytes',
    frames: [[CLOSE, closePayload(1000, 'r'.repeat(124))]],
    messages: [],
    ...refused(1002, 'a control frame is longer than 125 bytes'),
  },
  {
    name: 'close with half a code',
    frames: [[CLOSE, hex('03')]],
    messages: [],
    ...refused(1002, 'a close frame has half a code'),
  },
  {
    name: 'close with a reason that is not UTF-8',
    frames: [[CLOSE, closePayload(1000, hex('ce ba e1 bd b9 ed a0 80'))]],
    messages: [],
    ...refused(1007, 'the close reason is not UTF-8'),
  },
  {
    name: 'nothing behind a close is looked at',
    frames: [
      [CLOSE, closePayload(1000)],
      [TEXT, 'late'],
      [PING, 'late'],
      [0xff, 'late'],
    ],
    messages: [],
    replies: [[CLOSE, closePayload(1000)]],
    ends: 1000,
  },
  {
    name: 'close inside of a message',
    frames: [
      [TEXT_BEGINS, 'never'],
      [CLOSE, closePayload(1000)],
      [ENDS, 'whole'],
    ],
    messages: [],
    replies: [[CLOSE, closePayload(1000)]],
    ends: 1000,
  },
  ...GOOD_CODES.map(
    (code): WebSocketCase => ({
      name: `close code ${code}`,
      frames: [[CLOSE, closePayload(code, 'x')]],
      messages: [],
      replies: [[CLOSE, closePayload(code)]],
      ends: code,
    }),
  ),
  ...BAD_CODES.map(
    (code): WebSocketCase => ({
      name: `close code ${code}`,
      frames: [[CLOSE, closePayload(code)]],
      messages: [],
      ...refused(1002, 'the close code may not be sent'),
    }),
  ),
];

const limits: WebSocketCase[] = [
  {
    name: 'a message of as many bytes as the bound',
    frames: [[BINARY, 'x'.repeat(10)]],
    limits: { messageBytes: 10 },
    messages: [Buffer.from('x'.repeat(10))],
    replies: [],
  },
  {
    name: 'a message longer than the bound',
    frames: [[BINARY, 'x'.repeat(11)]],
    limits: { messageBytes: 10 },
    messages: [],
    ...TOO_BIG,
  },
  {
    name: 'fragments that together are longer than the bound',
    frames: [
      [TEXT_BEGINS, 'x'.repeat(6)],
      [GOES_ON, ''],
      [ENDS, 'x'.repeat(5)],
    ],
    limits: { messageBytes: 10 },
    messages: [],
    ...TOO_BIG,
  },
];

/** "Hello" as RFC 7692 section 7.2.3 compresses it in several ways. */
const deflate: WebSocketCase[] = [
  {
    name: 'a compressed message',
    frames: [[TEXT | RSV1, hex('f2 48 cd c9 c9 07 00')]],
    messages: ['Hello'],
    replies: [],
  },
  {
    name: 'a compressed message in two fragments, RSV1 on the first alone',
    frames: [
      [TEXT_BEGINS | RSV1, hex('f2 48 cd')],
      [ENDS, hex('c9 c9 07 00')],
    ],
    messages: ['Hello'],
    replies: [],
  },
  {
    name: 'a second message that refers to the first',
    frames: [
      [TEXT | RSV1, hex('f2 48 cd c9 c9 07 00')],
      [TEXT | RSV1, hex('f2 00 11 00 00')],
    ],
    messages: ['Hello', 'Hello'],
    replies: [],
  },
  {
    name: 'an uncompressed message between them, which is none of the window',
    frames: [
      [TEXT | RSV1, hex('f2 48 cd c9 c9 07 00')],
      [TEXT, 'plain'],
      [TEXT | RSV1, hex('f2 00 11 00 00')],
    ],
    messages: ['Hello', 'plain', 'Hello'],
    replies: [],
  },
  {
    name: 'a stored block',
    frames: [[BINARY | RSV1, hex('00 05 00 fa ff 48 65 6c 6c 6f 00')]],
    messages: [Buffer.from('Hello')],
    replies: [],
  },
  {
    name: 'a final block and its padding',
    frames: [[TEXT | RSV1, hex('f3 48 cd c9 c9 07 00 00')]],
    messages: ['Hello'],
    replies: [],
  },
  {
    name: 'two blocks',
    frames: [[TEXT | RSV1, hex('f2 48 05 00 00 00 ff ff ca c9 c9 07 00')]],
    messages: ['Hello'],
    replies: [],
  },
  { name: 'an empty compressed message', frames: [[TEXT | RSV1, hex('00')]], messages: [''], replies: [] },
  { name: 'no bytes at all, compressed', frames: [[TEXT | RSV1, '']], messages: [], ...NOT_DEFLATE },
  { name: 'a message cut short', frames: [[TEXT | RSV1, hex('f2 48 cd c9')]], messages: [], ...NOT_DEFLATE },
  {
    name: 'bytes that are no DEFLATE',
    frames: [[TEXT | RSV1, hex('ff ff ff')]],
    messages: [],
    ...NOT_DEFLATE,
  },
  {
    name: 'bytes behind a final block',
    frames: [[TEXT | RSV1, hex('f3 48 cd c9 c9 07 00 00 00')]],
    messages: [],
    ...NOT_DEFLATE,
  },
  {
    name: 'a reference before the window',
    frames: [[TEXT | RSV1, hex('f2 00 11 00 00')]],
    messages: [],
    ...NOT_DEFLATE,
  },
  {
    name: 'inflated text that is not UTF-8',
    frames: [[TEXT | RSV1, hex('00 01 00 fe ff ff 00')]],
    messages: [],
    ...NOT_UTF8,
  },
  {
    name: 'RSV1 on a continuation',
    frames: [
      [TEXT_BEGINS | RSV1, hex('f2 48 cd')],
      [ENDS | RSV1, hex('c9 c9 07 00')],
    ],
    messages: [],
    ...refused(1002, 'RSV1 is set on a frame that does not begin a message'),
  },
  {
    name: 'RSV1 on a ping',
    frames: [[PING | RSV1, '']],
    messages: [],
    ...refused(1002, 'RSV1 is set on a frame that does not begin a message'),
  },
  { name: 'RSV2 beside an agreed RSV1', frames: [[TEXT | 0x60, '']], messages: [], ...RESERVED },
  {
    name: 'a message that inflates beyond the bound',
    // 300 times "a".
    frames: [[TEXT | RSV1, hex('4a 4c 1c 05 c4 02 00 00')]],
    limits: { messageBytes: 299 },
    messages: [],
    ...TOO_BIG,
  },
  {
    name: 'a message that inflates to too many times its size',
    frames: [[TEXT | RSV1, hex('4a 4c 1c 05 c4 02 00 00')]],
    limits: { inflateFreeBytes: 100, inflateRatio: 37 },
    messages: [],
    ...refused(1009, 'the message inflates to too many times its size'),
  },
  {
    name: 'a message that inflates to as many times its size as it may',
    frames: [[TEXT | RSV1, hex('4a 4c 1c 05 c4 02 00 00')]],
    limits: { inflateFreeBytes: 100, inflateRatio: 38 },
    messages: ['a'.repeat(300)],
    replies: [],
  },
];

export const CATALOGUE: readonly WebSocketCase[] = [
  ...framing,
  ...pings,
  ...reservedBits,
  ...opcodes,
  ...fragments,
  ...utf8,
  ...closing,
  ...limits,
  ...deflate.map((one) => ({ ...one, compression: true })),
];
