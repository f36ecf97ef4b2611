/**
 * SQL text → statements. The dispatcher by first word; each statement's grammar has a file of its own.
 *
 * What PostgreSQL knows and this service does not is refused with 0A000 and the feature's name; what nobody
 * knows is a syntax error 42601. Both point at their cause.
 */
import { notSupported } from '../../errors.ts';
import type { Expression, Statement } from './ast.ts';
import { parseAlter, parseCreate, parseDrop } from './ddl.ts';
import { parseDelete, parseInsert, parseTruncate, parseUpdate } from './dml.ts';
import { parseExpression } from './expressions.ts';
import { tokenize } from './lexer.ts';
import { parseQuery } from './queries.ts';
import {
  parseBegin,
  parseDeallocate,
  parseDiscard,
  parseEnd,
  parseLock,
  parseReset,
  parseSavepoint,
  parseSet,
  parseShow,
} from './session-statements.ts';
import { TokenStream } from './token-stream.ts';

export interface ParsedStatement {
  readonly statement: Statement;
  /** The statement's own text; positions count from the start of the whole text. */
  readonly text: string;
  /** The greatest $n in it. */
  readonly parameterCount: number;
}

/**
 * All statements of a text; empty ones between semicolons are left out.
 * @throws DatabaseError 42601, 0A000, 54001 with position
 */
export function parseScript(sql: string, maxNesting: number): ParsedStatement[] {
  const s = new TokenStream(sql, tokenize(sql), maxNesting, parseQuery);
  const statements: ParsedStatement[] = [];
  while (!s.atEnd) {
    if (s.acceptOperator(';')) continue;
    const start = s.at;
    s.parameterCount = 0;
    const statement = parseStatement(s);
    if (!s.isOperator(';') && !s.atEnd) throw s.syntaxError();
    statements.push({ statement, text: sql.slice(start, s.previousEnd), parameterCount: s.parameterCount });
  }
  return statements;
}

/** One expression and nothing more: the text of a stored default or check. */
export function parseStoredExpression(sql: string, maxNesting: number): Expression {
  const s = new TokenStream(sql, tokenize(sql), maxNesting, parseQuery);
  const expression = parseExpression(s);
  if (s.token.kind !== 'end') throw s.syntaxError();
  return expression;
}

function parseStatement(s: TokenStream): Statement {
  if (s.startsQuery()) {
    const at = s.at;
    return { kind: 'select', query: parseQuery(s), at };
  }
  const { kind, text } = s.token;
  const parse = kind === 'word' ? STATEMENTS.get(text) : undefined;
  if (parse !== undefined) return parse(s);
  if (kind === 'word' && REFUSED.has(text)) throw notSupported(text.toUpperCase(), s.at);
  throw s.syntaxError();
}

const STATEMENTS: ReadonlyMap<string, (s: TokenStream) => Statement> = new Map([
  ['insert', parseInsert],
  ['update', parseUpdate],
  ['delete', parseDelete],
  ['truncate', parseTruncate],
  ['create', parseCreate],
  ['drop', parseDrop],
  ['alter', parseAlter],
  ['begin', parseBegin],
  ['start', parseBegin],
  ['commit', parseEnd],
  ['end', parseEnd],
  ['rollback', parseEnd],
  ['abort', parseEnd],
  ['savepoint', parseSavepoint],
  ['release', parseSavepoint],
  ['set', parseSet],
  ['reset', parseReset],
  ['show', parseShow],
  ['lock', parseLock],
  ['discard', parseDiscard],
  ['deallocate', parseDeallocate],
  ['explain', parseExplain],
]);

function parseExplain(s: TokenStream): Statement {
  const at = s.at;
  s.expect('explain');
  if (s.isWord('analyze', 'verbose') || s.isOperator('(')) throw notSupported('an option of EXPLAIN', s.at);
  return { kind: 'explain', statement: parseStatement(s), at };
}

const REFUSED: ReadonlySet<string> = new Set(
  `analyze call checkpoint close cluster comment copy declare do execute fetch grant import listen load merge
  move notify prepare reassign refresh reindex revoke security unlisten vacuum`.split(/\s+/),
);
