import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import fc from 'fast-check';
import { UnsendableError } from '../wire/encode-head.ts';
import { formatComment, formatEvent, formatRetry } from './event-format.ts';
import { EventStreamParser } from './event-parser.ts';

suite('an event is written', () => {
  const cases: readonly [name: string, event: Parameters<typeof formatEvent>[0], bytes: string][] = [
    ['with data only', { data: 'a' }, 'data: a\n\n'],
    [
      'with every field',
      { id: '7', event: 'x', retryMs: 3_000, data: 'a' },
      'id: 7\nevent: x\nretry: 3000\ndata: a\n\n',
    ],
    ['line by line', { data: 'a\nb\r\nc\rd\n' }, 'data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n'],
    ['with empty data, which is an event', { data: '' }, 'data: \n\n'],
    ['with a space kept', { data: ' a' }, 'data:  a\n\n'],
    ['with an empty id, which makes the client forget', { id: '', data: 'a' }, 'id: \ndata: a\n\n'],
  ];
  for (const [name, event, bytes] of cases) test(name, () => assert.equal(formatEvent(event), bytes));

  test('beside comments and a wait', () => {
    assert.equal(formatComment(''), ':\n');
    assert.equal(formatComment('a\nb'), ': a\n: b\n');
    assert.equal(formatRetry(0), 'retry: 0\n\n');
  });
});

suite('no value begins a field or an event of its own', () => {
  for (const end of ['\n', '\r', '\r\n']) {
    const name = JSON.stringify(end);
    test(`type and id with ${name} are refused`, () => {
      assert.throws(() => formatEvent({ data: '', event: `x${end}data: evil` }), UnsendableError);
      assert.throws(() => formatEvent({ data: '', id: `1${end}${end}data: evil` }), UnsendableError);
    });
    test(`data and comments with ${name} stay what they are`, () => {
      const injected = `a${end}id: 666${end}${end}event: admin`;
      assert.equal(formatEvent({ data: injected }), 'data: a\ndata: id: 666\ndata: \ndata: event: admin\n\n');
      assert.equal(formatComment(`a${end}data: evil`), ': a\n: data: evil\n');
    });
  }

  test('an id with NUL, and a wait that is no number', () => {
    assert.throws(() => formatEvent({ data: '', id: 'a\0' }), UnsendableError);
    for (const retryMs of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])
      assert.throws(() => formatEvent({ data: '', retryMs }), UnsendableError);
  });

  test('any data comes back as one event, its line ends as LF', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', ':', ' ', '\n', '\r', '\0', 'é', '😀') }),
        (data) => {
          const parser = new EventStreamParser();
          parser.receive(Buffer.from(formatEvent({ data, event: 'x', id: '9' })));
          assert.deepEqual(parser.next(), {
            kind: 'event',
            type: 'x',
            data: data.replaceAll('\r\n', '\n').replaceAll('\r', '\n'),
            lastEventId: '9',
          });
          assert.equal(parser.next().kind, 'need-data');
        },
      ),
    );
  });
});
