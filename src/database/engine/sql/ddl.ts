/** CREATE, ALTER and DROP of tables, indexes, sequences and schemas. */
import { notSupported } from '../../errors.ts';
import type {
  AlterTableAction,
  ColumnConstraint,
  ColumnDefinition,
  CreateIndexStatement,
  CreateTableStatement,
  SequenceOptions,
  Statement,
  TableConstraint,
} from './ast.ts';
import { parseExpression, parseRestricted } from './expressions.ts';
import type { TokenStream } from './token-stream.ts';
import { parseTypeName } from './type-names.ts';

export function parseCreate(s: TokenStream): Statement {
  const at = s.at;
  s.expect('create');
  if (s.isWord('table')) return parseCreateTable(s, at);
  if (s.isWord('index', 'unique')) return parseCreateIndex(s, at);
  if (s.accept('sequence')) return parseCreateSequence(s, at);
  if (s.accept('schema')) return parseCreateSchema(s, at);
  throw unsupportedObject(s, 'CREATE', at);
}

/** `CREATE VIEW is not supported`, or a syntax error where PostgreSQL has no such thing either. */
function unsupportedObject(s: TokenStream, verb: string, at: number): Error {
  if (s.token.kind !== 'word') return s.syntaxError();
  const words = [verb];
  while (
    s.isWord(
      'or',
      'replace',
      'global',
      'local',
      'temporary',
      'temp',
      'unlogged',
      'materialized',
      'foreign',
      'event',
      'access',
      'text',
      'search',
      'default',
      'privileges',
      'operator',
      'class',
      'family',
      'user',
      'mapping',
      'data',
      'wrapper',
      'recursive',
      'procedural',
      'trusted',
      'constraint',
    )
  )
    words.push(s.next().text.toUpperCase());
  if (s.token.kind === 'word' && KNOWN_OBJECTS.has(s.token.text)) {
    words.push(s.token.text.toUpperCase());
    return notSupported(words.join(' '), at);
  }
  return words.length > 1 ? notSupported(words.join(' '), at) : s.syntaxError();
}

const KNOWN_OBJECTS: ReadonlySet<string> = new Set(
  `aggregate cast collation conversion database domain extension function group index language method policy
  procedure publication role routine rule schema sequence server statistics subscription system table tablespace
  transform trigger type user view`.split(/\s+/),
);

function acceptIfNotExists(s: TokenStream): boolean {
  return s.accept('if', 'not', 'exists');
}

function parseCreateTable(s: TokenStream, at: number): CreateTableStatement {
  s.expect('table');
  const ifNotExists = acceptIfNotExists(s);
  const table = s.qualifiedName();
  if (s.isWord('as')) throw notSupported('CREATE TABLE AS', s.at);
  if (s.isWord('partition', 'of')) throw notSupported(`CREATE TABLE ... ${s.token.text.toUpperCase()}`, s.at);
  const columns: ColumnDefinition[] = [];
  const constraints: TableConstraint[] = [];
  s.expectOperator('(');
  if (!s.isOperator(')'))
    s.list(() => {
      if (startsTableConstraint(s)) constraints.push(parseTableConstraint(s));
      else columns.push(parseColumn(s));
    });
  s.expectOperator(')');
  refuseTableOptions(s);
  return { kind: 'create-table', table, ifNotExists, columns, constraints, at };
}

function refuseTableOptions(s: TokenStream): void {
  if (s.isWord('inherits', 'partition', 'using', 'with', 'on', 'tablespace', 'as'))
    throw notSupported(`CREATE TABLE ... ${s.token.text.toUpperCase()}`, s.at);
}

function startsTableConstraint(s: TokenStream): boolean {
  if (s.isWord('constraint', 'primary', 'unique', 'check', 'foreign')) return true;
  if (s.isWord('exclude') && s.peek().kind !== 'quoted') throw notSupported('EXCLUDE', s.at);
  if (s.isWord('like')) throw notSupported('CREATE TABLE ... LIKE', s.at);
  return false;
}

export function parseTableConstraint(s: TokenStream): TableConstraint {
  const at = s.at;
  const name = s.accept('constraint') ? s.identifier() : undefined;
  const named = name === undefined ? {} : { name };
  if (s.isWord('foreign')) throw notSupported('FOREIGN KEY', s.at);
  if (s.isWord('exclude')) throw notSupported('EXCLUDE', s.at);
  if (s.accept('check')) {
    const expression = s.parenthesized(() => parseExpression(s));
    refuseConstraintAttributes(s);
    return { kind: 'check', expression, at, ...named };
  }
  const kind = s.accept('unique') ? 'unique' : 'primary-key';
  if (kind === 'primary-key') s.expect('primary', 'key');
  refuseUsingIndex(s);
  const columns = s.parenthesized(() => s.list(() => ({ at: s.at, name: s.identifier() })));
  refuseConstraintAttributes(s);
  return { kind, columns, at, ...named };
}

function refuseUsingIndex(s: TokenStream): void {
  if (s.isWord('using')) throw notSupported('a constraint USING INDEX', s.at);
  if (s.areWords('nulls', 'not', 'distinct')) throw notSupported('NULLS NOT DISTINCT', s.at);
  s.accept('nulls', 'distinct');
}

function refuseConstraintAttributes(s: TokenStream): void {
  if (s.accept('not', 'deferrable') || s.accept('initially', 'immediate'))
    return refuseConstraintAttributes(s);
  if (s.isWord('include', 'with', 'deferrable', 'initially'))
    throw notSupported(`a constraint ${s.token.text.toUpperCase()}`, s.at);
  if (s.areWords('using', 'index')) throw notSupported('USING INDEX TABLESPACE', s.at);
  if (s.areWords('not', 'valid')) throw notSupported('NOT VALID', s.at);
  if (s.areWords('no', 'inherit')) throw notSupported('NO INHERIT', s.at);
}

export function parseColumn(s: TokenStream): ColumnDefinition {
  const at = s.at;
  const name = s.identifier();
  const type = parseTypeName(s);
  if (s.isWord('collate')) acceptCollation(s);
  const constraints: ColumnConstraint[] = [];
  for (;;) {
    const constraint = parseColumnConstraint(s);
    if (constraint === undefined) break;
    constraints.push(constraint);
  }
  return { name, type, constraints, at };
}

/** There is one collation, by bytes; other names are refused rather than ignored. */
function acceptCollation(s: TokenStream): void {
  const at = s.at;
  s.expect('collate');
  const { name } = s.qualifiedName();
  if (!['C', 'POSIX', 'default', 'ucs_basic'].includes(name)) throw notSupported(`collation "${name}"`, at);
}

function parseColumnConstraint(s: TokenStream): ColumnConstraint | undefined {
  const at = s.at;
  const name = s.accept('constraint') ? s.identifier() : undefined;
  const named = name === undefined ? {} : { name };
  if (s.accept('not', 'null')) return { kind: 'not-null', at, ...named };
  if (s.accept('null')) return { kind: 'null', at };
  if (s.accept('primary', 'key')) return afterKey(s, { kind: 'primary-key', at, ...named });
  if (s.accept('unique')) {
    refuseUsingIndex(s);
    return afterKey(s, { kind: 'unique', at, ...named });
  }
  if (s.accept('default')) return { kind: 'default', expression: parseRestricted(s), at };
  if (s.accept('check'))
    return afterKey(s, {
      kind: 'check',
      expression: s.parenthesized(() => parseExpression(s)),
      at,
      ...named,
    });
  if (s.accept('generated')) return parseGenerated(s, at);
  if (s.isWord('references')) throw notSupported('REFERENCES (foreign keys)', at);
  if (s.isWord('collate')) {
    acceptCollation(s);
    return parseColumnConstraint(s);
  }
  if (name !== undefined) throw s.syntaxError();
  return undefined;
}

function afterKey(s: TokenStream, constraint: ColumnConstraint): ColumnConstraint {
  refuseConstraintAttributes(s);
  return constraint;
}

function parseGenerated(s: TokenStream, at: number): ColumnConstraint {
  const always = s.accept('always');
  if (!always) s.expect('by', 'default');
  s.expect('as');
  if (!s.accept('identity')) throw notSupported('a generated column', at);
  const options = s.isOperator('(') ? s.parenthesized(() => parseSequenceOptions(s)) : {};
  return { kind: 'identity', always, options, at };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export function parseSequenceOptions(s: TokenStream): SequenceOptions {
  const options: Mutable<SequenceOptions> = {};
  for (;;) {
    if (s.accept('increment')) {
      s.accept('by');
      options.increment = parseBigint(s);
    } else if (s.accept('minvalue')) options.minimum = parseBigint(s);
    else if (s.accept('maxvalue')) options.maximum = parseBigint(s);
    else if (s.accept('no', 'minvalue')) options.minimum = null;
    else if (s.accept('no', 'maxvalue')) options.maximum = null;
    else if (s.accept('start')) {
      s.accept('with');
      options.start = parseBigint(s);
    } else if (s.accept('cache')) {
      if (parseBigint(s) !== 1n) throw notSupported('a sequence CACHE other than 1', s.at);
    } else if (s.accept('cycle')) options.cycle = true;
    else if (s.accept('no', 'cycle')) options.cycle = false;
    else if (s.isWord('owned', 'as', 'restart'))
      throw notSupported(`a sequence ${s.token.text.toUpperCase()}`, s.at);
    else return options;
  }
}

function parseBigint(s: TokenStream): bigint {
  const negative = s.acceptOperator('-');
  if (!negative) s.acceptOperator('+');
  if (s.token.kind !== 'integer') throw s.syntaxError();
  const value = BigInt(s.next().text);
  return negative ? -value : value;
}

function parseCreateIndex(s: TokenStream, at: number): CreateIndexStatement {
  const unique = s.accept('unique');
  s.expect('index');
  if (s.isWord('concurrently')) throw notSupported('CREATE INDEX CONCURRENTLY', s.at);
  const ifNotExists = acceptIfNotExists(s);
  const name = s.isWord('on') ? undefined : s.identifier();
  if (ifNotExists && name === undefined) throw s.syntaxError();
  s.expect('on');
  s.accept('only');
  const table = s.qualifiedName();
  if (s.accept('using')) {
    const methodAt = s.at;
    const method = s.identifier();
    if (method !== 'btree') throw notSupported(`index method "${method}"`, methodAt);
  }
  const columns = s.parenthesized(() => s.list(() => parseIndexColumn(s)));
  refuseUsingIndex(s);
  if (s.isWord('include', 'with', 'tablespace'))
    throw notSupported(`CREATE INDEX ... ${s.token.text.toUpperCase()}`, s.at);
  if (s.isWord('where')) throw notSupported('a partial index', s.at);
  return {
    kind: 'create-index',
    ifNotExists,
    unique,
    table,
    columns,
    at,
    ...(name !== undefined && { name }),
  };
}

function parseIndexColumn(s: TokenStream): CreateIndexStatement['columns'][number] {
  const at = s.at;
  if (s.isOperator('(') || (s.peek().kind === 'operator' && s.peek().text === '('))
    throw notSupported('an index on an expression', at);
  const name = s.identifier();
  if (s.isWord('collate')) acceptCollation(s);
  if (s.token.kind === 'word' && /_ops$/.test(s.token.text)) throw notSupported('an operator class', s.at);
  const descending = s.accept('desc');
  if (!descending) s.accept('asc');
  if (!s.accept('nulls')) return { name, descending, at };
  const nulls = s.accept('first') ? 'first' : 'last';
  if (nulls === 'last') s.expect('last');
  return { name, descending, nulls, at };
}

function parseCreateSequence(s: TokenStream, at: number): Statement {
  const ifNotExists = acceptIfNotExists(s);
  const name = s.qualifiedName();
  return { kind: 'create-sequence', name, ifNotExists, options: parseSequenceOptions(s), at };
}

function parseCreateSchema(s: TokenStream, at: number): Statement {
  const ifNotExists = acceptIfNotExists(s);
  const name = s.identifier();
  if (s.isWord('authorization', 'create'))
    throw notSupported(`CREATE SCHEMA ... ${s.token.text.toUpperCase()}`, s.at);
  return { kind: 'create-schema', name, ifNotExists, at };
}

export function parseDrop(s: TokenStream): Statement {
  const at = s.at;
  s.expect('drop');
  const what = (['table', 'index', 'sequence', 'schema'] as const).find((word) => s.accept(word));
  if (what === undefined) throw unsupportedObject(s, 'DROP', at);
  if (s.isWord('concurrently')) throw notSupported('DROP INDEX CONCURRENTLY', s.at);
  const ifExists = s.accept('if', 'exists');
  const names = s.list(() => s.qualifiedName());
  const cascade = s.accept('cascade');
  if (!cascade) s.accept('restrict');
  return { kind: 'drop', what, names, ifExists, cascade, at };
}

export function parseAlter(s: TokenStream): Statement {
  const at = s.at;
  s.expect('alter');
  if (!s.accept('table')) throw unsupportedObject(s, 'ALTER', at);
  const ifExists = s.accept('if', 'exists');
  s.accept('only');
  const table = s.qualifiedName();
  const actions = s.list(() => parseAlterAction(s));
  return { kind: 'alter-table', table, ifExists, actions, at };
}

function parseAlterAction(s: TokenStream): AlterTableAction {
  const at = s.at;
  if (s.accept('add')) return parseAdd(s, at);
  if (s.accept('drop')) return parseDropPart(s, at);
  if (s.accept('rename')) return parseRename(s, at);
  if (s.accept('alter')) return parseAlterColumn(s, at);
  throw s.token.kind === 'word'
    ? notSupported(`ALTER TABLE ... ${s.token.text.toUpperCase()}`, at)
    : s.syntaxError();
}

function parseAdd(s: TokenStream, at: number): AlterTableAction {
  if (startsTableConstraint(s)) return { kind: 'add-constraint', constraint: parseTableConstraint(s), at };
  s.accept('column');
  const ifNotExists = acceptIfNotExists(s);
  return { kind: 'add-column', column: parseColumn(s), ifNotExists, at };
}

function parseDropPart(s: TokenStream, at: number): AlterTableAction {
  if (s.accept('constraint')) {
    const ifExists = s.accept('if', 'exists');
    const name = s.identifier();
    if (!s.accept('cascade')) s.accept('restrict');
    return { kind: 'drop-constraint', name, ifExists, at };
  }
  s.accept('column');
  const ifExists = s.accept('if', 'exists');
  const column = s.identifier();
  if (!s.accept('cascade')) s.accept('restrict');
  return { kind: 'drop-column', column, ifExists, at };
}

function parseRename(s: TokenStream, at: number): AlterTableAction {
  if (s.accept('to')) return { kind: 'rename', to: s.identifier(), at };
  if (s.isWord('constraint')) throw notSupported('RENAME CONSTRAINT', s.at);
  s.accept('column');
  const column = s.identifier();
  s.expect('to');
  return { kind: 'rename-column', column, to: s.identifier(), at };
}

function parseAlterColumn(s: TokenStream, at: number): AlterTableAction {
  s.accept('column');
  const column = s.identifier();
  if (s.accept('set', 'default')) return { kind: 'set-default', column, expression: parseExpression(s), at };
  if (s.accept('drop', 'default')) return { kind: 'set-default', column, at };
  if (s.accept('set', 'not', 'null')) return { kind: 'set-not-null', column, at };
  if (s.accept('drop', 'not', 'null')) return { kind: 'drop-not-null', column, at };
  throw notSupported(`ALTER COLUMN ... ${s.token.text.toUpperCase()}`, s.at);
}
