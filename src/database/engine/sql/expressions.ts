/**
 * Expressions, by precedence climbing (Pratt), with PostgreSQL's precedence (manual section 4.1.6),
 * the tightest first:
 *
 *   .   ::   [ ]   unary + -   COLLATE   AT TIME ZONE   ^   * / %   + -   other operators
 *   BETWEEN IN LIKE ILIKE   < > = <= >= <>   IS ISNULL NOTNULL   NOT   AND   OR
 */
import { DatabaseError, notSupported } from '../../errors.ts';
import { MAX_PARAMETERS } from '../../limits.ts';
import type { Expression, FunctionCall, Name, SortItem } from './ast.ts';
import { RESERVED, TYPE_OR_FUNCTION } from './keywords.ts';
import type { TokenStream } from './token-stream.ts';
import { parseTypeName, startsTypedLiteral } from './type-names.ts';

const POWER = {
  or: 1,
  and: 2,
  not: 3,
  is: 4,
  comparison: 5,
  membership: 6,
  other: 7,
  additive: 8,
  multiplicative: 9,
  power: 10,
  atTimeZone: 11,
  collate: 12,
  sign: 13,
  subscript: 14,
  cast: 15,
} as const;

const COMPARISONS: ReadonlySet<string> = new Set(['<', '>', '=', '<=', '>=', '<>']);

/** Functions that SQL writes without parentheses. */
const BARE_FUNCTIONS: ReadonlySet<string> = new Set([
  'current_catalog',
  'current_date',
  'current_role',
  'current_schema',
  'current_time',
  'current_timestamp',
  'current_user',
  'localtime',
  'localtimestamp',
  'session_user',
  'user',
]);

const SPECIALS = new Set(['coalesce', 'nullif', 'greatest', 'least'] as const);

export function parseExpression(s: TokenStream): Expression {
  return parseBinary(s, 0);
}

/** An operand of BETWEEN or a DEFAULT: no AND, OR, NOT or IS at its top. */
export function parseRestricted(s: TokenStream): Expression {
  return parseBinary(s, POWER.comparison - 1);
}

function parseBinary(s: TokenStream, minimum: number): Expression {
  return s.nested(() => {
    let left = parsePrefix(s);
    for (;;) {
      const extended = parseInfix(s, left, minimum);
      if (extended === undefined) return left;
      left = extended;
    }
  });
}

function parsePrefix(s: TokenStream): Expression {
  const { at, kind, text } = s.token;
  if (s.accept('not')) return { kind: 'not', operand: parseBinary(s, POWER.not), at };
  if (kind === 'operator') {
    if (text === '-' || text === '+') {
      s.next();
      return negate(text, parseBinary(s, POWER.sign), at);
    }
    if (/^[~!@#%^&|`?*/<>=+-]+$/.test(text) && text !== '*') {
      s.next();
      return { kind: 'unary', operator: text, operand: parseBinary(s, POWER.other), at };
    }
  }
  return parsePostfix(s, parsePrimary(s));
}

/** `-` before a plain number is part of the number, so that the smallest integers can be written. */
function negate(operator: string, operand: Expression, at: number): Expression {
  if (operator === '-' && operand.kind === 'number' && !operand.value.startsWith('-'))
    return { ...operand, value: `-${operand.value}`, at };
  return { kind: 'unary', operator, operand, at };
}

/** Binds tighter than everything: subscripts and casts. */
function parsePostfix(s: TokenStream, base: Expression): Expression {
  let operand = base;
  for (;;) {
    const at = s.at;
    if (s.acceptOperator('::')) operand = { kind: 'cast', operand, type: parseTypeName(s), at };
    else if (s.acceptOperator('[')) {
      const index = parseExpression(s);
      if (s.isOperator(':')) throw notSupported('an array slice', s.at);
      s.expectOperator(']');
      operand = { kind: 'subscript', operand, index, at };
    } else if (s.isOperator('.') && operand.kind !== 'number') {
      throw notSupported('field selection from a composite value', at);
    } else return operand;
  }
}

function parseInfix(s: TokenStream, left: Expression, minimum: number): Expression | undefined {
  const { kind, text, at } = s.token;
  if (kind === 'operator') return parseOperator(s, left, minimum);
  if (kind !== 'word') return undefined;
  switch (text) {
    case 'and':
    case 'or':
      return minimum < POWER[text] ? parseLogical(s, text, left) : undefined;
    case 'is':
    case 'isnull':
    case 'notnull':
      return minimum < POWER.is ? parseIs(s, left) : undefined;
    case 'not':
    case 'between':
    case 'in':
    case 'like':
    case 'ilike':
    case 'similar':
      return minimum < POWER.membership ? parseMembership(s, left) : undefined;
    case 'collate':
      if (minimum >= POWER.collate) return undefined;
      s.next();
      return { kind: 'collate', operand: left, collation: s.qualifiedName(), at };
    case 'at':
      if (minimum >= POWER.atTimeZone || !s.accept('at', 'time', 'zone')) return undefined;
      return call('timezone', [parseBinary(s, POWER.atTimeZone), left], at);
    case 'operator':
      if (minimum >= POWER.other || s.peek().text !== '(') return undefined;
      return parseExplicitOperator(s, left);
    default:
      return undefined;
  }
}

function operatorPower(text: string): number {
  if (COMPARISONS.has(text)) return POWER.comparison;
  if (text === '+' || text === '-') return POWER.additive;
  if (text === '*' || text === '/' || text === '%') return POWER.multiplicative;
  if (text === '^') return POWER.power;
  return /^[-+*/<>=~!@#%^&|`?]+$/.test(text) ? POWER.other : -1;
}

function parseOperator(s: TokenStream, left: Expression, minimum: number): Expression | undefined {
  const { text, at } = s.token;
  const power = operatorPower(text);
  if (power <= minimum) return undefined;
  s.next();
  const made = parseRightSide(s, text, power, left, at);
  // Comparisons do not associate: a < b < c is an error, as in PostgreSQL.
  if (power === POWER.comparison && s.token.kind === 'operator' && COMPARISONS.has(s.token.text))
    throw s.syntaxError();
  return made;
}

/** `OPERATOR(pg_catalog.~)`: the operator's schema is named, which decides nothing here. */
function parseExplicitOperator(s: TokenStream, left: Expression): Expression {
  const at = s.at;
  s.expect('operator');
  const operator = s.parenthesized(() => {
    if (s.token.kind === 'word' || s.token.kind === 'quoted') {
      const schema = s.label();
      if (schema !== 'pg_catalog')
        throw new DatabaseError('3F000', `schema "${schema}" does not exist`, { at });
      s.expectOperator('.');
    }
    if (operatorPower(s.token.text) < 0) throw s.syntaxError();
    return s.next().text;
  });
  return parseRightSide(s, operator, POWER.other, left, at);
}

function parseRightSide(
  s: TokenStream,
  operator: string,
  power: number,
  left: Expression,
  at: number,
): Expression {
  if (!s.isWord('any', 'some', 'all'))
    return { kind: 'binary', operator, left, right: parseBinary(s, power), at };
  const all = s.next().text === 'all';
  const right = s.parenthesized(() => (s.startsQuery() ? s.query() : parseExpression(s)));
  return { kind: 'quantified', operator, all, left, right, at };
}

/** AND and OR chains are flat, so that a thousand conditions are not a thousand levels. */
function parseLogical(s: TokenStream, kind: 'and' | 'or', left: Expression): Expression {
  const at = s.at;
  const parts = [left];
  while (s.accept(kind)) parts.push(parseBinary(s, POWER[kind]));
  return { kind, parts, at };
}

function parseIs(s: TokenStream, operand: Expression): Expression {
  const at = s.at;
  if (s.accept('isnull')) return { kind: 'is', test: 'null', negated: false, operand, at };
  if (s.accept('notnull')) return { kind: 'is', test: 'null', negated: true, operand, at };
  s.expect('is');
  const negated = s.accept('not');
  if (s.accept('distinct', 'from'))
    return { kind: 'distinct-from', negated, left: operand, right: parseBinary(s, POWER.is), at };
  for (const test of ['null', 'true', 'false', 'unknown'] as const)
    if (s.accept(test)) return { kind: 'is', test, negated, operand, at };
  if (s.isWord('document', 'json', 'normalized', 'nfc', 'nfd', 'nfkc', 'nfkd'))
    throw notSupported(`IS ${s.token.text.toUpperCase()}`, s.at);
  throw s.syntaxError();
}

function parseMembership(s: TokenStream, operand: Expression): Expression | undefined {
  const at = s.at;
  const start = s.mark();
  const negated = s.accept('not');
  if (s.accept('between')) return parseBetween(s, operand, negated, at);
  if (s.accept('in')) return parseIn(s, operand, negated, at);
  if (s.isWord('like', 'ilike')) return parseLike(s, operand, negated, at);
  if (s.isWord('similar')) throw notSupported('SIMILAR TO', at);
  s.rewind(start);
  return undefined;
}

function parseBetween(s: TokenStream, operand: Expression, negated: boolean, at: number): Expression {
  const symmetric = s.accept('symmetric');
  if (!symmetric) s.accept('asymmetric');
  const low = parseBinary(s, POWER.membership);
  s.expect('and');
  const high = parseBinary(s, POWER.membership);
  return { kind: 'between', negated, symmetric, operand, low, high, at };
}

function parseIn(s: TokenStream, operand: Expression, negated: boolean, at: number): Expression {
  return s.parenthesized((): Expression => {
    if (s.startsQuery()) return { kind: 'in-query', negated, operand, query: s.query(), at };
    return { kind: 'in-list', negated, operand, list: s.list(() => parseExpression(s)), at };
  });
}

function parseLike(s: TokenStream, operand: Expression, negated: boolean, at: number): Expression {
  const insensitive = s.next().text === 'ilike';
  if (s.isWord('any', 'some', 'all')) {
    const operator = `${negated ? '!' : ''}~~${insensitive ? '*' : ''}`;
    return parseRightSide(s, operator, POWER.membership, operand, at);
  }
  const pattern = parseBinary(s, POWER.membership);
  const like = { kind: 'like', negated, insensitive, operand, pattern, at } as const;
  return s.accept('escape') ? { ...like, escape: parseBinary(s, POWER.membership) } : like;
}

function parsePrimary(s: TokenStream): Expression {
  const { kind, text, at } = s.token;
  switch (kind) {
    case 'integer':
    case 'decimal':
      s.next();
      return { kind: 'number', value: text, integer: kind === 'integer', at };
    case 'string':
      s.next();
      return { kind: 'string', value: text, at };
    case 'param':
      return parseParameter(s);
    case 'operator':
      if (text === '(') return parseParenthesized(s);
      if (text === '*') {
        s.next();
        return { kind: 'star', path: [], at };
      }
      throw s.syntaxError();
    case 'quoted':
      return parseNamed(s);
    case 'word':
      return parseWord(s);
    default:
      throw s.syntaxError();
  }
}

function parseParameter(s: TokenStream): Expression {
  const { text, at } = s.next();
  const index = Number(text);
  if (index < 1 || index > MAX_PARAMETERS)
    throw new DatabaseError('42P02', `there is no parameter $${text}`, { at });
  s.parameterCount = Math.max(s.parameterCount, index);
  return { kind: 'param', index, at };
}

function parseParenthesized(s: TokenStream): Expression {
  const at = s.at;
  return s.nested(() =>
    s.parenthesized((): Expression => {
      if (s.startsQuery()) return { kind: 'scalar-query', query: s.query(), at };
      const first = parseExpression(s);
      if (!s.isOperator(',')) return first;
      s.next();
      return { kind: 'row', fields: [first, ...s.list(() => parseExpression(s))], at };
    }),
  );
}

function parseWord(s: TokenStream): Expression {
  const { text, at } = s.token;
  switch (text) {
    case 'true':
    case 'false':
      s.next();
      return { kind: 'boolean', value: text === 'true', at };
    case 'null':
      s.next();
      return { kind: 'null', at };
    case 'default':
      s.next();
      return { kind: 'default', at };
    case 'case':
      return parseCase(s);
    case 'cast':
      return parseCast(s);
    case 'exists':
      if (s.peek().text !== '(') break;
      s.next();
      return { kind: 'exists', query: s.parenthesized(() => s.query()), at };
    case 'array':
      return parseArray(s);
    case 'row':
      if (s.peek().text !== '(') break;
      s.next();
      return { kind: 'row', fields: parseArguments(s), at };
    case 'extract':
    case 'position':
    case 'substring':
    case 'overlay':
    case 'trim':
      if (s.peek().text !== '(') break;
      return parseSqlFunction(s, text);
    default:
  }
  if (isSpecial(text) && s.peek().text === '(') {
    s.next();
    return { kind: 'special', name: text, args: parseArguments(s), at };
  }
  if (BARE_FUNCTIONS.has(text) && s.peek().text !== '.') return parseBareFunction(s);
  if (startsTypedLiteral(s)) return parseTypedLiteral(s);
  return parseNamed(s);
}

function isSpecial(text: string): text is 'coalesce' | 'nullif' | 'greatest' | 'least' {
  return (SPECIALS as ReadonlySet<string>).has(text);
}

function parseArguments(s: TokenStream): Expression[] {
  return s.parenthesized(() => (s.isOperator(')') ? [] : s.list(() => parseExpression(s))));
}

function parseBareFunction(s: TokenStream): Expression {
  const { text, at } = s.next();
  if (s.acceptOperator('(')) {
    if (s.token.kind === 'integer') s.next();
    s.expectOperator(')');
  }
  return call(text, [], at);
}

/** `timestamptz '2024-01-01'`: a constant of a named type. */
function parseTypedLiteral(s: TokenStream): Expression {
  const at = s.at;
  const type = parseTypeName(s);
  const literal = s.next();
  return { kind: 'cast', operand: { kind: 'string', value: literal.text, at: literal.at }, type, at };
}

function parseCase(s: TokenStream): Expression {
  const at = s.at;
  s.expect('case');
  const operand = s.isWord('when') ? undefined : parseExpression(s);
  const branches: { when: Expression; result: Expression }[] = [];
  while (s.accept('when')) {
    const when = parseExpression(s);
    s.expect('then');
    branches.push({ when, result: parseExpression(s) });
  }
  if (branches.length === 0) throw s.syntaxError();
  const otherwise = s.accept('else') ? parseExpression(s) : undefined;
  s.expect('end');
  return { kind: 'case', branches, at, ...(operand && { operand }), ...(otherwise && { otherwise }) };
}

function parseCast(s: TokenStream): Expression {
  const at = s.at;
  s.expect('cast');
  return s.parenthesized((): Expression => {
    const operand = parseExpression(s);
    s.expect('as');
    return { kind: 'cast', operand, type: parseTypeName(s), at };
  });
}

function parseArray(s: TokenStream): Expression {
  const at = s.at;
  s.expect('array');
  if (s.isOperator('(')) return { kind: 'array-query', query: s.parenthesized(() => s.query()), at };
  s.expectOperator('[');
  const elements = s.isOperator(']') ? [] : s.list(() => parseArrayElement(s));
  s.expectOperator(']');
  return { kind: 'array', elements, at };
}

function parseArrayElement(s: TokenStream): Expression {
  if (s.isOperator('[')) throw notSupported('a multidimensional array', s.at);
  return parseExpression(s);
}

/** Functions with a grammar of their own, as the plain calls that PostgreSQL makes of them. */
function parseSqlFunction(s: TokenStream, name: string): Expression {
  const at = s.at;
  s.next();
  return s.parenthesized(() => {
    switch (name) {
      case 'extract':
        return parseExtract(s, at);
      case 'position':
        return parsePosition(s, at);
      case 'substring':
        return parseSubstring(s, at);
      case 'trim':
        return parseTrim(s, at);
      default:
        throw notSupported('OVERLAY', at);
    }
  });
}

function parseExtract(s: TokenStream, at: number): Expression {
  const field = s.token.kind === 'string' ? s.next().text : s.label();
  s.expect('from');
  return call('extract', [{ kind: 'string', value: field, at }, parseExpression(s)], at);
}

function parsePosition(s: TokenStream, at: number): Expression {
  const part = parseBinary(s, POWER.membership);
  s.expect('in');
  return call('position', [parseBinary(s, POWER.membership), part], at);
}

function parseSubstring(s: TokenStream, at: number): Expression {
  const text = parseExpression(s);
  if (s.acceptOperator(',')) return call('substring', [text, ...s.list(() => parseExpression(s))], at);
  if (s.isWord('similar')) throw notSupported('SUBSTRING ... SIMILAR', s.at);
  const from = s.accept('from') ? parseExpression(s) : undefined;
  const length = s.accept('for') ? parseExpression(s) : undefined;
  if (from === undefined && length === undefined) throw s.syntaxError();
  const start = from ?? ({ kind: 'number', value: '1', integer: true, at } as const);
  return call('substring', length === undefined ? [text, start] : [text, start, length], at);
}

function parseTrim(s: TokenStream, at: number): Expression {
  const side = s.isWord('leading', 'trailing', 'both') ? s.next().text : 'both';
  const name = { leading: 'ltrim', trailing: 'rtrim', both: 'btrim' }[side]!;
  if (s.accept('from'))
    return call(
      name,
      s.list(() => parseExpression(s)),
      at,
    );
  const first = parseExpression(s);
  if (s.accept('from')) return call(name, [parseExpression(s), first], at);
  return call(name, s.acceptOperator(',') ? [first, parseExpression(s)] : [first], at);
}

/** A column, `t.*`, or a function call: whatever begins with a name. */
function parseNamed(s: TokenStream): Expression {
  const { at, kind, text } = s.token;
  if (kind === 'word' && RESERVED.has(text)) throw s.syntaxError();
  if (kind === 'word' && TYPE_OR_FUNCTION.has(text) && s.peek().text !== '(') throw s.syntaxError();
  const path = [s.next().text];
  while (s.acceptOperator('.')) {
    if (s.acceptOperator('*')) return { kind: 'star', path, at };
    path.push(s.label());
  }
  return s.isOperator('(') ? parseCall(s, path, at) : { kind: 'column', path, at };
}

function parseCall(s: TokenStream, path: readonly string[], at: number): FunctionCall {
  if (path.length > 2)
    throw new DatabaseError('0A000', 'cross-database references are not implemented', { at });
  const name: Name = path.length === 2 ? { schema: path[0]!, name: path[1]!, at } : { name: path[0]!, at };
  const made = s.parenthesized(() => parseCallArguments(s));
  if (s.isWord('within')) throw notSupported('WITHIN GROUP', s.at);
  const filter = s.accept('filter') ? s.parenthesized(() => parseFilter(s)) : undefined;
  if (s.isWord('over')) throw notSupported('a window function', at);
  return { kind: 'call', name, at, ...made, ...(filter && { filter }) };
}

function parseFilter(s: TokenStream): Expression {
  s.expect('where');
  return parseExpression(s);
}

function parseCallArguments(s: TokenStream): Pick<FunctionCall, 'args' | 'star' | 'distinct' | 'orderBy'> {
  if (s.isOperator(')')) return { args: [], star: false, distinct: false, orderBy: [] };
  if (s.isOperator('*') && s.peek().text === ')') {
    s.next();
    return { args: [], star: true, distinct: false, orderBy: [] };
  }
  const distinct = s.accept('distinct');
  if (!distinct) s.accept('all');
  const args = s.list(() => {
    if (s.isWord('variadic')) throw notSupported('VARIADIC', s.at);
    return parseExpression(s);
  });
  return { args, star: false, distinct, orderBy: s.accept('order', 'by') ? parseSortItems(s) : [] };
}

export function parseSortItems(s: TokenStream): SortItem[] {
  return s.list(() => {
    const expression = parseExpression(s);
    if (s.isWord('using')) throw notSupported('ORDER BY ... USING', s.at);
    const descending = s.accept('desc');
    if (!descending) s.accept('asc');
    if (!s.accept('nulls')) return { expression, descending };
    const nulls = s.accept('first') ? 'first' : 'last';
    if (nulls === 'last') s.expect('last');
    return { expression, descending, nulls };
  });
}

function call(name: string, args: readonly Expression[], at: number): FunctionCall {
  return { kind: 'call', name: { name, at }, args, star: false, distinct: false, orderBy: [], at };
}
