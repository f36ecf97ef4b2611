/** INSERT, UPDATE, DELETE, TRUNCATE. */
import { DatabaseError, notSupported } from '../../errors.ts';
import type {
  Assignment,
  DeleteStatement,
  Expression,
  InsertStatement,
  OnConflict,
  Statement,
  Target,
  UpdateStatement,
} from './ast.ts';
import { parseExpression } from './expressions.ts';
import { parseFromItem, parseTargets } from './queries.ts';
import type { TokenStream } from './token-stream.ts';

export function parseInsert(s: TokenStream): InsertStatement {
  const at = s.at;
  s.expect('insert', 'into');
  const table = s.qualifiedName();
  const alias = s.accept('as') ? s.identifier() : undefined;
  const columns = startsColumnList(s) ? s.parenthesized(() => s.list(() => parseInsertColumn(s))) : undefined;
  const overriding = parseOverriding(s);
  const source = s.accept('default', 'values') ? undefined : parseSource(s);
  const onConflict = s.isWord('on') ? parseOnConflict(s) : undefined;
  const returning = parseReturning(s);
  return {
    kind: 'insert',
    table,
    returning,
    at,
    ...(alias !== undefined && { alias }),
    ...(columns && { columns }),
    ...(overriding && { overriding }),
    ...(source && { source }),
    ...(onConflict && { onConflict }),
  };
}

function startsColumnList(s: TokenStream): boolean {
  return s.isOperator('(') && !s.startsQuery();
}

function parseInsertColumn(s: TokenStream): { name: string; at: number } {
  const at = s.at;
  const name = s.identifier();
  if (s.isOperator('.', '[')) throw notSupported('assignment to a part of a column', s.at);
  return { name, at };
}

function parseOverriding(s: TokenStream): 'system' | 'user' | undefined {
  if (!s.accept('overriding')) return undefined;
  const which = s.accept('user') ? 'user' : 'system';
  if (which === 'system') s.expect('system');
  s.expect('value');
  return which;
}

function parseSource(s: TokenStream): ReturnType<TokenStream['query']> {
  if (!s.startsQuery()) throw s.syntaxError();
  return s.query();
}

function parseOnConflict(s: TokenStream): OnConflict {
  const at = s.at;
  s.expect('on', 'conflict');
  const target = parseConflictTarget(s);
  s.expect('do');
  if (s.accept('nothing')) return { at, ...(target && { target }) };
  if (target === undefined) {
    throw s.isWord('update') ? missingTarget(s) : s.syntaxError();
  }
  s.expect('update', 'set');
  const set = parseAssignments(s);
  const where = s.accept('where') ? parseExpression(s) : undefined;
  return { target, update: { set, ...(where && { where }) }, at };
}

function missingTarget(s: TokenStream): Error {
  return new DatabaseError(
    '42601',
    'ON CONFLICT DO UPDATE requires inference specification or constraint name',
    {
      at: s.at,
      hint: 'For example, ON CONFLICT (column_name).',
    },
  );
}

function parseConflictTarget(s: TokenStream): OnConflict['target'] {
  const at = s.at;
  if (s.accept('on', 'constraint')) return { kind: 'constraint', name: s.identifier(), at };
  if (!s.isOperator('(')) return undefined;
  const columns = s.parenthesized(() =>
    s.list(() => {
      if (s.isOperator('(') || s.peek().text === '(')
        throw notSupported('ON CONFLICT on an expression', s.at);
      return s.identifier();
    }),
  );
  if (s.isWord('where')) throw notSupported('ON CONFLICT on a partial index', s.at);
  return { kind: 'columns', columns, at };
}

function parseAssignments(s: TokenStream): Assignment[] {
  return s.list(() => parseAssignment(s)).flat();
}

/** `a = 1`, or `(a, b) = (1, 2)` taken apart. */
function parseAssignment(s: TokenStream): Assignment[] {
  const at = s.at;
  if (!s.isOperator('(')) {
    const column = parseInsertColumn(s).name;
    s.expectOperator('=');
    return [{ column, value: parseExpression(s), at }];
  }
  const columns = s.parenthesized(() => s.list(() => parseInsertColumn(s).name));
  s.expectOperator('=');
  const valueAt = s.at;
  const values = rowFields(parseExpression(s));
  if (values === undefined) throw notSupported('assignment of a query to several columns', valueAt);
  if (values.length !== columns.length)
    throw new DatabaseError('42601', 'number of columns does not match number of values', { at: valueAt });
  return columns.map((column, i) => ({ column, value: values[i]!, at }));
}

function rowFields(value: Expression): readonly Expression[] | undefined {
  if (value.kind === 'row') return value.fields;
  return value.kind === 'scalar-query' ? undefined : [value];
}

function parseReturning(s: TokenStream): Target[] {
  return s.accept('returning') ? parseTargets(s) : [];
}

export function parseUpdate(s: TokenStream): UpdateStatement {
  const at = s.at;
  s.expect('update');
  s.accept('only');
  const table = s.qualifiedName();
  const alias = parseTargetAlias(s, 'set');
  s.expect('set');
  const set = parseAssignments(s);
  const from = s.accept('from') ? s.list(() => parseFromItem(s)) : [];
  const where = parseWhere(s);
  return {
    kind: 'update',
    table,
    set,
    from,
    returning: parseReturning(s),
    at,
    ...(alias !== undefined && { alias }),
    ...(where && { where }),
  };
}

export function parseDelete(s: TokenStream): DeleteStatement {
  const at = s.at;
  s.expect('delete', 'from');
  s.accept('only');
  const table = s.qualifiedName();
  const alias = parseTargetAlias(s, 'using', 'where', 'returning');
  const using = s.accept('using') ? s.list(() => parseFromItem(s)) : [];
  const where = parseWhere(s);
  return {
    kind: 'delete',
    table,
    using,
    returning: parseReturning(s),
    at,
    ...(alias !== undefined && { alias }),
    ...(where && { where }),
  };
}

function parseTargetAlias(s: TokenStream, ...clauses: string[]): string | undefined {
  if (s.accept('as')) return s.identifier();
  const { kind } = s.token;
  if (kind === 'quoted' || (kind === 'word' && !s.isWord(...clauses))) return s.identifier();
  return undefined;
}

function parseWhere(s: TokenStream): Expression | undefined {
  if (!s.accept('where')) return undefined;
  if (s.areWords('current', 'of')) throw notSupported('WHERE CURRENT OF', s.at);
  return parseExpression(s);
}

export function parseTruncate(s: TokenStream): Statement {
  const at = s.at;
  s.expect('truncate');
  s.accept('table');
  s.accept('only');
  const tables = s.list(() => s.qualifiedName());
  const restartIdentity = s.accept('restart', 'identity');
  if (!restartIdentity) s.accept('continue', 'identity');
  if (!s.accept('cascade')) s.accept('restrict');
  return { kind: 'truncate', tables, restartIdentity, at };
}
