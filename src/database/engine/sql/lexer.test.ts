import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DatabaseError } from '../../errors.ts';
import { tokenize } from './lexer.ts';

const shown = (sql: string): string[] =>
  tokenize(sql).flatMap(({ kind, text }) => (kind === 'end' ? [] : [`${kind} ${text}`]));

describe('the lexer', () => {
  const cases: [sql: string, tokens: string[]][] = [
    ['SELECT Name "Name" é$1', ['word select', 'word name', 'quoted Name', 'word é$1']],
    [
      `'it''s' E'a\\n\\x41\\u00e9' $$a'b$$ $t$ $$ $t$`,
      [`string it's`, 'string a\nAé', `string a'b`, 'string  $$ '],
    ],
    [`'a'\n  'b'`, ['string ab']],
    [
      '1 1.5 .5 1e3 1.e-2 $12',
      ['integer 1', 'decimal 1.5', 'decimal .5', 'decimal 1e3', 'decimal 1.e-2', 'param 12'],
    ],
    ['a--b\nc /* x /* y */ z */ d', ['word a', 'word c', 'word d']],
    [
      'a!=b <>c ->> @> ::',
      [
        'word a',
        'operator <>',
        'word b',
        'operator <>',
        'word c',
        'operator ->>',
        'operator @>',
        'operator ::',
      ],
    ],
    ['1*-2', ['integer 1', 'operator *', 'operator -', 'integer 2']],
    ['a<--b', ['word a', 'operator <']],
    ['"a""b"', ['quoted a"b']],
    ['', []],
  ];
  for (const [sql, tokens] of cases)
    it(`reads ${JSON.stringify(sql)}`, () => assert.deepEqual(shown(sql), tokens));

  const refused: [sql: string, code: string, at: number][] = [
    [`select 'abc`, '42601', 7],
    ['select "abc', '42601', 7],
    ['select /* abc', '42601', 7],
    ['select $$abc', '42601', 7],
    ['select 12abc', '42601', 7],
    ['select ""', '42601', 7],
    [`select E'\\u12'`, '22025', 9],
    [`select E'\\x00'`, '22021', 9],
    [`select b'01'`, '0A000', 7],
    ['select \u0001', '42601', 7],
  ];
  for (const [sql, code, at] of refused)
    it(`refuses ${JSON.stringify(sql)} with ${code} at ${at}`, () => {
      assert.throws(
        () => tokenize(sql),
        (error: DatabaseError) =>
          error instanceof DatabaseError && error.code === code && error.fields.at === at,
      );
    });

  it('cuts identifiers to 63 bytes at the border of a character', () => {
    assert.equal(tokenize('é'.repeat(40))[0]!.text, 'é'.repeat(31));
  });
});
