/**
 * One session's side of the engine: its transaction, settings, prepared statements' plans and portals.
 *
 *   prepare(statement) ─▶ Prepared ─▶ open(parameters) ─▶ Portal ─▶ run(rows) ─▶ done | suspended | again | wait | commit
 *
 * `run` never blocks. It says `again` when its turn is over, `wait` when somebody else holds a lock (call it
 * again once the lock is granted), and `commit` with the promise that the answer depends on.
 */
import { asDatabaseError, DatabaseError, notSupported } from '../errors.ts';
import { MAX_STATEMENT_RESTARTS } from '../limits.ts';
import type { BoundColumn, BoundRelation, BoundStatement } from './bind/bound.ts';
import { ParameterTypes } from './bind/coerce.ts';
import type { BindContext } from './bind/context.ts';
import { bindExpression } from './bind/expressions.ts';
import { bindQuery, findTable } from './bind/queries.ts';
import { bindDelete, bindInsert, bindTarget, bindUpdate, rowScope } from './bind/statements.ts';
import { tablesOf } from './bind/tables.ts';
import type { Catalog, CatalogChange, Index, Table } from './catalog/catalog.ts';
import {
  alterTable,
  createIndex,
  createSchema,
  createSequence,
  createTable,
  type DdlAccess,
  drop,
  truncate,
} from './catalog/ddl.ts';
import { describeObject, lookupObject } from './catalog/names.ts';
import { systemTable } from './catalog/system-catalog.ts';
import type { Database } from './database.ts';
import { type ChangeAccess, compileChange, duplicateKey, RowChanged, rowLock } from './execute/change.ts';
import { compileQuery, compilerFor } from './execute/compile.ts';
import { compileExpression } from './execute/evaluate.ts';
import { DONE, type Execution, type Frame, PAUSE, ROW, type Step } from './execute/frame.ts';
import type { SessionFacts } from './execute/run.ts';
import { rowLoader } from './execute/sources.ts';
import type { LockTuple, Tuples } from './execute/tuples.ts';
import { aggregatesNamed } from './functions/aggregates.ts';
import { functionsNamed } from './functions/registry.ts';
import { describePlan } from './plan/explain.ts';
import { planQuery } from './plan/planner.ts';
import { durationMs, Settings } from './settings.ts';
import type { Statement, TransactionModes } from './sql/ast.ts';
import { type ParsedStatement, parseScript, parseStoredExpression } from './sql/parser.ts';
import { encodeRow } from './storage/row-codec.ts';
import { indexKey, indexTree, keyParts, rowTree } from './storage/trees.ts';
import { type LockMode, LockWait, type TableMode } from './transactions/locks.ts';
import { type Isolation, Transaction } from './transactions/transaction.ts';
import { fromPosixMillis, UTC, type ZoneOffset } from './types/datetime.ts';
import { OID } from './types/oids.ts';
import { zoneByName } from './types/time-zones.ts';
import { type ConversionContext, typeOf } from './types/types.ts';
import type { Value } from './types/values.ts';

export type TransactionStatus = 'idle' | 'active' | 'failed';

export interface Notice {
  readonly severity: 'NOTICE' | 'WARNING' | 'INFO';
  readonly code: '00000' | '01000' | '25001' | '25P01' | '42P07';
  readonly message: string;
}

/** What the backend tells its client outside of results. */
export interface BackendEvents {
  notice(notice: Notice): void;
  parameterChanged(name: string, value: string): void;
}

export type Outcome =
  | { readonly kind: 'done'; readonly tag: string }
  | { readonly kind: 'suspended' }
  | { readonly kind: 'again' }
  /** Call `subscribe`; `granted` is called when `run` may go on. @throws DatabaseError 40P01 */
  | { readonly kind: 'wait'; readonly subscribe: (granted: () => void) => () => void }
  | { readonly kind: 'commit'; readonly durable: Promise<void>; readonly tag: string };

export type RowSink = (values: readonly Value[]) => void;

/** Statements that may run in a failed transaction: those that end it. */
const ENDING: ReadonlySet<Statement['kind']> = new Set(['commit', 'rollback', 'rollback-to']);

const ONE_TEXT = (name: string): BoundColumn[] => [
  { name, type: { oid: OID.text, modifier: -1 }, table: 0, number: 0 },
];

/** A statement ready to run, with the plan for the catalogue it was made under. */
export class Prepared {
  readonly parsed: ParsedStatement;
  readonly parameters: readonly number[];
  readonly columns: readonly BoundColumn[];
  plan: Plan | undefined;

  constructor(
    parsed: ParsedStatement,
    parameters: readonly number[],
    columns: readonly BoundColumn[],
    plan: Plan | undefined,
  ) {
    this.parsed = parsed;
    this.parameters = parameters;
    this.columns = columns;
    this.plan = plan;
  }
}

interface Plan {
  readonly epoch: number;
  readonly searchPath: string;
  readonly columns: readonly BoundColumn[];
  readonly statement: BoundStatement;
  readonly tables: ReadonlySet<number>;
  readonly start: (run: Execution, backend: StatementAccess) => RunningStatement;
}

/** What running statements may do to their session. */
interface StatementAccess extends ChangeAccess {
  lockTuple: (
    relation: BoundRelation,
    strength: LockMode,
    wait: 'wait' | 'nowait' | 'skip locked',
    key: Buffer,
  ) => boolean;
}

/** A planned statement in progress: rows one at a time, then a tag. */
interface RunningStatement {
  next(): Step;
  readonly tuple: readonly Value[];
  tag(rows: number): string;
}

export class Backend {
  readonly settings: Settings;
  readonly database: Database;
  readonly processId: number;
  readonly #events: BackendEvents;
  #transaction: Transaction | undefined;
  #status: TransactionStatus = 'idle';
  /** True while the transaction was not begun by BEGIN. */
  #implicit = false;
  #portals = new Set<Portal>();
  #lastSequence: number | undefined;
  readonly #currentValues = new Map<number, bigint>();
  readonly #sessionLocks: { readonly id: number; readonly processId: number; readonly session: object };
  #cancelled = false;
  #statementStarted = 0;
  #statementStartedAt = 0n;
  #held = 0;
  #turnEnds = 0;
  #mayPause = true;

  constructor(database: Database, processId: number, events: BackendEvents) {
    this.database = database;
    this.processId = processId;
    this.#events = events;
    this.settings = new Settings((name, value) => events.parameterChanged(name, value));
    this.#sessionLocks = { id: 0, processId, session: this };
  }

  get status(): TransactionStatus {
    return this.#implicit && this.#status === 'active' ? 'idle' : this.#status;
  }

  get user(): string {
    return this.database.surroundings.user;
  }

  /** The running statement stops with 57014 at its next look. */
  cancel(): void {
    this.#cancelled = true;
  }

  /** @throws DatabaseError 42601, 0A000 */
  parse(sql: string): ParsedStatement[] {
    return parseScript(sql, this.database.limits.maxNesting);
  }

  /** Binds a statement. @param types OIDs of parameters, 0 or missing where they are to be found out */
  prepare(parsed: ParsedStatement, types: readonly number[] = []): Prepared {
    this.#refuseInFailed(parsed.statement);
    const { statement } = parsed;
    if (!isPlanned(statement)) return new Prepared(parsed, types, this.#utilityColumns(statement), undefined);
    const made = this.#inTransaction(() => {
      const parameters = new ParameterTypes(types);
      const plan = this.#plan(statement, parameters);
      for (let i = 1; i <= parsed.parameterCount; i++) if (parameters.typeOf(i) === 0) throw undecided(i);
      return { plan, parameters };
    });
    return new Prepared(parsed, made.parameters.oids, made.plan.columns, made.plan);
  }

  #refuseInFailed(statement: Statement): void {
    if (this.#status !== 'failed' || ENDING.has(statement.kind)) return;
    throw new DatabaseError(
      '25P02',
      'current transaction is aborted, commands ignored until end of transaction block',
    );
  }

  #utilityColumns(statement: Statement): readonly BoundColumn[] {
    if (statement.kind === 'show')
      return statement.name === 'all'
        ? ['name', 'setting', 'description'].flatMap(ONE_TEXT)
        : ONE_TEXT(this.settings.spelling(statement.name));
    return statement.kind === 'explain' ? ONE_TEXT('QUERY PLAN') : [];
  }

  #plan(statement: Statement, parameters: ParameterTypes): Plan {
    const c = this.bindContext(parameters);
    const bound = bindStatement(statement, c);
    const tables = new Set(tablesOf(bound));
    const base = {
      epoch: c.catalog.epoch,
      searchPath: this.settings.show('search_path'),
      statement: bound,
      tables,
    };
    if (bound.kind === 'select')
      return { ...base, columns: bound.query.columns, start: startSelect(bound, c.catalog) };
    return { ...base, columns: bound.returning?.columns ?? [], start: startChange(bound, c.catalog) };
  }

  /** The plan, made again when the catalogue has changed. @throws DatabaseError 0A000 when the result would have other types */
  currentPlan(prepared: Prepared): Plan {
    const { plan } = prepared;
    if (
      plan !== undefined &&
      plan.epoch === this.catalog.epoch &&
      plan.searchPath === this.settings.show('search_path')
    )
      return plan;
    const made = this.#plan(prepared.parsed.statement, new ParameterTypes(prepared.parameters));
    const same =
      made.columns.length === prepared.columns.length &&
      made.columns.every((column, i) => column.type.oid === prepared.columns[i]!.type.oid);
    if (!same)
      throw new DatabaseError('0A000', 'cached plan must not change result type', {
        routine: 'RevalidateCachedQuery',
      });
    prepared.plan = made;
    return made;
  }

  open(prepared: Prepared, params: readonly Value[]): Portal {
    return new Portal(this, prepared, params);
  }

  // Transactions

  get catalog(): Catalog {
    return this.#transaction?.catalog ?? this.database.catalog;
  }

  get transaction(): Transaction {
    this.#begin(true);
    return this.#transaction!;
  }

  #begin(implicit: boolean): void {
    if (this.#transaction !== undefined) return;
    const { database } = this;
    const isolation = this.settings.show('default_transaction_isolation');
    const readOnly = this.settings.show('default_transaction_read_only') === 'on';
    this.#transaction = new Transaction(
      database.newTransactionId(),
      this.processId,
      this,
      isolation === 'read uncommitted' ? 'read committed' : (isolation as Isolation),
      readOnly,
      this.#clock(),
      database.undoneCommits,
      database.limits.maxTransactionBytes,
    );
    this.#implicit = implicit;
    this.#status = 'active';
  }

  #clock(): bigint {
    return fromPosixMillis(this.database.surroundings.now());
  }

  #inTransaction<T>(body: () => T): T {
    const had = this.#transaction !== undefined;
    this.#begin(true);
    try {
      return body();
    } finally {
      if (!had && this.#implicit && this.#transaction?.hasChanges === false && this.#portals.size === 0)
        this.#end(true);
    }
  }

  /** Ends the transaction that was begun without BEGIN, at Sync or at the end of a simple query. */
  endImplicit(): Promise<void> | undefined {
    if (!this.#implicit || this.#transaction === undefined) return undefined;
    return this.#commit();
  }

  #commit(): Promise<void> | undefined {
    try {
      const durable = this.database.commit(this.#transaction!);
      this.#end(true);
      return durable;
    } catch (thrown) {
      // A commit that fails ends its transaction, whatever the reason.
      this.#end(false);
      return Promise.reject(thrown);
    }
  }

  #end(committed: boolean): void {
    const transaction = this.#transaction;
    for (const portal of this.#portals) portal.close();
    this.#portals.clear();
    this.#transaction = undefined;
    this.#status = 'idle';
    this.#implicit = false;
    this.settings.endTransaction(committed);
    if (transaction === undefined) return;
    if (!committed) this.database.sequences.undoRestarts(transaction.restarted);
    transaction.snapshot?.release();
    this.database.locks.releaseAll(transaction);
  }

  /** A statement failed: an implicit transaction is over, an explicit one waits for ROLLBACK. */
  fail(): void {
    if (this.#transaction === undefined) return;
    if (this.#implicit) {
      this.#end(false);
      return;
    }
    this.#status = 'failed';
    for (const portal of this.#portals) portal.close();
    this.#portals.clear();
    // Without a savepoint nothing of it can come back: let others have its locks now.
    if (this.#transaction.savepoints.length > 0) return;
    this.#transaction.writes.rewind(0);
    this.database.sequences.undoRestarts(this.#transaction.restarted.splice(0));
    this.database.locks.releaseAll(this.#transaction);
  }

  /** The session is over: everything uncommitted is undone and every lock is free. */
  close(): void {
    if (this.#transaction !== undefined) this.#end(false);
    this.database.locks.releaseAll(this.#sessionLocks);
    this.database.activities.delete(this.processId);
  }

  // Execution

  bindContext(parameters = new ParameterTypes([])): BindContext {
    return {
      catalog: this.catalog,
      searchPath: this.searchPath,
      conversion: this.conversion,
      parameters,
      functions: functionsNamed,
      aggregates: aggregatesNamed,
      virtualTable: systemTable,
      bindQuery,
      maxNesting: this.database.limits.maxNesting,
    };
  }

  /** Schemas in the order they are searched; pg_catalog first unless it is named. */
  get searchPath(): readonly string[] {
    const named = this.settings
      .show('search_path')
      .split(',')
      .map((item) => item.trim().replace(/^"(.*)"$/, '$1'))
      .map((item) => (item === '$user' ? this.user : item))
      .filter((item) => item !== '');
    return named.includes('pg_catalog') ? named : ['pg_catalog', ...named];
  }

  get conversion(): ConversionContext {
    const { catalog } = this;
    const names = { catalog, searchPath: this.searchPath, user: this.user };
    const zoneName = this.settings.show('TimeZone');
    return {
      zone: this.#zone(zoneName),
      namedZone: (name) => zoneByName(name)?.offset,
      now: this.#transaction?.startedAt ?? this.#clock(),
      lookup: (kind, text) => lookupObject(kind, text, names),
      describe: (kind, oid) => describeObject(kind, oid, names),
    };
  }

  #zoneCache: { name: string; offset: ZoneOffset } = { name: 'UTC', offset: UTC };

  #zone(name: string): ZoneOffset {
    if (this.#zoneCache.name !== name) this.#zoneCache = { name, offset: zoneByName(name)?.offset ?? UTC };
    return this.#zoneCache.offset;
  }

  /** A statement begins: its clock, its memory and its cancellation start anew. */
  beginStatement(): void {
    this.#cancelled = false;
    this.#held = 0;
    this.#statementStarted = this.database.surroundings.monotonic();
    this.#statementStartedAt = this.#clock();
  }

  /** A new turn of the event loop for the running statement. */
  beginTurn(mayPause: boolean): void {
    this.#mayPause = mayPause;
    this.#turnEnds = this.database.surroundings.monotonic() + this.database.limits.sliceMs;
  }

  /** Milliseconds the running statement may still take; undefined when nothing limits it. */
  remainingMs(): number | undefined {
    const limit = this.#timeoutMs();
    return limit === 0
      ? undefined
      : Math.max(limit - (this.database.surroundings.monotonic() - this.#statementStarted), 0);
  }

  #timeoutMs(): number {
    const own = durationMs(this.settings.show('statement_timeout'));
    const most = this.database.limits.statementTimeoutMs;
    return own === 0 || most === 0 ? Math.max(own, most) : Math.min(own, most);
  }

  /** @throws DatabaseError 57014 */
  checkInterrupts(): void {
    if (this.#cancelled) throw new DatabaseError('57014', 'canceling statement due to user request');
    if (this.remainingMs() === 0)
      throw new DatabaseError('57014', 'canceling statement due to statement timeout');
  }

  execution(params: readonly Value[], view: Execution['view']): Execution {
    const { database } = this;
    const { maxWorkRows } = database.limits;
    return {
      catalog: this.catalog,
      params,
      conversion: this.conversion,
      session: this.#facts(),
      transactionStart: this.transaction.startedAt,
      statementStart: this.#statementStartedAt,
      clock: () => this.#clock(),
      randomFraction: () => database.surroundings.below(2 ** 48 - 1) / (2 ** 48 - 1),
      uuid: () => database.surroundings.uuid(),
      hold: (rows) => {
        this.#held += rows;
        if (this.#held > maxWorkRows)
          throw new DatabaseError('53200', 'out of memory', {
            detail: `The statement holds more than ${maxWorkRows} rows in memory.`,
          });
      },
      shouldPause: () => {
        if (database.surroundings.monotonic() < this.#turnEnds) return false;
        this.checkInterrupts();
        return this.#mayPause;
      },
      view,
      once: new Map(),
    };
  }

  #facts(): SessionFacts {
    const { database } = this;
    const sequence = (oid: number) => database.sequence(oid, this.catalog);
    return {
      user: this.user,
      database: database.surroundings.name,
      processId: this.processId,
      searchPath: this.searchPath,
      setting: (name) =>
        name === 'transaction_isolation' ? this.#transaction?.isolation : this.settings.get(name),
      set: (name, value, local) => this.settings.set(name, value, local, this.#transaction !== undefined),
      nextval: (oid) => {
        const found = sequence(oid);
        this.#refuseReadOnly('nextval()');
        const value = database.sequences.next(found);
        this.#currentValues.set(oid, value);
        this.#lastSequence = oid;
        return value;
      },
      currval: (oid) => {
        const value = this.#currentValues.get(oid);
        if (value === undefined)
          throw new DatabaseError(
            '55000',
            `currval of sequence "${sequence(oid).name}" is not yet defined in this session`,
          );
        return value;
      },
      lastval: () => {
        if (this.#lastSequence === undefined)
          throw new DatabaseError('55000', 'lastval is not yet defined in this session');
        return this.#currentValues.get(this.#lastSequence)!;
      },
      setval: (oid, value, isCalled) => {
        this.#refuseReadOnly('setval()');
        database.sequences.set(sequence(oid), value, isCalled);
        if (isCalled) this.#currentValues.set(oid, value);
        return value;
      },
      sequenceState: (oid) => database.sequences.state(sequence(oid)),
      transactionId: () => this.transaction.id,
      advisoryLock: (key, shared, wait, forSession) => {
        const owner = forSession ? this.#sessionLocks : this.transaction;
        const mode: LockMode = shared ? 'share' : 'exclusive';
        if (wait) database.locks.acquire(owner, `a${key}`, mode);
        return wait || database.locks.tryAcquire(owner, `a${key}`, mode);
      },
      advisoryUnlock: (key, shared) =>
        database.locks.release(this.#sessionLocks, `a${key}`, shared ? 'share' : 'exclusive'),
      cancelBackend: (processId) => {
        const found = database.activities.get(processId);
        found?.cancel();
        return found !== undefined;
      },
      activities: () => database.activities.values(),
    };
  }

  #refuseReadOnly(what: string): void {
    if (this.#transaction?.readOnly === true)
      throw new DatabaseError('25006', `cannot execute ${what} in a read-only transaction`);
  }

  /** Locks the tables a statement uses: reading needs a lock only under SERIALIZABLE. @throws LockWait */
  lockTables(plan: Plan): void {
    const { transaction } = this;
    const { statement } = plan;
    if (statement.kind !== 'select') {
      this.#refuseReadOnly(statement.kind.toUpperCase());
      this.lockTable(statement.target.table.oid, 'row exclusive');
    } else if (statement.query.locking.length > 0) {
      this.#refuseReadOnly('SELECT FOR UPDATE');
      for (const table of plan.tables) this.lockTable(table, 'row share');
    }
    if (transaction.isolation === 'serializable')
      for (const table of plan.tables) this.lockTable(table, 'share');
  }

  lockTable(oid: number, mode: TableMode): void {
    this.database.locks.acquire(this.transaction, `t${oid}`, mode);
  }

  /** Undoes what a statement did before it had to wait. */
  undoPoint(): () => void {
    const { transaction } = this;
    const point = transaction.savepoint('', this.database.catalog);
    return () => transaction.rewind(point);
  }

  /** What the statement reads: the transaction's snapshot, or one of its own. */
  openView(): { view: Execution['view']; release: () => void } {
    const { transaction, database } = this;
    transaction.started = true;
    if (transaction.isolation === 'repeatable read') {
      transaction.snapshot ??= database.store.snapshot();
      return { view: transaction.viewOf(transaction.snapshot), release: () => {} };
    }
    const snapshot = database.store.snapshot();
    return { view: transaction.viewOf(snapshot), release: () => snapshot.release() };
  }

  statementAccess(): StatementAccess {
    const { transaction, database } = this;
    const { writes } = transaction;
    const current = (tree: string, key: Uint8Array): Buffer | undefined => {
      const written = writes.get(tree, key);
      return written === undefined ? database.store.get(tree, key) : (written ?? undefined);
    };
    return {
      current,
      lock: (resource, mode) => database.locks.acquire(transaction, resource, mode),
      put: (tree, key, value) => writes.put(tree, key, value),
      delete: (tree, key) => writes.delete(tree, key),
      nextRowKey: (table) => database.nextRowKey(table),
      lockTuple: (relation, mode, wait, key) => {
        const { table } = relation.source as { table: Table };
        const resource = rowLock(table, key);
        if (wait === 'wait') database.locks.acquire(transaction, resource, mode);
        else if (!database.locks.tryAcquire(transaction, resource, mode)) {
          if (wait === 'skip locked') return false;
          throw new DatabaseError('55P03', `could not obtain lock on row in relation "${table.name}"`);
        }
        return true;
      },
    };
  }

  /** Rows of open portals are read to the end before this transaction writes under them. */
  settlePortals(except: Portal): void {
    for (const portal of this.#portals) if (portal !== except) portal.materialize();
  }

  track(portal: Portal): void {
    this.#portals.add(portal);
  }

  untrack(portal: Portal): void {
    this.#portals.delete(portal);
  }

  // Statements that are not planned

  /** @throws LockWait when it must wait: it is undone and may be run again */
  runUtility(
    statement: Statement,
    sink: RowSink,
  ): { readonly tag: string; readonly durable?: Promise<void> | undefined } {
    this.#refuseInFailed(statement);
    switch (statement.kind) {
      case 'begin':
        return this.#runBegin(statement.modes, statement.start ? 'START TRANSACTION' : 'BEGIN');
      case 'commit':
        return this.#runCommit();
      case 'rollback':
        return this.#runRollback();
      case 'savepoint':
      case 'release':
      case 'rollback-to':
        return this.#runSavepoint(statement.kind, statement.name);
      case 'set-transaction':
        return this.#runSetTransaction(statement.session, statement.modes);
      case 'set':
        this.#runSet(statement);
        return { tag: statement.values === undefined ? 'RESET' : 'SET' };
      case 'show':
        return this.#runShow(statement.name, sink);
      case 'explain':
        return this.#runExplain(statement.statement, sink);
      case 'discard':
        return this.#runDiscard();
      case 'deallocate':
        return { tag: statement.name === undefined ? 'DEALLOCATE ALL' : 'DEALLOCATE' };
      case 'lock':
        return this.#runLock(statement);
      case 'empty':
        return { tag: '' };
      default:
        return { tag: this.#runDdl(statement) };
    }
  }

  #runBegin(modes: TransactionModes, tag: string): { tag: string } {
    if (this.#transaction !== undefined && !this.#implicit) {
      this.#events.notice({
        severity: 'WARNING',
        code: '25001',
        message: 'there is already a transaction in progress',
      });
      return { tag };
    }
    this.#begin(false);
    this.#implicit = false;
    this.#applyModes(modes);
    return { tag };
  }

  #applyModes({ isolation, readOnly }: TransactionModes): void {
    const transaction = this.#transaction!;
    if (isolation !== undefined && isolation !== transaction.isolation) {
      if (transaction.started)
        throw new DatabaseError('25001', 'SET TRANSACTION ISOLATION LEVEL must be called before any query');
      transaction.isolation = isolation;
    }
    if (readOnly !== undefined) transaction.readOnly = readOnly;
  }

  #runCommit(): { tag: string; durable?: Promise<void> | undefined } {
    if (this.#transaction === undefined || this.#implicit) {
      this.#events.notice({
        severity: 'WARNING',
        code: '25P01',
        message: 'there is no transaction in progress',
      });
      return this.#implicit ? { tag: 'COMMIT', durable: this.#commit() } : { tag: 'COMMIT' };
    }
    if (this.#status === 'failed') return this.#runRollback();
    return { tag: 'COMMIT', durable: this.#commit() };
  }

  #runRollback(): { tag: string } {
    if (this.#transaction === undefined || this.#implicit)
      this.#events.notice({
        severity: 'WARNING',
        code: '25P01',
        message: 'there is no transaction in progress',
      });
    this.#end(false);
    return { tag: 'ROLLBACK' };
  }

  #runSavepoint(kind: 'savepoint' | 'release' | 'rollback-to', name: string): { tag: string } {
    const words = {
      savepoint: 'SAVEPOINT',
      release: 'RELEASE SAVEPOINT',
      'rollback-to': 'ROLLBACK TO SAVEPOINT',
    }[kind];
    if (this.#transaction === undefined || this.#implicit)
      throw new DatabaseError('25P01', `${words} can only be used in transaction blocks`);
    const { savepoints } = this.#transaction;
    if (kind === 'savepoint') {
      savepoints.push(this.#transaction.savepoint(name, this.database.catalog));
      return { tag: 'SAVEPOINT' };
    }
    const at = savepoints.findLastIndex((savepoint) => savepoint.name === name);
    if (at < 0) throw new DatabaseError('3B001', `savepoint "${name}" does not exist`);
    if (kind === 'release') {
      savepoints.length = at;
      return { tag: 'RELEASE' };
    }
    this.database.sequences.undoRestarts(this.#transaction.rewind(savepoints[at]!));
    savepoints.length = at + 1;
    this.#status = 'active';
    return { tag: 'ROLLBACK' };
  }

  #runSetTransaction(session: boolean, modes: TransactionModes): { tag: string } {
    if (session) {
      if (modes.isolation !== undefined)
        this.settings.set('default_transaction_isolation', modes.isolation, false, false);
      if (modes.readOnly !== undefined)
        this.settings.set('default_transaction_read_only', modes.readOnly ? 'on' : 'off', false, false);
    } else if (this.#transaction === undefined || this.#implicit)
      this.#events.notice({
        severity: 'WARNING',
        code: '25P01',
        message: 'SET TRANSACTION can only be used in transaction blocks',
      });
    else this.#applyModes(modes);
    return { tag: 'SET' };
  }

  #runSet({ name, values, local }: Extract<Statement, { kind: 'set' }>): void {
    if (name === 'all' && values === undefined) {
      this.settings.reset();
      return;
    }
    if (name === 'transaction_isolation' && values !== undefined) {
      this.#runSetTransaction(false, { isolation: values[0] as Isolation });
      return;
    }
    const value =
      name === 'search_path'
        ? values?.map((item) => (/^[a-z_][a-z0-9_$]*$/.test(item) ? item : `"${item}"`)).join(', ')
        : values?.join(', ');
    this.settings.set(name, value, local, this.#transaction !== undefined);
  }

  #runShow(name: string, sink: RowSink): { tag: string } {
    if (name === 'all') for (const [setting, value] of this.settings.all()) sink([setting, value, '']);
    else if (name === 'transaction_isolation')
      sink([this.#transaction?.isolation ?? this.settings.show('default_transaction_isolation')]);
    else if (name === 'transaction_read_only') sink([this.#transaction?.readOnly === true ? 'on' : 'off']);
    else sink([this.settings.show(name)]);
    return { tag: 'SHOW' };
  }

  #runExplain(statement: Statement, sink: RowSink): { tag: string } {
    if (!isPlanned(statement)) throw notSupported(`EXPLAIN of ${statement.kind}`, statement.at);
    const c = this.bindContext();
    for (const line of describePlan(bindStatement(statement, c), c.catalog)) sink([line]);
    return { tag: 'EXPLAIN' };
  }

  #runDiscard(): { tag: string } {
    if (this.#transaction !== undefined && !this.#implicit)
      throw new DatabaseError('25001', 'DISCARD ALL cannot run inside a transaction block');
    this.settings.reset();
    this.database.locks.releaseAll(this.#sessionLocks);
    return { tag: 'DISCARD ALL' };
  }

  #runLock({ tables, mode, nowait }: Extract<Statement, { kind: 'lock' }>): { tag: string } {
    if (this.#transaction === undefined || this.#implicit)
      throw new DatabaseError('25P01', 'LOCK TABLE can only be used in transaction blocks');
    for (const name of tables) {
      const found = findTable(name, this.bindContext());
      if (found.kind === 'virtual')
        throw new DatabaseError('42501', `permission denied for table ${name.name}`);
      if (!nowait) this.lockTable(found.table.oid, mode as TableMode);
      else if (!this.database.locks.tryAcquire(this.transaction, `t${found.table.oid}`, mode as TableMode))
        throw new DatabaseError('55P03', `could not obtain lock on relation "${name.name}"`);
    }
    return { tag: 'LOCK TABLE' };
  }

  #runDdl(statement: Statement): string {
    this.#refuseReadOnly(statement.kind.replace('-', ' ').toUpperCase());
    const access = this.#ddlAccess();
    switch (statement.kind) {
      case 'create-table':
        createTable(statement, access);
        return 'CREATE TABLE';
      case 'create-index':
        createIndex(statement, access);
        return 'CREATE INDEX';
      case 'create-sequence':
        createSequence(statement, access);
        return 'CREATE SEQUENCE';
      case 'create-schema':
        createSchema(statement, access);
        return 'CREATE SCHEMA';
      case 'drop':
        drop(statement, access);
        return `DROP ${statement.what.toUpperCase()}`;
      case 'alter-table':
        alterTable(statement, access);
        return 'ALTER TABLE';
      case 'truncate':
        truncate(statement, access);
        return 'TRUNCATE TABLE';
      default:
        throw notSupported(statement.kind, statement.at);
    }
  }

  #ddlAccess(): DdlAccess {
    const { transaction, database } = this;
    return {
      catalog: () => this.catalog,
      bindContext: () => this.bindContext(),
      change: (changes: readonly CatalogChange[]) => {
        transaction.catalogChanges.push(...changes);
        transaction.catalog = this.catalog.with(changes, database.newEpoch());
      },
      newOid: () => database.newOid(),
      lockName: (schema, name) => database.locks.acquire(transaction, `n${schema}.${name}`, 'update'),
      lockTable: (table) => this.lockTable(table, 'access exclusive'),
      notice: (message, code = '00000') => this.#events.notice({ severity: 'NOTICE', code, message }),
      buildIndex: (table, index) =>
        this.#eachRow(table, (values, key, run) => this.#indexRow(table, index, values, key, run)),
      verifyRows: (table, column, check) => this.#verifyRows(table, column, check),
      fillColumn: (table, column) => this.#fillColumn(table, column),
      dropTree: (object) =>
        void transaction.droppedTrees.push(object.kind === 'table' ? rowTree(object) : indexTree(object)),
      restartSequence: (sequence) => {
        database.sequences.restart(sequence);
        transaction.restarted.push(sequence);
      },
    };
  }

  /** Every row as this transaction sees it now; the table is locked, so nobody changes it meanwhile. */
  #eachRow(table: Table, visit: (values: Value[], key: Buffer, run: Execution) => void): void {
    const { view, release } = this.openView();
    try {
      const run = this.execution([], view);
      const columns = table.columns.map((column) => ({
        name: column.name,
        type: column.type,
        table: table.oid,
        number: column.number,
      }));
      const load = rowLoader({ alias: '', columns, base: 0, source: { kind: 'table', table } });
      const rows = [...view.range(rowTree(table), {})];
      for (const entry of rows) {
        const frame: Frame = { row: [], outer: undefined, run };
        load(frame, entry);
        visit(frame.row, entry.key, run);
      }
    } finally {
      release();
    }
  }

  #indexRow(table: Table, index: Index, values: readonly Value[], rowKey: Buffer, run: Execution): void {
    const { key, exclusive } = indexKey(index, keyParts(index, table), values, rowKey);
    const { writes } = this.transaction;
    const tree = indexTree(index);
    if (exclusive && writes.get(tree, key) !== undefined) {
      const { fields } = duplicateKey(table, index, values, run);
      throw new DatabaseError('23505', `could not create unique index "${index.name}"`, {
        ...fields,
        detail: fields.detail?.replace('already exists', 'is duplicated'),
      });
    }
    writes.put(tree, key, rowKey);
  }

  #verifyRows(
    table: Table,
    column: Column | undefined,
    check: { readonly name: string; readonly expression: string } | undefined,
  ): void {
    const holds = check === undefined ? undefined : this.#compileCheck(table, check.expression);
    this.#eachRow(table, (values, _, run) => {
      if (column !== undefined && values[column.number - 1] === null)
        throw new DatabaseError(
          '23502',
          `column "${column.name}" of relation "${table.name}" contains null values`,
          { table: table.name, column: column.name },
        );
      if (holds?.({ row: values, outer: undefined, run }) === false)
        throw new DatabaseError(
          '23514',
          `check constraint "${check!.name}" of relation "${table.name}" is violated by some row`,
          { table: table.name, constraint: check!.name },
        );
    });
  }

  #compileCheck(table: Table, expression: string) {
    const c = this.bindContext();
    const bound = bindExpression(parseStoredExpression(expression, c.maxNesting), rowScope(table), c);
    return compileExpression(bound, compilerFor(c.catalog));
  }

  /** A default that is the same for every row is kept in the catalogue; else every row is written anew. */
  #fillColumn(table: Table, column: Column): string | undefined {
    if (column.default === undefined) return undefined;
    const c = this.bindContext();
    const bound = bindTarget(table, c).defaults[column.number - 1]!;
    const value = compileExpression(bound, compilerFor(c.catalog));
    const { view, release } = this.openView();
    try {
      const run = this.execution([], view);
      const frame: Frame = { row: [], outer: undefined, run };
      if (bound.kind === 'const' || !/nextval|random|uuid|clock_timestamp/.test(column.default)) {
        const first = value(frame);
        return first === null ? undefined : typeOf(column.type.oid).print(first, run.conversion);
      }
    } finally {
      release();
    }
    const types = table.columns.map((each) => each.type.oid);
    this.#eachRow(table, (values, key, run) => {
      values[column.number - 1] = value({ row: [], outer: undefined, run });
      this.transaction.writes.put(rowTree(table), key, encodeRow(values.slice(0, types.length), types));
    });
    return undefined;
  }
}

function undecided(index: number): DatabaseError {
  return new DatabaseError('42P18', `could not determine data type of parameter $${index}`);
}

function isPlanned(statement: Statement): boolean {
  return (
    statement.kind === 'select' ||
    statement.kind === 'insert' ||
    statement.kind === 'update' ||
    statement.kind === 'delete'
  );
}

function bindStatement(statement: Statement, c: BindContext): BoundStatement {
  switch (statement.kind) {
    case 'select':
      return { kind: 'select', query: bindQuery(statement.query, undefined, c) };
    case 'insert':
      return bindInsert(statement, c);
    case 'update':
      return bindUpdate(statement, c);
    case 'delete':
      return bindDelete(statement, c);
    default:
      throw notSupported(statement.kind, statement.at);
  }
}

const ROW_LOCKS = {
  update: 'update',
  'no key update': 'no key update',
  share: 'row share lock',
  'key share': 'key share',
} as const;

function startSelect(
  { query }: Extract<BoundStatement, { kind: 'select' }>,
  catalog: Catalog,
): Plan['start'] {
  const plan = planQuery(query, catalog);
  const width = query.columns.length;
  if (plan.locks.length === 0) {
    const factory = compileQuery(plan, catalog);
    return (run) => selectRunning(factory({ row: [], outer: undefined, run }), width);
  }
  return (run, access) => {
    const lock: LockTuple = (tuple) =>
      plan.locks.every(({ locking, relation, keyItem }) => {
        const key = tuple[keyItem] as Buffer | null;
        if (key === null) return true;
        const tree = rowTree((relation.source as { table: Table }).table);
        if (!access.lockTuple(relation, ROW_LOCKS[locking.strength], locking.wait, key)) return false;
        const seen = run.view.get(tree, key);
        const current = access.current(tree, key);
        if (seen === undefined || current === undefined || !seen.equals(current)) throw new RowChanged();
        return true;
      });
    return buffered(compileQuery(plan, catalog, lock)({ row: [], outer: undefined, run }), run, width);
  };
}

function selectRunning(tuples: Tuples, width: number): RunningStatement {
  return {
    next: () => tuples.next(),
    get tuple() {
      return tuples.tuple.length === width ? tuples.tuple : tuples.tuple.slice(0, width);
    },
    tag: (rows) => `SELECT ${rows}`,
  };
}

/** A query that locks may have to start again, so its rows are kept until all locks are held. */
function buffered(tuples: Tuples, run: Execution, width: number): RunningStatement {
  const rows: (readonly Value[])[] = [];
  let at = 0;
  let complete = false;
  const running = {
    tuple: [] as readonly Value[],
    next: (): Step => {
      while (!complete) {
        const step = tuples.next();
        if (step === PAUSE) return PAUSE;
        if (step === DONE) complete = true;
        else {
          run.hold(1);
          rows.push(tuples.tuple.slice(0, width));
        }
      }
      const row = rows[at++];
      if (row === undefined) return DONE;
      running.tuple = row;
      return ROW;
    },
    tag: (count: number) => `SELECT ${count}`,
  };
  return running;
}

const TAGS = { insert: 'INSERT 0', update: 'UPDATE', delete: 'DELETE' } as const;

function startChange(
  statement: Exclude<BoundStatement, { kind: 'select' }>,
  catalog: Catalog,
): Plan['start'] {
  const factory = compileChange(statement, catalog);
  return (run, access) => {
    const change = factory(run, access);
    let applied = false;
    let at = 0;
    const running = {
      tuple: [] as readonly Value[],
      next: (): Step => {
        if (!applied) {
          if (change.collect() === PAUSE) return PAUSE;
          change.apply();
          applied = true;
        }
        const row = change.output[at++];
        if (row === undefined) return DONE;
        running.tuple = row;
        return ROW;
      },
      tag: () => `${TAGS[statement.kind]} ${change.count}`,
    };
    return running;
  };
}

type Column = Table['columns'][number];

/** One execution of a prepared statement. */
export class Portal {
  readonly prepared: Prepared;
  readonly #backend: Backend;
  readonly #params: readonly Value[];
  #running: RunningStatement | undefined;
  #release: (() => void) | undefined;
  #plan: Plan | undefined;
  #rows = 0;
  #restarts = 0;
  #kept: (readonly Value[])[] | undefined;
  #finished: string | undefined;

  constructor(backend: Backend, prepared: Prepared, params: readonly Value[]) {
    this.#backend = backend;
    this.prepared = prepared;
    this.#params = params;
  }

  get columns(): readonly BoundColumn[] {
    return this.prepared.columns;
  }

  /**
   * Gives up to `maxRows` rows (0: all) to `sink`, as long as `more` says so.
   * @throws DatabaseError, after which the transaction has failed
   */
  run(maxRows: number, sink: RowSink, more: () => boolean): Outcome {
    try {
      return isPlanned(this.prepared.parsed.statement)
        ? this.#runPlanned(maxRows, sink, more)
        : this.#runUtility(sink);
    } catch (thrown) {
      this.close();
      this.#backend.fail();
      throw asDatabaseError(thrown);
    }
  }

  #runUtility(sink: RowSink): Outcome {
    if (this.#finished !== undefined) return { kind: 'done', tag: this.#finished };
    const { statement } = this.prepared.parsed;
    const backend = this.#backend;
    const undo = ENDING.has(statement.kind) ? undefined : backend.undoPoint();
    try {
      const { tag, durable } = backend.runUtility(statement, sink);
      this.#finished = tag;
      return durable === undefined ? { kind: 'done', tag } : { kind: 'commit', durable, tag };
    } catch (thrown) {
      if (!(thrown instanceof LockWait)) throw thrown;
      undo?.();
      return this.#waitFor(thrown);
    }
  }

  #waitFor({ resource, mode }: LockWait): Outcome {
    const { transaction, database } = this.#backend;
    return {
      kind: 'wait',
      subscribe: (granted) => {
        try {
          return database.locks.wait(transaction, resource, mode, granted);
        } catch (thrown) {
          this.#backend.fail();
          throw thrown;
        }
      },
    };
  }

  #runPlanned(maxRows: number, sink: RowSink, more: () => boolean): Outcome {
    if (this.#finished !== undefined) return { kind: 'done', tag: this.#finished };
    const backend = this.#backend;
    backend.beginTurn(this.#restarts < MAX_STATEMENT_RESTARTS);
    let undo: (() => void) | undefined;
    try {
      if (this.#kept !== undefined) return this.#giveKept(maxRows, sink);
      if (this.#running === undefined) {
        undo = backend.undoPoint();
        this.#start();
      } else if (this.#rows === 0) undo = backend.undoPoint();
      return this.#pull(maxRows, sink, more);
    } catch (thrown) {
      if (thrown instanceof LockWait) {
        undo?.();
        this.#restart();
        return this.#waitFor(thrown);
      }
      if (thrown instanceof RowChanged) {
        if (backend.transaction.isolation === 'repeatable read')
          throw new DatabaseError('40001', 'could not serialize access due to concurrent update');
        undo?.();
        this.#restart();
        return { kind: 'again' };
      }
      throw thrown;
    }
  }

  #start(): void {
    const backend = this.#backend;
    const { transaction } = backend;
    backend.checkInterrupts();
    this.#plan = backend.currentPlan(this.prepared);
    backend.lockTables(this.#plan);
    if (this.#plan.statement.kind !== 'select') backend.settlePortals(this);
    transaction.started = true;
    const { view, release } = backend.openView();
    this.#release = release;
    backend.track(this);
    this.#running = this.#plan.start(backend.execution(this.#params, view), backend.statementAccess());
  }

  #restart(): void {
    this.#release?.();
    this.#release = undefined;
    this.#running = undefined;
    this.#restarts++;
  }

  #pull(maxRows: number, sink: RowSink, more: () => boolean): Outcome {
    const running = this.#running!;
    for (let given = 0; maxRows === 0 || given < maxRows; ) {
      if (!more()) return { kind: 'again' };
      const step = running.next();
      if (step === PAUSE) return { kind: 'again' };
      if (step === DONE) return this.#finish(running.tag(this.#rows));
      sink(running.tuple);
      given++;
      this.#rows++;
    }
    return { kind: 'suspended' };
  }

  #finish(tag: string): Outcome {
    this.#finished = tag;
    this.close();
    return { kind: 'done', tag };
  }

  #giveKept(maxRows: number, sink: RowSink): Outcome {
    const kept = this.#kept!;
    const rows = kept.splice(0, maxRows === 0 ? kept.length : maxRows);
    for (const row of rows) sink(row);
    this.#rows += rows.length;
    if (maxRows !== 0 && rows.length === maxRows) return { kind: 'suspended' };
    return this.#finish(`SELECT ${this.#rows}`);
  }

  /** Reads the rest into memory, for the rows under it are about to change. */
  materialize(): void {
    if (this.#running === undefined || this.#kept !== undefined || this.#finished !== undefined) return;
    const rows: (readonly Value[])[] = [];
    const { maxWorkRows } = this.#backend.database.limits;
    for (;;) {
      const step = this.#running.next();
      if (step === DONE) break;
      if (step === ROW) rows.push([...this.#running.tuple]);
      if (rows.length > maxWorkRows)
        throw new DatabaseError('53200', 'out of memory', { detail: 'An open portal holds too many rows.' });
    }
    this.#kept = rows;
    this.#release?.();
    this.#release = undefined;
  }

  close(): void {
    this.#release?.();
    this.#release = undefined;
    this.#running = undefined;
    this.#backend.untrack(this);
  }
}
