import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CLASS, RCODE, TYPE } from './codes.ts';
import { extendedErrorOption, extendedErrorsOf } from './edns.ts';
import { decodeHeader, decodeMessage, encodeMessage, type Message, makeQuery } from './message.ts';
import { type Name, nameFromText, nameToText, ROOT } from './name.ts';
import type { ResourceRecord } from './record.ts';

const name = (text: string): Name => nameFromText(text);
const hex = (text: string): Buffer => Buffer.from(text.replace(/[\s|]/g, ''), 'hex');

const a = (owner: string, last: number): ResourceRecord => ({
  name: name(owner),
  type: TYPE.A,
  class: CLASS.IN,
  ttlSeconds: 60,
  rdata: Buffer.from([192, 0, 2, last]),
});

function answer(details: Partial<Message>): Message {
  const question = { name: name('spells.test.'), type: TYPE.A, class: CLASS.IN };
  return { ...makeQuery(7, question, { recursionDesired: true }), response: true, ...details };
}

function decoded(bytes: Buffer): Message {
  const result = decodeMessage(bytes);
  assert.equal(result.kind, 'message', result.kind === 'malformed' ? result.problem : '');
  return (result as Extract<typeof result, { kind: 'message' }>).message;
}

test('a question, octet by octet', () => {
  const edns = { udpBytes: 1232, version: 0, dnssecOk: true, options: [] };
  const query = makeQuery(
    0x1234,
    { name: name('spells.test.'), type: TYPE.MX, class: CLASS.IN },
    { recursionDesired: true, edns },
  );
  const bytes = encodeMessage(query, { maxBytes: 512 });
  const expected = hex(
    '1234 0100 0001 0000 0000 0001 | 06 7370656c6c73 04 74657374 00 000f 0001 | 00 0029 04d0 00 00 8000 0000',
  );
  assert.deepEqual(bytes, expected);
  assert.deepEqual(decoded(bytes), query);
});

test('names are compressed against earlier ones, case and all', () => {
  const message = answer({
    answers: [a('www.spells.test.', 1), a('WWW.spells.test.', 2), a('spells.test.', 3)],
  });
  const bytes = encodeMessage(message, { maxBytes: 512 });
  const record = (owner: string, last: string): string => `${owner} 0001 0001 0000003c 0004 c00002${last}`;
  const expected = `0007 8100 0001 0003 0000 0000 067370656c6c73047465737400 0001 0001
    ${record('03777777c00c', '01')} ${record('03575757c00c', '02')} ${record('c00c', '03')}`;
  assert.equal(bytes.toString('hex'), hex(expected.replace(/\n/g, '')).toString('hex'));
  assert.deepEqual(decoded(bytes), message);
});

test('names inside data: compressed for the types of RFC 1035, in full for later ones', () => {
  const rdata = Buffer.concat([Buffer.from([0, 10]), Buffer.from(name('spells.test.'), 'latin1')]);
  const mx = { ...a('spells.test.', 0), type: TYPE.MX, rdata };
  const kx = { ...mx, type: TYPE.KX };
  const plain = (record: ResourceRecord): number =>
    encodeMessage(answer({ answers: [record] }), { maxBytes: 512 }).length;
  assert.equal(plain(kx) - plain(mx), name('spells.test.').length - 2);
  assert.deepEqual(decoded(encodeMessage(answer({ answers: [mx, kx] }), { maxBytes: 512 })).answers, [
    mx,
    kx,
  ]);
});

test('a compressed name in data of a later type is read all the same', () => {
  const bytes = hex(
    '0007 8100 0001 0001 0000 0000 067370656c6c73047465737400 0021 0001 | c00c 0021 0001 00000000 0008 0000 0000 0035 c00c',
  );
  const [record] = decoded(bytes).answers;
  assert.equal(record?.rdata.toString('hex'), '000000000035067370656c6c73047465737400');
});

test('the response code has twelve bits with EDNS', () => {
  const edns = {
    udpBytes: 512,
    version: 0,
    dnssecOk: false,
    options: [extendedErrorOption({ infoCode: 18, text: 'nein, ä' })],
  };
  const bytes = encodeMessage(answer({ rcode: RCODE.BADVERS, edns }), { maxBytes: 512 });
  const message = decoded(bytes);
  assert.equal(message.rcode, 16);
  assert.equal(decodeHeader(bytes)?.rcode, 0);
  assert.deepEqual(extendedErrorsOf(message.edns), [{ infoCode: 18, text: 'nein, ä' }]);
});

test('a TTL with the top bit set counts as zero', () => {
  const bytes = encodeMessage(answer({ answers: [{ ...a('x.', 1), ttlSeconds: 0x8000_0000 }] }), {
    maxBytes: 512,
  });
  assert.equal(decoded(bytes).answers[0]?.ttlSeconds, 0);
});

// ── truncation ────────────────────────────────────────────────────────────────────────────────────────────

const many = (owner: string, count: number): ResourceRecord[] =>
  Array.from({ length: count }, (_, at) => a(owner, at));

test('an RRset that does not fit is left out whole, and TC is set', () => {
  const message = answer({
    answers: [...many('a.test.', 2), ...many('b.test.', 40)],
    authorities: many('c.test.', 1),
  });
  const short = decoded(encodeMessage(message, { maxBytes: 512 }));
  assert.equal(short.truncated, true);
  assert.deepEqual(short.answers, many('a.test.', 2));
  assert.deepEqual(short.authorities, []);
  assert.equal(decoded(encodeMessage(message, { maxBytes: 4096 })).truncated, false);
});

test('additional records are left out without a word, required glue is not', () => {
  const message = answer({ additionals: [...many('ns.test.', 1), ...many('mail.test.', 40)] });
  const short = decoded(encodeMessage(message, { maxBytes: 512, requiredAdditionals: 1 }));
  assert.equal(short.truncated, false);
  assert.deepEqual(short.additionals, many('ns.test.', 1));
  const cut = decoded(encodeMessage(message, { maxBytes: 512, requiredAdditionals: 41 }));
  assert.equal(cut.truncated, true);
});

test('room for OPT is kept, whatever else must go', () => {
  const edns = {
    udpBytes: 1232,
    version: 0,
    dnssecOk: false,
    options: [{ code: 10, data: Buffer.alloc(24) }],
  };
  for (let maxBytes = 80; maxBytes < 700; maxBytes += 1) {
    const bytes = encodeMessage(answer({ answers: many('a.test.', 30), edns }), { maxBytes });
    assert.ok(bytes.length <= maxBytes);
    assert.deepEqual(decoded(bytes).edns, edns);
  }
});

test('nothing points to a name that was taken back', () => {
  for (let maxBytes = 60; maxBytes < 900; maxBytes += 1) {
    const answers = [...many('one.test.', 8), ...many('two.one.test.', 8)];
    const message = answer({ answers, additionals: many('three.two.one.test.', 4) });
    decoded(encodeMessage(message, { maxBytes }));
  }
});

// ── malformed ─────────────────────────────────────────────────────────────────────────────────────────────

const HEAD = '0007 0100 0001 0000 0000 0000';
const MALFORMED: readonly [what: string, bytes: string, problem: string][] = [
  ['a pointer to itself', `${HEAD} c00c 0001 0001`, 'a compression pointer does not point backwards'],
  ['a pointer forwards', `${HEAD} c00e 00 0001 0001`, 'a compression pointer does not point backwards'],
  [
    'a loop of label and pointer',
    `${HEAD} 0161 c00c 0001 0001`,
    'a compression pointer does not point backwards',
  ],
  ['a pointer past the message', `${HEAD} ffff 0001 0001`, 'a compression pointer does not point backwards'],
  ['a pointer cut in half', `${HEAD} c0`, 'a name is cut off'],
  ['a label type 01', `${HEAD} 41 61 00 0001 0001`, 'a label has an unknown type'],
  ['a label type 10', `${HEAD} 81 61 00 0001 0001`, 'a label has an unknown type'],
  ['a label longer than the message', `${HEAD} 3f 61`, 'a name is cut off'],
  ['a name without its end', `${HEAD} 0161`, 'a name is cut off'],
  [
    'a name of 256 octets',
    `${HEAD} ${`3f${'61'.repeat(63)}`.repeat(4)} 00 0001 0001`,
    'a name is longer than 255 octets',
  ],
  ['a question without its class', `${HEAD} 00 0001`, 'cut off'],
  [
    'more questions announced than there are',
    '0007 0100 ffff 0000 0000 0000 00 0001 0001',
    'a name is cut off',
  ],
  ['65535 answers announced, none there', '0007 8100 0000 ffff 0000 0000', 'a name is cut off'],
  ['octets after the end', `${HEAD} 00 0001 0001 00`, 'octets follow the last record'],
  [
    'data longer than the message',
    '0007 8100 0000 0001 0000 0000 00 0001 0001 00000000 ffff 01',
    'record data is cut off',
  ],
  [
    'an address of three octets',
    '0007 8100 0000 0001 0000 0000 00 0001 0001 00000000 0003 c00002',
    'cut off',
  ],
  [
    'an address of five octets',
    '0007 8100 0000 0001 0000 0000 00 0001 0001 00000000 0005 c000020101',
    'A data goes on after its last field',
  ],
  [
    'a text that runs over its data',
    '0007 8100 0000 0001 0000 0000 00 0010 0001 00000000 0002 0561 6161616161',
    'cut off',
  ],
  [
    'a name that runs over its data',
    '0007 8100 0000 0001 0000 0000 00 0002 0001 00000000 0002 0161 00',
    'a name is cut off',
  ],
  [
    'two OPT records',
    '0007 0100 0000 0000 0000 0002 00 0029 0200 00000000 0000 00 0029 0200 00000000 0000',
    'two OPT records',
  ],
  [
    'OPT with an owner',
    '0007 0100 0000 0000 0000 0001 0161 00 0029 0200 00000000 0000',
    'an OPT record has an owner name',
  ],
  [
    'OPT among the answers',
    '0007 8100 0000 0001 0000 0000 00 0029 0200 00000000 0000',
    'an OPT record stands outside the additional section',
  ],
  [
    'an EDNS option that runs over',
    '0007 0100 0000 0000 0000 0001 00 0029 0200 00000000 0004 000a ffff',
    'cut off',
  ],
  [
    'EDNS options cut off',
    '0007 0100 0000 0000 0000 0001 00 0029 0200 00000000 0009 000a 0000',
    'EDNS options are cut off',
  ],
];

for (const [what, bytes, problem] of MALFORMED) {
  test(`malformed: ${what}`, () => {
    const result = decodeMessage(hex(bytes));
    assert.equal(result.kind, 'malformed');
    assert.equal(result.kind === 'malformed' && result.problem, problem);
    assert.equal(result.kind === 'malformed' && result.header?.id, 7);
  });
}

test('fewer than twelve octets have no header', () => {
  for (let length = 0; length < 12; length += 1) {
    assert.deepEqual(decodeMessage(Buffer.alloc(length)), {
      kind: 'malformed',
      problem: 'a message is shorter than its header',
    });
  }
});

test('a chain of pointers is bounded', () => {
  const chain = (pointers: number): Buffer => {
    // Data of an unknown type holds the chain: each pointer leads to the one before it.
    const start = 12 + 11;
    const data = Buffer.alloc(1 + 2 * pointers);
    for (let at = 0; at < pointers; at += 1)
      data.writeUInt16BE(0xc000 | (start + Math.max(0, 2 * at - 1)), 1 + 2 * at);
    const first = Buffer.concat([
      hex('0007 8100 0000 0002 0000 0000 00 ffff 0001 00000000'),
      Buffer.alloc(2),
      data,
    ]);
    first.writeUInt16BE(data.length, 21);
    const owner = Buffer.alloc(2);
    owner.writeUInt16BE(0xc000 | (start + 2 * pointers - 1), 0);
    return Buffer.concat([first, owner, hex('0001 0001 00000000 0004 c0000201')]);
  };
  assert.equal(decodeMessage(chain(100)).kind, 'message');
  const result = decodeMessage(chain(200));
  assert.equal(result.kind === 'malformed' && result.problem, 'a name has too many compression pointers');
});

test('every beginning of a message is malformed', () => {
  const edns = {
    udpBytes: 512,
    version: 0,
    dnssecOk: false,
    options: [{ code: 10, data: Buffer.from('12345678') }],
  };
  const whole = encodeMessage(
    answer({ answers: many('a.test.', 2), additionals: many('b.test.', 1), edns }),
    { maxBytes: 512 },
  );
  for (let length = 0; length < whole.length; length += 1) {
    assert.equal(decodeMessage(whole.subarray(0, length)).kind, 'malformed', `${length} octets`);
  }
});

// ── properties ────────────────────────────────────────────────────────────────────────────────────────────

const anyName = fc
  .array(fc.stringMatching(/^[a-zA-Z]{1,8}$/), { maxLength: 5 })
  .map((labels) => (labels.length === 0 ? ROOT : name(`${labels.join('.')}.`)));
const anyRecord = fc.record({
  name: anyName,
  type: fc.constantFrom(TYPE.A, TYPE.NS, TYPE.TXT, 731),
  class: fc.constant(CLASS.IN),
  ttlSeconds: fc.nat(0x7fff_ffff),
  rdata: fc.constant(Buffer.alloc(0)),
});
const dataFor = (record: { type: number; name: Name }): Buffer => {
  if (record.type === TYPE.A) return Buffer.from([1, 2, 3, 4]);
  if (record.type === TYPE.NS) return Buffer.from(record.name, 'latin1');
  return record.type === TYPE.TXT ? Buffer.from('\x03abc\x00', 'latin1') : Buffer.from('opaque');
};
const anyRecords = fc.array(
  anyRecord.map((record) => ({ ...record, rdata: dataFor(record) })),
  { maxLength: 12 },
);
const anyMessage = fc
  .record({
    name: anyName,
    answers: anyRecords,
    authorities: anyRecords,
    additionals: anyRecords,
    rcode: fc.nat(10),
  })
  .map(({ name: asked, ...rest }) =>
    answer({ ...rest, questions: [{ name: asked, type: TYPE.A, class: CLASS.IN }] }),
  );

test('what was encoded is decoded', () => {
  fc.assert(
    fc.property(anyMessage, (message) =>
      assert.deepEqual(decoded(encodeMessage(message, { maxBytes: 65_535 })), message),
    ),
  );
});

test('a message cut to any size is whole', () => {
  fc.assert(
    fc.property(anyMessage, fc.integer({ min: 300, max: 700 }), (message, maxBytes) => {
      const bytes = encodeMessage(message, { maxBytes });
      const short = decoded(bytes);
      assert.ok(bytes.length <= maxBytes);
      assert.deepEqual(short.answers, message.answers.slice(0, short.answers.length));
    }),
  );
});

test('any octets at all are a message or malformed, never an exception', () => {
  const mutated = fc
    .tuple(anyMessage, fc.array(fc.tuple(fc.nat(600), fc.nat(255)), { minLength: 1, maxLength: 6 }))
    .map(([message, changes]) => {
      const bytes = Buffer.from(encodeMessage(message, { maxBytes: 65_535 }));
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      return bytes;
    });
  const random = fc.uint8Array({ maxLength: 300 }).map((octets) => Buffer.from(octets));
  fc.assert(
    fc.property(fc.oneof(mutated, random), (bytes) => {
      const result = decodeMessage(bytes);
      if (result.kind === 'message') for (const { name: owner } of result.message.answers) nameToText(owner);
    }),
    { numRuns: 3_000 },
  );
});
