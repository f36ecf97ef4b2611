/**
 * SELECT, VALUES, TABLE, set operations, WITH, FROM items and the clauses around them.
 */
import { DatabaseError, notSupported } from '../../errors.ts';
import type {
  Alias,
  CommonTable,
  Expression,
  FromItem,
  LockingClause,
  Query,
  QueryBody,
  SelectBody,
  Target,
} from './ast.ts';
import { parseExpression, parseSortItems } from './expressions.ts';
import { NOT_BARE_LABEL, RESERVED, TYPE_OR_FUNCTION } from './keywords.ts';
import type { TokenStream } from './token-stream.ts';

export function parseQuery(s: TokenStream): Query {
  return s.nested(() => {
    const at = s.at;
    const common = s.isWord('with') ? parseWith(s) : [];
    const query = finishQuery(s, parseSetOperations(s, 0), at);
    return common.length > 0 ? { ...query, with: [...common, ...query.with] } : query;
  });
}

/** ORDER BY, LIMIT, OFFSET, FETCH and FOR, which stand after the last set operation. */
function finishQuery(s: TokenStream, inner: Query, at: number): Query {
  const orderBy = s.accept('order', 'by') ? parseSortItems(s) : undefined;
  let limit: Expression | undefined;
  let offset: Expression | undefined;
  const locking: LockingClause[] = [];
  for (;;) {
    if (limit === undefined && s.accept('limit'))
      limit = s.accept('all') ? { kind: 'null', at: s.at } : parseExpression(s);
    else if (offset === undefined && s.accept('offset')) {
      offset = parseExpression(s);
      if (!s.accept('rows')) s.accept('row');
    } else if (limit === undefined && s.isWord('fetch')) limit = parseFetch(s);
    else if (s.isWord('for')) locking.push(parseLocking(s));
    else break;
  }
  if (orderBy === undefined && limit === undefined && offset === undefined && locking.length === 0)
    return inner;
  const plain = inner.orderBy.length === 0 && !inner.limit && !inner.offset && inner.locking.length === 0;
  const base: Query = plain ? inner : wrap(inner);
  return {
    ...base,
    orderBy: orderBy ?? [],
    locking,
    at,
    ...(limit && { limit }),
    ...(offset && { offset }),
  };
}

/** A query with clauses of its own inside parentheses becomes the FROM of an outer one. */
function wrap(inner: Query): Query {
  const body: SelectBody = {
    kind: 'select',
    distinct: false,
    targets: [{ expression: { kind: 'star', path: [], at: inner.at } }],
    from: [{ kind: 'subquery', query: inner, lateral: false, alias: { name: 'unnamed' }, at: inner.at }],
    groupBy: [],
    at: inner.at,
  };
  return plainQuery(body, inner.at);
}

function plainQuery(body: QueryBody, at: number): Query {
  return { kind: 'query', with: [], body, orderBy: [], locking: [], at };
}

function parseFetch(s: TokenStream): Expression {
  const at = s.at;
  s.expect('fetch');
  if (!s.accept('first')) s.expect('next');
  const count = s.isWord('row', 'rows')
    ? ({ kind: 'number', value: '1', integer: true, at } as const)
    : parseExpression(s);
  if (!s.accept('rows')) s.expect('row');
  if (s.isWord('with')) throw notSupported('WITH TIES', s.at);
  s.expect('only');
  return count;
}

function parseLocking(s: TokenStream): LockingClause {
  const at = s.at;
  s.expect('for');
  const strength = s.accept('update')
    ? 'update'
    : s.accept('no', 'key', 'update')
      ? 'no key update'
      : s.accept('key', 'share')
        ? 'key share'
        : 'share';
  if (strength === 'share') s.expect('share');
  const of = s.accept('of') ? s.list(() => s.qualifiedName()) : [];
  const wait = s.accept('nowait') ? 'nowait' : s.accept('skip', 'locked') ? 'skip locked' : 'wait';
  return { strength, of, wait, at };
}

function parseWith(s: TokenStream): CommonTable[] {
  s.expect('with');
  if (s.isWord('recursive')) throw notSupported('WITH RECURSIVE', s.at);
  return s.list(() => {
    const at = s.at;
    const name = s.identifier();
    const columns = s.isOperator('(') ? s.parenthesized(() => s.list(() => s.identifier())) : undefined;
    s.expect('as');
    if (s.accept('not')) s.expect('materialized');
    else s.accept('materialized');
    const query = s.parenthesized(() => {
      if (!s.startsQuery() && s.isWord('insert', 'update', 'delete'))
        throw notSupported('a data-modifying WITH query', s.at);
      return parseQuery(s);
    });
    return { name, query, at, ...(columns && { columns }) };
  });
}

const SET_POWER = { union: 1, except: 1, intersect: 2 } as const;

function parseSetOperations(s: TokenStream, minimum: number): Query {
  let left = parseQueryPrimary(s);
  for (;;) {
    const at = s.at;
    const operation = (['union', 'except', 'intersect'] as const).find((word) => s.isWord(word));
    if (operation === undefined || SET_POWER[operation] <= minimum) return left;
    s.next();
    const all = s.accept('all');
    if (!all) s.accept('distinct');
    const right = s.nested(() => parseSetOperations(s, SET_POWER[operation]));
    left = plainQuery({ kind: 'set-operation', operation, all, left, right, at }, left.at);
  }
}

function parseQueryPrimary(s: TokenStream): Query {
  const at = s.at;
  if (s.isOperator('(')) return s.parenthesized(() => parseQuery(s));
  if (s.isWord('values')) return plainQuery(parseValues(s), at);
  if (s.accept('table')) {
    const from: FromItem = { kind: 'table', name: s.qualifiedName(), at };
    const targets: Target[] = [{ expression: { kind: 'star', path: [], at } }];
    return plainQuery({ kind: 'select', distinct: false, targets, from: [from], groupBy: [], at }, at);
  }
  return plainQuery(parseSelect(s), at);
}

function parseValues(s: TokenStream): QueryBody {
  const at = s.at;
  s.expect('values');
  const rows = s.list(() => s.parenthesized(() => s.list(() => parseExpression(s))));
  return { kind: 'values', rows, at };
}

function parseSelect(s: TokenStream): SelectBody {
  const at = s.at;
  s.expect('select');
  const distinct = parseDistinct(s);
  const targets = startsTargets(s) ? parseTargets(s) : [];
  if (s.isWord('into')) throw notSupported('SELECT INTO', s.at);
  const from = s.accept('from') ? s.list(() => parseFromItem(s)) : [];
  const where = s.accept('where') ? parseExpression(s) : undefined;
  const groupBy = s.accept('group', 'by') ? parseGroupBy(s) : [];
  const having = s.accept('having') ? parseExpression(s) : undefined;
  if (s.isWord('window')) throw notSupported('WINDOW', s.at);
  return {
    kind: 'select',
    distinct,
    targets,
    from,
    groupBy,
    at,
    ...(where && { where }),
    ...(having && { having }),
  };
}

function parseDistinct(s: TokenStream): boolean | Expression[] {
  if (!s.accept('distinct')) {
    s.accept('all');
    return false;
  }
  return s.accept('on') ? s.parenthesized(() => s.list(() => parseExpression(s))) : true;
}

function startsTargets(s: TokenStream): boolean {
  if (s.token.kind === 'end' || s.isOperator(';', ')')) return false;
  return !s.isWord(
    'from',
    'where',
    'group',
    'having',
    'union',
    'order',
    'limit',
    'into',
    'except',
    'intersect',
  );
}

function parseGroupBy(s: TokenStream): Expression[] {
  return s.list(() => {
    if (s.isWord('rollup', 'cube', 'grouping') && s.peek().kind !== 'operator') return parseExpression(s);
    if (s.isWord('rollup', 'cube') || s.areWords('grouping', 'sets'))
      throw notSupported('GROUPING SETS', s.at);
    return parseExpression(s);
  });
}

export function parseTargets(s: TokenStream): Target[] {
  return s.list(() => {
    const expression = parseExpression(s);
    const alias = expression.kind === 'star' ? undefined : parseTargetAlias(s);
    return alias === undefined ? { expression } : { expression, alias };
  });
}

function parseTargetAlias(s: TokenStream): string | undefined {
  if (s.accept('as')) return s.label();
  const { kind, text } = s.token;
  if (kind === 'quoted') return s.next().text;
  if (kind !== 'word' || NOT_BARE_LABEL.has(text)) return undefined;
  return isClauseWord(text) ? undefined : s.next().text;
}

/** PostgreSQL allows most reserved words as a bare label; those that begin a clause would be ambiguous. */
function isClauseWord(text: string): boolean {
  return (
    RESERVED.has(text) &&
    !['case', 'cast', 'check', 'desc', 'asc', 'all', 'any', 'user', 'end', 'table'].includes(text)
  );
}

function parseAlias(s: TokenStream): Alias | undefined {
  const explicit = s.accept('as');
  const { kind, text } = s.token;
  const usable = kind === 'quoted' || (kind === 'word' && !RESERVED.has(text) && !TYPE_OR_FUNCTION.has(text));
  if (!usable) {
    if (explicit) throw s.syntaxError();
    return undefined;
  }
  const name = s.next().text;
  if (!s.isOperator('(')) return { name };
  const columns = s.parenthesized(() => s.list(() => s.identifier()));
  return { name, columns };
}

export function parseFromItem(s: TokenStream): FromItem {
  let left = parseFromPrimary(s);
  for (;;) {
    const joined = parseJoin(s, left);
    if (joined === undefined) return left;
    left = joined;
  }
}

function parseJoin(s: TokenStream, left: FromItem): FromItem | undefined {
  const at = s.at;
  if (s.accept('cross', 'join'))
    return { kind: 'join', type: 'cross', left, right: parseFromPrimary(s), natural: false, at };
  const natural = s.accept('natural');
  const type = parseJoinType(s);
  if (type === undefined) {
    if (natural) throw s.syntaxError();
    return undefined;
  }
  const right = parseJoinRight(s);
  const join = { kind: 'join', type, left, right, natural, at } as const;
  if (natural) return join;
  if (s.accept('on')) return { ...join, on: parseExpression(s) };
  s.expect('using');
  const using = s.parenthesized(() => s.list(() => s.identifier()));
  if (s.isWord('as')) throw notSupported('JOIN USING alias', s.at);
  return { ...join, using };
}

/** `a JOIN b JOIN c ON .. ON ..`: a join may stand on the right without parentheses. */
function parseJoinRight(s: TokenStream): FromItem {
  return s.nested(() => {
    let right = parseFromPrimary(s);
    while (!s.isWord('on', 'using')) {
      const joined = parseJoin(s, right);
      if (joined === undefined) return right;
      right = joined;
    }
    return right;
  });
}

function parseJoinType(s: TokenStream): 'inner' | 'left' | 'right' | 'full' | undefined {
  if (s.accept('join')) return 'inner';
  if (s.accept('inner')) {
    s.expect('join');
    return 'inner';
  }
  for (const type of ['left', 'right', 'full'] as const) {
    if (!s.accept(type)) continue;
    s.accept('outer');
    s.expect('join');
    return type;
  }
  return undefined;
}

function parseFromPrimary(s: TokenStream): FromItem {
  const at = s.at;
  const lateral = s.accept('lateral');
  if (s.isOperator('(')) {
    if (s.startsQuery()) return parseSubquery(s, lateral, at);
    const inner = s.nested(() => s.parenthesized(() => parseFromItem(s)));
    if (s.isWord('as')) throw notSupported('an alias of a join', s.at);
    return inner;
  }
  if (s.accept('rows')) throw notSupported('ROWS FROM', at);
  s.accept('only');
  const name = fromName(s);
  if (s.isOperator('(')) return parseFunctionItem(s, name, at);
  s.acceptOperator('*');
  const alias = parseAlias(s);
  if (s.isWord('tablesample')) throw notSupported('TABLESAMPLE', s.at);
  return { kind: 'table', name, at, ...(alias && { alias }) };
}

/** `current_schema()` may stand in FROM although its name is half reserved. */
function fromName(s: TokenStream): ReturnType<TokenStream['qualifiedName']> {
  const { kind, text, at } = s.token;
  const callable = kind === 'word' && s.peek().text === '(' && s.peek().kind === 'operator';
  if (callable && (TYPE_OR_FUNCTION.has(text) || text.startsWith('current_') || text === 'session_user'))
    return { name: s.next().text, at };
  return s.qualifiedName();
}

function parseFunctionItem(s: TokenStream, name: ReturnType<typeof fromName>, at: number): FromItem {
  const args = s.parenthesized(() => (s.isOperator(')') ? [] : s.list(() => parseExpression(s))));
  const ordinality = s.accept('with', 'ordinality');
  const alias = parseAlias(s);
  const call = { kind: 'call', name, args, star: false, distinct: false, orderBy: [], at } as const;
  return { kind: 'function', call, ordinality, at, ...(alias && { alias }) };
}

function parseSubquery(s: TokenStream, lateral: boolean, at: number): FromItem {
  const query = s.parenthesized(() => parseQuery(s));
  const alias = parseAlias(s);
  if (alias === undefined) {
    const what = query.body.kind === 'values' ? 'VALUES' : 'subquery';
    throw new DatabaseError('42601', `${what} in FROM must have an alias`, {
      at,
      hint: `For example, FROM (${what === 'VALUES' ? 'VALUES ...' : 'SELECT ...'}) [AS] foo.`,
    });
  }
  return { kind: 'subquery', query, lateral, alias, at };
}
