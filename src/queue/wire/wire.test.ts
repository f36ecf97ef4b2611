import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ByteReader } from '../../core/bytes/reader.ts';
import { ByteWriter } from '../../core/bytes/writer.ts';
import { AmqpError } from '../errors.ts';
import { TABLE_MAX_DEPTH } from '../limits.ts';
import {
  equalFields,
  type FieldValue,
  fieldTable,
  plainTable,
  readTable,
  writeTable,
} from './field-table.ts';
import { decodeFrame, FrameWriter } from './frame.ts';
import { decodeMethod, encodeMethod } from './method.ts';
import { decodeContentHeader, decodeProperties, encodeProperties, replaceProperties } from './properties.ts';
import { METHODS, type MethodName } from './specification.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const isCode = (code: string) => (thrown: unknown) => thrown instanceof AmqpError && thrown.code === code;

test('the table has the 66 methods of the eight classes', () => {
  assert.equal(Object.keys(METHODS).length, 66);
  assert.equal(new Set(Object.values(METHODS).map((m) => `${m.classId}.${m.methodId}`)).size, 66);
});

const BYTES: readonly [string, string][] = [
  ['channel.open on channel 1', '01 0001 00000005 0014 000a 00 ce'],
  ['a heartbeat', '08 0000 00000000 ce'],
  ['basic.ack of all up to 3', '01 0002 0000000d 003c 0050 0000000000000003 01 ce'],
  ['a body', '03 0001 00000003 616263 ce'],
];

for (const [what, text] of BYTES) {
  test(`${what} is decoded whole, needs more at every earlier byte, and leaves what follows`, () => {
    const bytes = hex(text);
    for (let length = 0; length < bytes.length; length++) {
      assert.equal(decodeFrame(bytes.subarray(0, length), 0, 4096).kind, 'need-more');
    }
    const result = decodeFrame(Buffer.concat([bytes, Buffer.from('rest')]), 0, 4096);
    assert.equal(result.kind === 'frame' && result.end, bytes.length);
  });
}

const MALFORMED: readonly [string, string][] = [
  ['an unknown frame type', '04'],
  ['a frame end that is not 206', '08 0000 00000000 cf'],
  ['a size over the agreed one, before its payload', '03 0001 00001000'],
  ['the largest size there is', '01 0001 ffffffff'],
  ['a heartbeat with a payload', '08 0000 00000001'],
];

for (const [what, text] of MALFORMED) {
  test(`${what} is malformed`, () => assert.equal(decodeFrame(hex(text), 0, 4096).kind, 'malformed'));
}

test('arguments are decoded as the table says, bits sharing an octet', () => {
  // queue.declare of "q", durable and auto-delete, with the argument x = int32 5.
  const bytes = hex('0032 000a 0000 01 71 0a 00000007 01 78 49 00000005');
  assert.deepEqual(decodeMethod(bytes), {
    method: 'queue.declare',
    queue: 'q',
    passive: false,
    durable: true,
    exclusive: false,
    autoDelete: true,
    noWait: false,
    arguments: new Map([['x', { type: 'I', value: 5 }]]),
  });
});

test('every method comes back as it was written', () => {
  for (const name of Object.keys(METHODS) as MethodName[]) {
    const values: Record<string, unknown> = {};
    for (const [field, kind] of Object.entries(METHODS[name].fields)) {
      if (!field.startsWith('reserved')) values[field] = SAMPLES[kind as keyof typeof SAMPLES];
    }
    const writer = new ByteWriter();
    encodeMethod(writer, name, values as never);
    const bytes = writer.take();
    assert.deepEqual(decodeMethod(bytes), { method: name, ...values });
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => decodeMethod(bytes.subarray(0, length)), isCode('syntax-error'));
    }
    assert.throws(() => decodeMethod(Buffer.concat([bytes, Buffer.of(0)])), isCode('syntax-error'));
  }
});

const SAMPLES = {
  bit: true,
  octet: 7,
  short: 0xfffe,
  long: 0xfffffffd,
  longlong: Number.MAX_SAFE_INTEGER,
  shortstr: 'né',
  longstr: Buffer.from([0, 255]),
  timestamp: 1_700_000_000,
  table: fieldTable({ a: 1, b: ['x', null, { c: true }] }),
} as const;

test('an unknown class is not implemented, an unknown method is an invalid command', () => {
  assert.throws(() => decodeMethod(hex('0063 000a')), isCode('not-implemented'));
  assert.throws(() => decodeMethod(hex('003c 00ff')), isCode('command-invalid'));
});

test('a short string that is not UTF-8 is refused', () => {
  assert.throws(() => decodeMethod(hex('0014 000a 01 ff')), isCode('syntax-error'));
});

function table(entries: string): Buffer {
  const bytes = hex(entries);
  const whole = Buffer.alloc(4 + bytes.length);
  whole.writeUInt32BE(bytes.length);
  bytes.copy(whole, 4);
  return whole;
}

const read = (bytes: Buffer) => readTable(new ByteReader(bytes));

test('field tables carry every type and keep it', () => {
  const entries =
    '01 61 74 01  01 62 62 ff  01 63 42 ff  01 64 73 fffe  01 65 75 fffe  01 66 49 fffffffd  01 67 69 fffffffd' +
    '01 68 6c ffffffffffffffff  01 69 66 3f000000  01 6a 64 3ff0000000000000  01 6b 44 02 0000007b' +
    '01 6c 53 00000001 78  01 6d 78 00000001 00  01 6e 41 00000002 7401  01 6f 46 00000000' +
    '01 70 54 0000000000000001  01 71 56';
  const bytes = table(entries.replaceAll(' ', ''));
  const decoded = read(bytes);
  const { a, b, c, d, e, f, g, h, i, j, k, l, n, q } = plainTable(decoded);
  assert.deepEqual(
    [a, b, c, d, e, f, g, h, i, j, k, l, n, q],
    [true, -1, 255, -2, 65534, -3, 4294967293, -1, 0.5, 1, 1.23, 'x', [true], null],
  );
  const writer = new ByteWriter();
  writeTable(writer, decoded);
  assert.deepEqual(writer.take(), bytes);
});

const BAD_TABLES: readonly [string, Buffer][] = [
  ['an unknown type', table('01 61 5a')],
  ['a name twice', table('01 61 56 01 61 56')],
  ['a string longer than the table', table('01 61 53 000000ff 78')],
  ['an array longer than the table', table('01 61 41 000000ff 56')],
  ['a value that is cut off', table('01 61 49 0000')],
  ['nesting without end', nest(TABLE_MAX_DEPTH + 1)],
  ['a bomb of many entries', bomb(5000)],
];

function nest(depth: number): Buffer {
  let inner: Buffer = Buffer.alloc(4);
  for (let n = 0; n < depth; n++) inner = table(`01 61 46 ${inner.toString('hex')}`);
  return inner;
}

function bomb(entries: number): Buffer {
  return table(`01 61 41 ${entries.toString(16).padStart(8, '0')} ${'56'.repeat(entries)}`);
}

for (const [what, bytes] of BAD_TABLES) {
  test(`a table with ${what} is refused`, () => assert.throws(() => read(bytes), AmqpError));
}

test('no bytes make a table decoder throw anything but its own error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        decodeMethod(Buffer.from(bytes));
      } catch (thrown) {
        assert.ok(thrown instanceof AmqpError);
      }
    }),
  );
});

test('integers are equal by value whatever their width; other kinds are not', () => {
  const pairs: [FieldValue, FieldValue, boolean][] = [
    [{ type: 'I', value: 5 }, { type: 'l', value: 5n }, true],
    [{ type: 'b', value: 5 }, { type: 'i', value: 6 }, false],
    [{ type: 'S', value: '5' }, { type: 'I', value: 5 }, false],
    [{ type: 'V' }, { type: 'V' }, true],
    [{ type: 't', value: true }, { type: 'I', value: 1 }, false],
  ];
  for (const [left, right, equal] of pairs) assert.equal(equalFields(left, right), equal);
});

test('properties are decoded by their flags and replaced without touching the others', () => {
  const raw = encodeProperties({ contentType: 'a/b', deliveryMode: 2, expiration: '10', messageId: 'm' });
  assert.deepEqual(raw.subarray(0, 2), hex('9180'));
  const odd = Buffer.from(raw);
  odd[odd.length - 1] = 0xff;
  const changed = replaceProperties(odd, { expiration: undefined, priority: 4 });
  assert.equal(changed.at(-1), 0xff);
  const { expiration, priority, contentType } = decodeProperties(changed);
  assert.deepEqual([expiration, priority, contentType], [undefined, 4, 'a/b']);
  assert.throws(() => decodeProperties(hex('0001')), isCode('syntax-error'));
  assert.throws(() => decodeProperties(hex('8000 ff 61')), isCode('syntax-error'));
  assert.throws(() => decodeContentHeader(hex('0032 0000 0000000000000000 0000')), isCode('frame-error'));
});

test('a body is cut into frames of the agreed size', () => {
  const bytes = new FrameWriter().content(1, hex('0000'), Buffer.alloc(9, 1), 12).take();
  const bodies: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const frame = decodeFrame(bytes, at, 4096);
    assert.ok(frame.kind === 'frame');
    if (frame.type === 'body') bodies.push(frame.payload.length);
    at = frame.end;
  }
  assert.deepEqual(bodies, [4, 4, 1]);
});
