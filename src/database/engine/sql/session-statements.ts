/** Transactions, settings and the other statements about the session itself. */
import { notSupported } from '../../errors.ts';
import type { Statement, TransactionModes } from './ast.ts';
import type { TokenStream } from './token-stream.ts';

export function parseBegin(s: TokenStream): Statement {
  const at = s.at;
  const start = s.accept('start', 'transaction');
  if (!start) {
    s.expect('begin');
    if (!s.accept('work')) s.accept('transaction');
  }
  return { kind: 'begin', start, modes: parseModes(s), at };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

function parseModes(s: TokenStream): TransactionModes {
  const modes: Mutable<TransactionModes> = {};
  for (;;) {
    if (s.accept('isolation', 'level')) modes.isolation = parseIsolation(s);
    else if (s.accept('read', 'only')) modes.readOnly = true;
    else if (s.accept('read', 'write')) modes.readOnly = false;
    else if (s.accept('deferrable')) modes.deferrable = true;
    else if (s.accept('not', 'deferrable')) modes.deferrable = false;
    else return modes;
    s.acceptOperator(',');
  }
}

/** READ UNCOMMITTED is READ COMMITTED, as in PostgreSQL. */
function parseIsolation(s: TokenStream): NonNullable<TransactionModes['isolation']> {
  if (s.accept('serializable')) return 'serializable';
  if (s.accept('repeatable', 'read')) return 'repeatable read';
  if (s.accept('read', 'uncommitted')) return 'read committed';
  s.expect('read', 'committed');
  return 'read committed';
}

/** COMMIT, END, ROLLBACK, ABORT and ROLLBACK TO. */
export function parseEnd(s: TokenStream): Statement {
  const { at, text } = s.next();
  const kind = text === 'commit' || text === 'end' ? 'commit' : 'rollback';
  if (s.isWord('prepared')) throw notSupported(`${text.toUpperCase()} PREPARED`, at);
  if (!s.accept('work')) s.accept('transaction');
  if (text === 'rollback' && s.accept('to')) {
    s.accept('savepoint');
    return { kind: 'rollback-to', name: s.identifier(), at };
  }
  if (s.isWord('and') && !s.accept('and', 'no', 'chain')) throw notSupported('AND CHAIN', s.at);
  return { kind, at };
}

export function parseSavepoint(s: TokenStream): Statement {
  const { at, text } = s.next();
  if (text === 'release') s.accept('savepoint');
  return { kind: text === 'release' ? 'release' : 'savepoint', name: s.identifier(), at };
}

export function parseSet(s: TokenStream): Statement {
  const at = s.at;
  s.expect('set');
  if (s.accept('transaction')) return { kind: 'set-transaction', session: false, modes: parseModes(s), at };
  if (s.accept('session', 'characteristics', 'as', 'transaction'))
    return { kind: 'set-transaction', session: true, modes: parseModes(s), at };
  if (s.isWord('constraints') || (s.isWord('role') && !['to', '='].includes(s.peek().text)))
    throw notSupported(`SET ${s.token.text.toUpperCase()}`, at);
  const local = s.accept('local');
  if (!local) s.accept('session');
  if (s.isWord('authorization')) throw notSupported('SET SESSION AUTHORIZATION', at);
  if (s.accept('time', 'zone')) return { kind: 'set', local, name: 'timezone', ...parseValues(s), at };
  if (s.accept('names')) return { kind: 'set', local, name: 'client_encoding', ...parseValues(s), at };
  const name = parseSettingName(s);
  if (!s.acceptOperator('=')) s.expect('to');
  return { kind: 'set', local, name, ...parseValues(s), at };
}

function parseSettingName(s: TokenStream): string {
  let name = s.label();
  while (s.acceptOperator('.')) name += `.${s.label()}`;
  return name.toLowerCase();
}

function parseValues(s: TokenStream): { values?: string[] } {
  if (s.accept('default')) return {};
  return { values: s.list(() => parseValue(s)) };
}

function parseValue(s: TokenStream): string {
  const negative = s.acceptOperator('-');
  const { kind, text } = s.token;
  if (kind === 'end' || kind === 'operator' || kind === 'param') throw s.syntaxError();
  s.next();
  return negative ? `-${text}` : text;
}

export function parseReset(s: TokenStream): Statement {
  const at = s.at;
  s.expect('reset');
  if (s.accept('time', 'zone')) return { kind: 'set', local: false, name: 'timezone', at };
  return { kind: 'set', local: false, name: parseSettingName(s), at };
}

export function parseShow(s: TokenStream): Statement {
  const at = s.at;
  s.expect('show');
  if (s.accept('time', 'zone')) return { kind: 'show', name: 'timezone', at };
  if (s.accept('transaction', 'isolation', 'level'))
    return { kind: 'show', name: 'transaction_isolation', at };
  return { kind: 'show', name: parseSettingName(s), at };
}

const LOCK_MODES = [
  'access share',
  'row share',
  'row exclusive',
  'share update exclusive',
  'share row exclusive',
  'share',
  'exclusive',
  'access exclusive',
];

export function parseLock(s: TokenStream): Statement {
  const at = s.at;
  s.expect('lock');
  s.accept('table');
  s.accept('only');
  const tables = s.list(() => s.qualifiedName());
  const mode = s.accept('in') ? parseLockMode(s) : 'access exclusive';
  return { kind: 'lock', tables, mode, nowait: s.accept('nowait'), at };
}

function parseLockMode(s: TokenStream): string {
  const mode = LOCK_MODES.find((candidate) => s.accept(...candidate.split(' ')));
  if (mode === undefined) throw s.syntaxError();
  s.expect('mode');
  return mode;
}

export function parseDiscard(s: TokenStream): Statement {
  const at = s.at;
  s.expect('discard');
  if (!s.accept('all')) throw notSupported(`DISCARD ${s.token.text.toUpperCase()}`, at);
  return { kind: 'discard', at };
}

export function parseDeallocate(s: TokenStream): Statement {
  const at = s.at;
  s.expect('deallocate');
  s.accept('prepare');
  return s.accept('all') ? { kind: 'deallocate', at } : { kind: 'deallocate', name: s.identifier(), at };
}
