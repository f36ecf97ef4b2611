import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import fc from 'fast-check';
import { emptyBody, IncomingBody } from '../body.ts';
import { Fields, NO_FIELDS } from '../wire/fields.ts';
import { FormFields, formatUrlencoded, parseUrlencoded, readUrlencoded } from './index.ts';

function pairsOf(form: Buffer | string): [string, string][] {
  const parsed = parseUrlencoded(form);
  assert.ok(parsed instanceof FormFields, JSON.stringify(parsed));
  return [...parsed].map(([name, value]) => [name, value]);
}

suite('an urlencoded form is read', () => {
  const cases: readonly [form: string, pairs: [string, string][]][] = [
    ['', []],
    ['a=b', [['a', 'b']]],
    ['a', [['a', '']]],
    ['=b', [['', 'b']]],
    ['=', [['', '']]],
    ['&&a=1&&', [['a', '1']]],
    ['a=b=c', [['a', 'b=c']]],
    [
      'a=1&a=2&b=3',
      [
        ['a', '1'],
        ['a', '2'],
        ['b', '3'],
      ],
    ],
    ['a+b=c+d', [['a b', 'c d']]],
    ['a%2Bb=%26%3D%25', [['a+b', '&=%']]],
    ['a=%2525', [['a', '%25']]],
    [
      'a=%&b=%4&c=%zz&d=%4g%',
      [
        ['a', '%'],
        ['b', '%4'],
        ['c', '%zz'],
        ['d', '%4g%'],
      ],
    ],
    ['a=%c3%a9', [['a', 'é']]],
    ['a=%ff', [['a', '\ufffd']]],
    ['a=%c0%af', [['a', '\ufffd\ufffd']]],
    ['a=%EF%BB%BFx', [['a', '\ufeffx']]],
    ['a;b=c;d', [['a;b', 'c;d']]],
    ['a=%00', [['a', '\0']]],
  ];
  for (const [form, pairs] of cases) {
    test(JSON.stringify(form), () => {
      assert.deepEqual(pairsOf(form), pairs);
      assert.deepEqual(pairsOf(Buffer.from(form)), pairs);
      assert.deepEqual([...new URLSearchParams(form)], pairs);
    });
  }

  test('as the platform reads it, whatever it is', () => {
    // ASCII, as queries are: Node's own reader spoils other characters beside an escape that is not UTF-8.
    const unit = fc.constantFrom('a', '&', '=', '+', '%', '2', 'f', '%c3%a9', '%f0%9f', ';', '\r', '\0');
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 40 }), (form) => {
        // A leading ? is the platform's own addition.
        assert.deepEqual(pairsOf(form), [...new URLSearchParams(form)]);
      }),
      { numRuns: 1_000 },
    );
  });

  test('as it was written', () => {
    assert.equal(
      formatUrlencoded([
        ['a b', 'é&=+~*'],
        ['', ''],
      ]),
      'a+b=%C3%A9%26%3D%2B%7E*&=',
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }))),
        (pairs) => {
          assert.equal(formatUrlencoded(pairs), new URLSearchParams(pairs).toString());
          assert.deepEqual(pairsOf(formatUrlencoded(pairs)), pairs);
        },
      ),
    );
  });

  test('names of an object are names', () => {
    const form = parseUrlencoded('__proto__=1&constructor=2&toString=3&hasOwnProperty');
    assert.ok(form instanceof FormFields);
    assert.deepEqual(
      [form.get('__proto__'), form.get('constructor'), form.get('valueOf')],
      ['1', '2', undefined],
    );
    assert.deepEqual([form.getAll('toString'), form.has('hasOwnProperty'), form.count], [['3'], true, 4]);
    assert.equal(({} as Record<string, unknown>)['1'], undefined);
  });
});

suite('an urlencoded form is refused', () => {
  test('past 1,000 parameters, and not at them', () => {
    assert.equal(pairsOf(Array(1_000).fill('a=1').join('&')).length, 1_000);
    const { message: _, ...refusal } = { message: '', ...parseUrlencoded(Array(1_001).fill('a').join('&')) };
    assert.deepEqual(refusal, { kind: 'malformed', code: 'too-many-parameters', status: 413 });
    // Empty pairs are no parameters, but bytes.
    assert.deepEqual(pairsOf('&'.repeat(100_000)), []);
  });

  test('past its bytes', () => {
    const parsed = parseUrlencoded('a'.repeat(11), { parameters: 1, urlencodedBytes: 10 });
    assert.ok('code' in parsed && parsed.code === 'form-too-large');
  });

  test('when names collide in hash tables', () => {
    // These collide for hash functions of the kind that adds 31 times; a flat list does not hash.
    const names = Array.from({ length: 1_024 }, (_, bits) =>
      Array.from({ length: 10 }, (_, at) => ((bits >> at) & 1 ? 'Aa' : 'BB')).join(''),
    );
    assert.deepEqual(pairsOf(names.slice(0, 1_000).join('&')).length, 1_000);
    assert.ok('code' in parseUrlencoded(names.join('&')));
  });
});

suite('the form of a request', () => {
  function requestWith(type: string | undefined, content: string) {
    const body = new IncomingBody({ wanted: () => undefined, discarded: () => undefined }, undefined);
    body.push(Buffer.from(content));
    body.finish(NO_FIELDS);
    return { headers: Fields.from(type === undefined ? [] : [['Content-Type', type]]), body };
  }

  test('is read whatever its charset says', async () => {
    const type = 'Application/X-WWW-Form-Urlencoded ; charset="utf-8"';
    assert.equal((await readUrlencoded(requestWith(type, 'a=1'))).get('a'), '1');
  });

  test('is refused by its type and its size', async () => {
    for (const type of [undefined, 'text/plain', 'application/x-www-form-urlencoded; charset', 'a, b'])
      await assert.rejects(readUrlencoded(requestWith(type, 'a=1')), { status: 415 });
    const limits = { parameters: 2, urlencodedBytes: 8 };
    const type = 'application/x-www-form-urlencoded';
    await assert.rejects(readUrlencoded(requestWith(type, 'a=1&b=2&c=3'), limits), { status: 413 });
    await assert.rejects(readUrlencoded(requestWith(type, 'a&b&c'), limits), { status: 413 });
    const twice = Fields.from([
      ['Content-Type', type],
      ['Content-Type', type],
    ]);
    await assert.rejects(readUrlencoded({ headers: twice, body: emptyBody() }), { status: 415 });
  });
});
