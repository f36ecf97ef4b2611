import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import fc from 'fast-check';
import type { Random } from '../../core/random/random.ts';
import { SeededRandom } from '../../core/random/seeded-random.ts';
import type { HeaderList } from '../types.ts';
import { UnsendableError } from '../wire/encode-head.ts';
import { Fields } from '../wire/fields.ts';
import {
  childContext,
  parseTraceparent,
  parseTracestate,
  type TraceContext,
  traceContextOf,
  traceFields,
  withTraceState,
} from './trace-context.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const contextOf = (...list: HeaderList): TraceContext | undefined => traceContextOf(Fields.from(list));

suite('a traceparent', () => {
  const good: readonly [text: string, sampled: boolean, randomId: boolean][] = [
    [`00-${TRACE}-${PARENT}-00`, false, false],
    [`00-${TRACE}-${PARENT}-01`, true, false],
    [`00-${TRACE}-${PARENT}-02`, false, true],
    [`00-${TRACE}-${PARENT}-03`, true, true],
    // Flags of later levels say nothing to this one.
    [`00-${TRACE}-${PARENT}-fc`, false, false],
    [`01-${TRACE}-${PARENT}-01`, true, false],
    [`cc-${TRACE}-${PARENT}-01-what-comes-later`, true, false],
    [`fe-${TRACE}-${PARENT}-01-`, true, false],
  ];
  for (const [text, sampled, randomId] of good) {
    test(text, () => {
      assert.deepEqual(parseTraceparent(text), { traceId: TRACE, parentId: PARENT, sampled, randomId });
    });
  }

  const bad: readonly string[] = [
    '',
    '00',
    `00-${TRACE}-${PARENT}`,
    `00-${TRACE}-${PARENT}-`,
    `00-${TRACE}-${PARENT}-1`,
    `00-${TRACE}-${PARENT}-011`,
    `00-${TRACE}-${PARENT}-01-`,
    `00-${TRACE}-${PARENT}-01-more`,
    `cc-${TRACE}-${PARENT}-01.more`,
    `cc-${TRACE}-${PARENT}-011`,
    `ff-${TRACE}-${PARENT}-01`,
    `FE-${TRACE}-${PARENT}-01`,
    `0-${TRACE}-${PARENT}-001`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    `00-${TRACE}-${PARENT.toUpperCase()}-01`,
    `00-${TRACE}-${PARENT}-0A`,
    `00-${'0'.repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.slice(1)}g-${PARENT}-01`,
    `00_${TRACE}-${PARENT}-01`,
    `00-${TRACE}_${PARENT}-01`,
    ` 00-${TRACE}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-01 `,
    `00-${TRACE}-${PARENT}-+1`,
  ];
  for (const text of bad)
    test(`but not ${JSON.stringify(text)}`, () => assert.equal(parseTraceparent(text), undefined));

  test('that was written is read again', () => {
    const context = childContext(undefined, new SeededRandom(1));
    assert.deepEqual(contextOf(...traceFields(context)), context);
  });

  test('of any other byte is either refused or another one', () => {
    const text = `00-${TRACE}-${PARENT}-01`;
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.integer({ min: 0x20, max: 0xff }), (at, code) => {
        const changed = text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1);
        if (parseTraceparent(changed) !== undefined) assert.match(changed, /^[0-9a-f-]{55}$/);
      }),
    );
  });
});

suite('a tracestate', () => {
  const good: readonly [text: string, state: [string, string][]][] = [
    ['', []],
    [' \t', []],
    ['a=1', [['a', '1']]],
    [
      'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE',
      [
        ['rojo', '00f067aa0ba902b7'],
        ['congo', 't61rcWkgMzE'],
      ],
    ],
    [
      ' a=1 ,\t,b=2 ,',
      [
        ['a', '1'],
        ['b', '2'],
      ],
    ],
    ['1a_-*/@x= x y~', [['1a_-*/@x', ' x y~']]],
    [`${'a'.repeat(256)}=${'b'.repeat(256)}`, [['a'.repeat(256), 'b'.repeat(256)]]],
  ];
  for (const [text, state] of good)
    test(JSON.stringify(text).slice(0, 60), () => assert.deepEqual(parseTracestate(text), state));

  const bad: readonly string[] = [
    'a',
    'a=',
    '=1',
    'A=1',
    '_a=1',
    '@a=1',
    'a b=1',
    'a =1',
    'a=b=c',
    'a=\x7f',
    'a=\xe9',
    'a=1,a=2',
    '__proto__=1',
    `${'a'.repeat(257)}=1`,
    `a=${'b'.repeat(257)}`,
    Array.from({ length: 33 }, (_, at) => `k${at}=1`).join(),
  ];
  for (const text of bad)
    test(`but not ${JSON.stringify(text).slice(0, 60)}`, () =>
      assert.equal(parseTracestate(text), undefined));
});

suite('the context of a request', () => {
  const parent = ['traceparent', `00-${TRACE}-${PARENT}-01`] as const;

  test('has its state, in one field or several', () => {
    assert.deepEqual(contextOf(['TraceParent', parent[1]], ['Tracestate', 'a=1'], ['tracestate', 'b=2']), {
      traceId: TRACE,
      parentId: PARENT,
      sampled: true,
      randomId: false,
      state: [
        ['a', '1'],
        ['b', '2'],
      ],
    });
  });

  test('loses a bad state, or the state of a bad parent', () => {
    assert.deepEqual(contextOf(parent, ['tracestate', 'a=1,,b'])?.state, []);
    assert.equal(contextOf(['tracestate', 'a=1']), undefined);
    assert.equal(contextOf(['traceparent', 'x'], ['tracestate', 'a=1']), undefined);
    assert.equal(contextOf(parent, parent), undefined);
  });
});

suite('a context sent on', () => {
  const caller: TraceContext = {
    traceId: TRACE,
    parentId: PARENT,
    sampled: true,
    randomId: false,
    state: [['a', '1']],
  };

  test('keeps the trace and names a new parent', () => {
    const child = childContext(caller, new SeededRandom(7));
    assert.notEqual(child.parentId, PARENT);
    assert.deepEqual(traceFields(child), [
      ['traceparent', `00-${TRACE}-${child.parentId}-01`],
      ['tracestate', 'a=1'],
    ]);
    assert.deepEqual(traceFields(childContext(caller, new SeededRandom(7), false))[0], [
      'traceparent',
      `00-${TRACE}-${child.parentId}-00`,
    ]);
  });

  test('begins a random trace where there was none', () => {
    const [[name, value] = [], ...more] = traceFields(childContext(undefined, new SeededRandom(7)));
    assert.equal(name, 'traceparent');
    assert.match(value ?? '', /^00-[0-9a-f]{32}-[0-9a-f]{16}-03$/);
    assert.deepEqual(more, []);
  });

  test('has no id of zeros', () => {
    let calls = 0;
    const random: Random = {
      bytes: (length) => Buffer.alloc(length, calls++ % 2),
      below: () => 0,
      uuid: () => '',
    };
    const context = childContext(undefined, random);
    assert.deepEqual([context.parentId, context.traceId], ['01'.repeat(8), '01'.repeat(16)]);
  });

  test('has an entry of ours first, once', () => {
    const context = withTraceState(
      {
        ...caller,
        state: [
          ['a', '1'],
          ['octet', 'old'],
        ],
      },
      'octet',
      'new',
    );
    assert.deepEqual(context.state, [
      ['octet', 'new'],
      ['a', '1'],
    ]);
    const full = { ...caller, state: Array.from({ length: 32 }, (_, at) => [`k${at}`, '1'] as const) };
    assert.deepEqual(withTraceState(full, 'octet', '1').state.at(-1), ['k30', '1']);
    for (const [key, value] of [
      ['A', '1'],
      ['a', ''],
      ['a', '1\r\nX: y'],
      ['a', '1,b=2'],
      ['', '1'],
    ] as const)
      assert.throws(() => withTraceState(caller, key, value), UnsendableError);
  });

  test('has at most 512 characters of state: long entries go first, then the oldest', () => {
    const long = ['long', 'x'.repeat(200)] as const;
    const short = (key: string) => [key, 'y'.repeat(98)] as const;
    const sent = (state: TraceContext['state']): string | undefined =>
      traceFields({ ...caller, state })[1]?.[1];
    const four = [short('a'), short('b'), short('c'), short('d')];
    const written = (...keys: string[]): string => keys.map((key) => `${key}=${'y'.repeat(98)}`).join();
    assert.equal(sent([long, ...four]), written('a', 'b', 'c', 'd'));
    assert.equal(sent([...four, short('e'), short('f')]), written('a', 'b', 'c', 'd', 'e'));
    assert.equal(
      sent([
        ['k', 'x'.repeat(250)],
        ['l', 'x'.repeat(250)],
      ])?.length,
      505,
    );
  });
});
