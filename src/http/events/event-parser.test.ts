import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { chunkings } from '../../core/testing/chunkings.ts';
import { EventStreamParser } from './event-parser.ts';

interface Outcome {
  readonly events: readonly (readonly [type: string, data: string, id: string])[];
  readonly lastEventId: string;
  readonly retryMs: number | undefined;
  readonly tooLarge: boolean;
}

function parse(chunks: readonly Buffer[], eventBytes = 65_536): Outcome {
  const parser = new EventStreamParser({ eventBytes });
  const events: [string, string, string][] = [];
  let tooLarge = false;
  for (const chunk of chunks) {
    parser.receive(chunk);
    for (let parsed = parser.next(); parsed.kind !== 'need-data'; parsed = parser.next()) {
      tooLarge = parsed.kind === 'too-large';
      if (parsed.kind !== 'event') break;
      events.push([parsed.type, parsed.data, parsed.lastEventId]);
    }
  }
  return { events, lastEventId: parser.lastEventId, retryMs: parser.retryMs, tooLarge };
}

/** Most of them from the examples and rules of WHATWG HTML section 9.2.6. */
const cases: readonly [name: string, stream: string, expected: Partial<Outcome>][] = [
  [
    'three lines of data',
    'data: YHOO\ndata: +2\ndata: 10\n\n',
    { events: [['message', 'YHOO\n+2\n10', '']] },
  ],
  [
    'comments, an id, an id made empty, and a cut event',
    ': test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\ndata: cut\n',
    {
      events: [
        ['message', 'first event', '1'],
        ['message', 'second event', ''],
        ['message', ' third event', ''],
      ],
    },
  ],
  [
    'data without value',
    'data\n\ndata\ndata\n\ndata:\n',
    {
      events: [
        ['message', '', ''],
        ['message', '\n', ''],
      ],
    },
  ],
  [
    'one space is stripped, not two',
    'data:test\n\ndata: test\n\ndata:  test\n\n',
    {
      events: [
        ['message', 'test', ''],
        ['message', 'test', ''],
        ['message', ' test', ''],
      ],
    },
  ],
  [
    'every line end, mixed',
    'data: a\r\ndata: b\rdata: c\n\r\ndata: d\r\rdata: e\r\n\n',
    {
      events: [
        ['message', 'a\nb\nc', ''],
        ['message', 'd', ''],
        ['message', 'e', ''],
      ],
    },
  ],
  ['a byte order mark first', '\xef\xbb\xbfdata: a\n\n', { events: [['message', 'a', '']] }],
  ['only one of them', '\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n', { events: [] }],
  ['half of one', '\xef\xbbdata: a\n\ndata: b\n\n', { events: [['message', 'b', '']] }],
  [
    'a type for one event only',
    'event: add\ndata: 1\n\ndata: 2\n\n',
    {
      events: [
        ['add', '1', ''],
        ['message', '2', ''],
      ],
    },
  ],
  ['a type without data', 'event: add\n\ndata: 2\n\n', { events: [['message', '2', '']] }],
  ['an id without data still counts', 'id: 5\n\n', { events: [], lastEventId: '5' }],
  ['an id counts only once its event is done', 'id: 5\n\nid: 6\n', { events: [], lastEventId: '5' }],
  ['an id with NUL is ignored', 'id: 5\n\nid: 6\0\ndata: a\n\n', { events: [['message', 'a', '5']] }],
  ['a wait', 'retry: 1500\n\nretry: 12a\nretry: -1\nretry:\nretry: 1.5\n\n', { events: [], retryMs: 1_500 }],
  ['names are exact', 'Data: a\n data: a\ndata : a\n\n', { events: [] }],
  ['a colon in the value', 'data: a: b:c\n\n', { events: [['message', 'a: b:c', '']] }],
  [
    'UTF-8, and what is none replaced',
    `data: ${Buffer.from('é😀').toString('latin1')}\xff\n\n`,
    { events: [['message', 'é😀\ufffd', '']] },
  ],
  ['a name of an object is a name', 'event: __proto__\ndata: a\n\n', { events: [['__proto__', 'a', '']] }],
];

suite('a stream of events is read', () => {
  for (const [name, stream, expected] of cases) {
    test(name, () => {
      const bytes = Buffer.from(stream, 'latin1');
      const whole = parse([bytes]);
      assert.deepEqual(whole, { ...whole, tooLarge: false, ...expected });
      for (const chunks of chunkings(bytes)) assert.deepEqual(parse(chunks), whole);
    });
  }
});

suite('an event without end is given up', () => {
  const floods: readonly [name: string, stream: string][] = [
    ['a long line', `data: ${'a'.repeat(64)}`],
    ['many lines', 'data:\n'.repeat(16)],
    ['a long comment', `:${'a'.repeat(64)}`],
    ['a type given again and again', 'event: aaaa\n'.repeat(8)],
    ['comments within an event', `data: a\n${':\n'.repeat(32)}`],
    ['unknown fields within an event', `event: a\n${'x\n'.repeat(32)}`],
    ['a long event, although whole', `data: ${'a'.repeat(64)}\n\n`],
  ];
  for (const [name, flood] of floods) {
    test(name, () => {
      const bytes = Buffer.from(`data: ok\n\n${flood}`);
      for (const chunks of chunkings(bytes)) {
        const { events, tooLarge } = parse(chunks, 64);
        assert.deepEqual([events, tooLarge], [[['message', 'ok', '']], true]);
      }
    });
  }

  test('and nothing behind it is read', () => {
    const parser = new EventStreamParser({ eventBytes: 8 });
    parser.receive(Buffer.from('data: too long\n\n'));
    assert.equal(parser.next().kind, 'too-large');
    parser.receive(Buffer.from('data: a\n\n'));
    assert.equal(parser.next().kind, 'too-large');
  });

  test('but not a stream of heartbeats', () => {
    assert.equal(parse([Buffer.from(':\n'.repeat(100))], 8).tooLarge, false);
    assert.equal(parse([Buffer.from(':\n\n'.repeat(100))], 8).tooLarge, false);
  });

  test('at exactly its bound it is read', () => {
    // Nine bytes with the empty line.
    assert.equal(parse([Buffer.from('data: a\n\n')], 9).tooLarge, false);
    assert.equal(parse([Buffer.from('data: a\n\n')], 8).tooLarge, true);
  });
});
