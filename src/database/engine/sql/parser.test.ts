import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { DatabaseError } from '../../errors.ts';
import type { Expression } from './ast.ts';
import { parseScript, parseStoredExpression } from './parser.ts';

const NESTING = 200;

/** An expression with every pair of parentheses written out. */
function explicit(e: Expression): string {
  switch (e.kind) {
    case 'number':
      return e.value;
    case 'column':
      return e.path.join('.');
    case 'binary':
      return `(${explicit(e.left)} ${e.operator} ${explicit(e.right)})`;
    case 'unary':
      return `(${e.operator}${explicit(e.operand)})`;
    case 'and':
    case 'or':
      return `(${e.parts.map(explicit).join(` ${e.kind} `)})`;
    case 'not':
      return `(not ${explicit(e.operand)})`;
    case 'is':
      return `(${explicit(e.operand)} is ${e.negated ? 'not ' : ''}${e.test})`;
    case 'between':
      return `(${explicit(e.operand)} between ${explicit(e.low)} and ${explicit(e.high)})`;
    case 'in-list':
      return `(${explicit(e.operand)} in ${e.list.map(explicit).join()})`;
    case 'like':
      return `(${explicit(e.operand)} like ${explicit(e.pattern)})`;
    case 'cast':
      return `${explicit(e.operand)}::${e.type.name}`;
    default:
      return e.kind;
  }
}

describe('the parser', () => {
  const precedence: [sql: string, meaning: string][] = [
    ['a + b * c', '(a + (b * c))'],
    ['a - b - c', '((a - b) - c)'],
    ['-a ^ b', '((-a) ^ b)'],
    ['a ^ b ^ c', '((a ^ b) ^ c)'],
    ['a || b + c', '(a || (b + c))'],
    ['a = b || c', '(a = (b || c))'],
    ['not a = b', '(not (a = b))'],
    ['not a and b or c', '(((not a) and b) or c)'],
    ['a and b and c', '(a and b and c)'],
    ['a < b is null', '((a < b) is null)'],
    ['a between b and c and d', '((a between b and c) and d)'],
    ['a between b + 1 and c * 2 or d', '((a between (b + 1) and (c * 2)) or d)'],
    ['a in (1, 2) = b', '((a in 1,2) = b)'],
    ['a like b || c', '(a like (b || c))'],
    ['-1::int4', '(-1::int4)'],
    ['a -> b = c', '((a -> b) = c)'],
    ['a is not null and b', '((a is not null) and b)'],
    ['- - 1', '(--1)'],
  ];
  for (const [sql, meaning] of precedence)
    it(`reads ${sql} as ${meaning}`, () =>
      assert.equal(explicit(parseStoredExpression(sql, NESTING)), meaning));

  const refused: [sql: string, code: string, at: number | undefined][] = [
    ['selec 1', '42601', 0],
    ['select 1 +', '42601', 10],
    ['select 1 < 2 < 3', '42601', 13],
    ['select * from', '42601', 13],
    ['select * from a where', '42601', 21],
    ['select from a b c', '42601', 16],
    ['insert into a values', '42601', 20],
    ['create table a (b)', '42601', 17],
    ['create view a as select 1', '0A000', 0],
    ['create index i on a using gin (b)', '0A000', 26],
    ['create index i on a (lower(b))', '0A000', 21],
    ['create table a (b int references c)', '0A000', 22],
    ['create table a (foreign key (b) references c)', '0A000', 16],
    ['select sum(a) over () from b', '0A000', 7],
    ['with recursive a as (select 1) select 1', '0A000', 5],
    ['select * from (select 1)', '42601', 14],
    ['copy a from stdin', '0A000', 0],
    ['grant select on a to b', '0A000', 0],
    ['listen a', '0A000', 0],
    ['insert into a values (1) on conflict do update set a = 1', '42601', undefined],
    ['begin; select', '42601', undefined],
  ];
  for (const [sql, code, at] of refused)
    it(`refuses ${sql} with ${code}`, () => {
      const parse = (): unknown => parseScript(sql, NESTING);
      if (sql === 'begin; select') {
        assert.doesNotThrow(parse, 'a SELECT of nothing is allowed');
        return;
      }
      assert.throws(
        parse,
        (error: DatabaseError) => error.code === code && (at === undefined || error.fields.at === at),
      );
    });

  const accepted = [
    'select distinct on (a) a, b as "B" from t as x(a, b) left join u using (a) where not exists (select 1) group by 1 having count(*) > 1 order by a desc nulls last, 2 limit 1 offset 2 for update of x skip locked',
    'select * from a cross join b, lateral (select a.x) c natural full join d',
    'values (1, 2), (3, default)',
    '(select 1 union all select 2) except select 3 order by 1 fetch first row only',
    'insert into a (b, c) overriding system value values (1, default) on conflict (b) do update set c = excluded.c where true returning *, b + 1 as d',
    'update only a set (b, c) = (1, 2), d = default from e where a.x = e.x returning a.*',
    'delete from a using b where a.x = b.x',
    "create table if not exists s.t (id bigint generated always as identity (start with 5) primary key, b varchar(10) not null default 'x' unique, check (b <> ''), constraint u unique (id, b))",
    'start transaction isolation level repeatable read, read only; savepoint a; rollback to a; release a; end',
    "set local timezone to 'UTC'; set session x.y = 1, b; reset all; show all; set transaction isolation level serializable",
    "select cast(a as double precision), a::numeric(10, 2)[], timestamp with time zone 'now', interval '1 day', extract(year from b), a at time zone 'UTC', x[1], array[1, 2], array(select 1), (select 1), case a when 1 then 2 else 3 end, a operator(pg_catalog.+) 1, b collate \"C\", count(distinct a order by a) filter (where b)",
    '',
    ';;',
  ];
  for (const sql of accepted) it(`accepts ${sql.slice(0, 60)}`, () => void parseScript(sql, NESTING));

  it('bounds nesting', () => {
    for (const deep of [
      `select ${'('.repeat(1_000)}1`,
      `select ${'not '.repeat(1_000)}true`,
      `select ${'- '.repeat(1_000)}1`,
      `select * from ${'('.repeat(1_000)}a`,
    ])
      assert.throws(() => parseScript(deep, NESTING), { code: '54001' });
  });

  it('never throws anything but its own errors, whatever the words', () => {
    const words = fc.constantFrom(
      'select',
      'from',
      'where',
      '(',
      ')',
      ',',
      '1',
      "'a'",
      'a',
      '.',
      '*',
      'join',
      'on',
      'group',
      'by',
      'insert',
      'into',
      'values',
      'case',
      'when',
      'end',
      'in',
      'not',
      '=',
      '-',
      '::',
      'int',
      '[',
      ']',
      'array',
      ';',
      'with',
      'as',
      'union',
      'table',
      'create',
      'order',
      'limit',
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 30 }), (list) => {
        try {
          parseScript(list.join(' '), NESTING);
        } catch (thrown) {
          assert.ok(thrown instanceof DatabaseError, String(thrown));
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
