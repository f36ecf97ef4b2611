import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import fc from 'fast-check';
import { parseWeight, readWeightedList } from './weighted-list.ts';

/** The list as `name(;parameter=value)@weight …`, or undefined. */
function read(field: string): string | undefined {
  return readWeightedList(field)
    ?.map(({ name, parameters, weight }) => {
      const shown = parameters.map((parameter) => `;${parameter.name}=${parameter.value}`).join('');
      return `${name}${shown}@${weight}`;
    })
    .join(' ');
}

const lists: readonly [field: string, read: string | undefined][] = [
  ['', ''],
  [' \t ', ''],
  ['gzip', 'gzip@1000'],
  ['GZip', 'gzip@1000'],
  ['gzip, br', 'gzip@1000 br@1000'],
  ['gzip,br', 'gzip@1000 br@1000'],
  [', gzip ,, br,', 'gzip@1000 br@1000'],
  ['gzip;q=0.5', 'gzip@500'],
  ['gzip ; q=0.5', 'gzip@500'],
  ['gzip;Q=0.123', 'gzip@123'],
  ['gzip;q="0.5"', 'gzip@500'],
  ['*;q=0', '*@0'],
  ['text/html;level=1;q=0.4', 'text/html;level=1@400'],
  // Wherever the weight stands, and empty parameters.
  ['text/html;q=0.4;level=1', 'text/html;level=1@400'],
  ['text/html;;q=0.4;', 'text/html@400'],
  ['text/html;a="b;c,d\\"e"', 'text/html;a=b;c,d"e@1000'],
  ['en-GB;q=0.8, *;q=0.1', 'en-gb@800 *@100'],
  // Not the grammar: the whole field counts as absent.
  ['gzip br', undefined],
  ['gzip;', 'gzip@1000'],
  ['gzip;q', undefined],
  ['gzip;q=', undefined],
  ['gzip;q =0.5', undefined],
  ['gzip;q= 0.5', undefined],
  ['gzip;q=0.5;q=0.6', undefined],
  ['gzip;q=1.5', undefined],
  ['gzip;q=-1', undefined],
  ['gzip;q=0.1234', undefined],
  ['text/', undefined],
  ['/html', undefined],
  ['text /html', undefined],
  ['a/b/c', undefined],
  ['gzip, (br)', undefined],
  ['text/html;a="b', undefined],
  ['text/html;a="b\\', undefined],
  ['text/html;a="b"c', undefined],
  ['gzip, brü', undefined],
  // 64 elements are read, 65 are none.
  [Array(64).fill('a').join(), Array(64).fill('a@1000').join(' ')],
  [Array(65).fill('a').join(), undefined],
  [','.repeat(65), undefined],
  [`a${';b=c'.repeat(16)}`, `a${';b=c'.repeat(16)}@1000`],
  [`a${';b=c'.repeat(17)}`, undefined],
];

const weights: readonly [text: string, weight: number | undefined][] = [
  ['0', 0],
  ['0.', 0],
  ['0.0', 0],
  ['0.001', 1],
  ['0.05', 50],
  ['0.999', 999],
  ['1', 1000],
  ['1.', 1000],
  ['1.000', 1000],
  ['1.001', undefined],
  ['2', undefined],
  ['', undefined],
  ['.5', undefined],
  ['00', undefined],
  ['0,5', undefined],
  ['0.5a', undefined],
  ['0.0000', undefined],
  ['0.5e1', undefined],
  ['a', undefined],
];

suite('weighted lists', () => {
  for (const [field, expected] of lists) {
    test(JSON.stringify(field.length > 60 ? `${field.slice(0, 60)}…` : field), () => {
      assert.equal(read(field), expected);
    });
  }

  test('whatever is written is read the same, with any white space between', () => {
    const token = fc.string({ unit: fc.constantFrom(...'abz09!#$%&*+-.^_`|~'), minLength: 1, maxLength: 8 });
    const element = fc.record(
      {
        name: fc.oneof(
          token,
          fc.tuple(token, token).map((pair) => pair.join('/')),
        ),
        parameters: fc.array(
          fc.record(
            { name: token, value: fc.string({ unit: 'grapheme-ascii', maxLength: 8 }) },
            { noNullPrototype: true },
          ),
          { maxLength: 4 },
        ),
        weight: fc.nat(1_000),
      },
      { noNullPrototype: true },
    );
    const blank = fc.constantFrom('', ' ', '\t', ' \t ');
    fc.assert(
      fc.property(fc.array(element, { maxLength: 10 }), blank, (elements, ows) => {
        const written = elements.map(({ name, parameters, weight }) => {
          const quoted = parameters.map((one) => `${one.name}="${one.value.replace(/["\\]/g, '\\$&')}"`);
          return [name, ...quoted, `q=${(weight / 1_000).toFixed(3)}`].join(`${ows};${ows}`);
        });
        assert.deepEqual(readWeightedList(written.join(`${ows},${ows}`)), elements);
      }),
    );
  });

  test('nothing that comes makes it throw, and weights stay within their bounds', () => {
    const piece = fc.constantFrom(
      'gzip',
      '*',
      '/',
      ';',
      'q',
      '=',
      '"',
      '\\',
      ',',
      ' ',
      '0.5',
      '1',
      '\t',
      'é',
      '\x80',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        for (const { name, weight } of readWeightedList(pieces.join('')) ?? []) {
          assert.ok(name !== '' && Number.isInteger(weight) && weight >= 0 && weight <= 1_000);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  for (const [text, expected] of weights) {
    test(`weight ${JSON.stringify(text)}`, () => assert.equal(parseWeight(text), expected));
  }
});
