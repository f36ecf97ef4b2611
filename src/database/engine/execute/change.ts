/**
 * INSERT, UPDATE and DELETE in two phases.
 *
 *   collect   reads, from the statement's snapshot; may pause; nothing is written
 *   apply     locks, checks and writes every row; runs in one go
 *
 * A row that somebody else holds throws LockWait out of `apply`; a row that was changed since the snapshot
 * throws RowChanged. The statement is then undone and run again, or fails, as its isolation level says.
 * So a statement never sees its own changes, and never writes over a change it has not read.
 */
import { DatabaseError } from '../../errors.ts';
import { MAX_ROW_BYTES } from '../../limits.ts';
import type { BoundReturning, BoundStatement, BoundTarget } from '../bind/bound.ts';
import type { Catalog, Column, Index, Table } from '../catalog/catalog.ts';
import { conjunctsOf, planFrom, planQuery } from '../plan/planner.ts';
import type { KeyPart } from '../storage/key-codec.ts';
import { encodeRow } from '../storage/row-codec.ts';
import { clusteredKey, indexKey, indexTree, keyParts, rowTree } from '../storage/trees.ts';
import type { LockMode } from '../transactions/locks.ts';
import { typeOf } from '../types/types.ts';
import type { Value } from '../types/values.ts';
import { compileQuery, compilerFor } from './compile.ts';
import { compileExpression } from './evaluate.ts';
import { DONE, type Evaluate, type Execution, type Frame, PAUSE, ROW, type Step } from './frame.ts';
import { compileSource, rowLoader } from './sources.ts';

/** What a change needs of its transaction. */
export interface ChangeAccess {
  /** The newest committed state under this transaction's own writes: what uniqueness is judged by. */
  current(tree: string, key: Uint8Array): Buffer | undefined;
  /** @throws LockWait */
  lock(resource: string, mode: LockMode): void;
  put(tree: string, key: Buffer, value: Buffer): void;
  delete(tree: string, key: Buffer): void;
  nextRowKey(table: Table): Buffer;
}

/** A row met by a change is not the one the statement's snapshot showed. */
export class RowChanged extends Error {
  override readonly name = 'RowChanged';
}

export interface RunningChange {
  collect(): Step;
  apply(): void;
  readonly count: number;
  /** RETURNING's rows. */
  readonly output: readonly (readonly Value[])[];
}

export type ChangeFactory = (run: Execution, access: ChangeAccess) => RunningChange;

export function compileChange(
  statement: Exclude<BoundStatement, { kind: 'select' }>,
  catalog: Catalog,
): ChangeFactory {
  return statement.kind === 'insert'
    ? compileInsert(statement, catalog)
    : compileUpdateOrDelete(statement, catalog);
}

interface IndexWriter {
  readonly index: Index;
  readonly parts: readonly KeyPart[];
  readonly tree: string;
}

/** A table as changes see it: its trees, codecs, checks. */
class TargetWriter {
  readonly table: Table;
  readonly tree: string;
  readonly indexes: readonly IndexWriter[];
  readonly #clustered: Index | undefined;
  readonly #types: readonly number[];
  readonly #checks: readonly { readonly name: string; readonly holds: Evaluate }[];

  constructor({ table, checks }: BoundTarget, catalog: Catalog) {
    this.table = table;
    this.tree = rowTree(table);
    const all = catalog.indexesOf(table.oid);
    this.#clustered = all.find((index) => index.clustered);
    this.indexes = all
      .filter((index) => !index.clustered)
      .map((index) => ({ index, parts: keyParts(index, table), tree: indexTree(index) }));
    this.#types = table.columns.map((column) => column.type.oid);
    this.#checks = checks.map(({ name, condition }) => ({
      name,
      holds: compileExpression(condition, compilerFor(catalog)),
    }));
  }

  get uniqueIndexes(): readonly Index[] {
    const others = this.indexes.filter(({ index }) => index.unique).map(({ index }) => index);
    return this.#clustered === undefined ? others : [this.#clustered, ...others];
  }

  encode(values: readonly Value[]): Buffer {
    const row = encodeRow(values, this.#types);
    if (row.length > MAX_ROW_BYTES)
      throw new DatabaseError('54000', `row is too big: size ${row.length}, maximum size ${MAX_ROW_BYTES}`);
    return row;
  }

  /** NOT NULL and CHECK. @throws DatabaseError 23502, 23514 */
  check(values: readonly Value[], run: Execution): void {
    for (const column of this.table.columns)
      if (column.notNull && column.dropped !== true && (values[column.number - 1] ?? null) === null)
        throw this.#nullIn(column, values, run);
    const frame: Frame = { row: [...values], outer: undefined, run };
    for (const { name, holds } of this.#checks)
      if (holds(frame) === false) throw this.#checkFailed(name, values, run);
  }

  #nullIn(column: Column, values: readonly Value[], run: Execution): DatabaseError {
    return new DatabaseError(
      '23502',
      `null value in column "${column.name}" of relation "${this.table.name}" violates not-null constraint`,
      {
        detail: this.#failingRow(values, run),
        schema: schemaName(this.table, run),
        table: this.table.name,
        column: column.name,
      },
    );
  }

  #checkFailed(name: string, values: readonly Value[], run: Execution): DatabaseError {
    return new DatabaseError(
      '23514',
      `new row for relation "${this.table.name}" violates check constraint "${name}"`,
      {
        detail: this.#failingRow(values, run),
        schema: schemaName(this.table, run),
        table: this.table.name,
        constraint: name,
      },
    );
  }

  #failingRow(values: readonly Value[], run: Execution): string {
    const shown = this.table.columns
      .filter((column) => column.dropped !== true)
      .map((column) => printValue(values[column.number - 1] ?? null, column.type.oid, run));
    return `Failing row contains (${shown.join(', ')}).`;
  }

  /** The key of the row that stands in the way of `values` in a unique index. Locks the key. */
  conflict(index: Index, values: readonly Value[], access: ChangeAccess): Buffer | undefined {
    if (index.clustered) {
      const key = clusteredKey(this.table, values)!;
      access.lock(rowLock(this.table, key), 'update');
      return access.current(this.tree, key) === undefined ? undefined : key;
    }
    const writer = this.indexes.find((candidate) => candidate.index === index)!;
    const { key, exclusive } = indexKey(index, writer.parts, values, Buffer.alloc(0));
    if (!exclusive) return undefined;
    access.lock(keyLock(index, key), 'update');
    return access.current(writer.tree, key);
  }

  insert(values: readonly Value[], access: ChangeAccess, run: Execution): Buffer {
    if (this.#clustered !== undefined && this.conflict(this.#clustered, values, access) !== undefined)
      throw this.duplicate(this.#clustered, values, run);
    const rowKey = clusteredKey(this.table, values) ?? access.nextRowKey(this.table);
    for (const writer of this.indexes) this.#addEntry(writer, values, rowKey, access, run);
    access.put(this.tree, rowKey, this.encode(values));
    return rowKey;
  }

  #addEntry(
    { index, parts, tree }: IndexWriter,
    values: readonly Value[],
    rowKey: Buffer,
    access: ChangeAccess,
    run: Execution,
  ): void {
    const { key, exclusive } = indexKey(index, parts, values, rowKey);
    if (exclusive) {
      access.lock(keyLock(index, key), 'update');
      if (access.current(tree, key) !== undefined) throw this.duplicate(index, values, run);
    }
    access.put(tree, key, rowKey);
  }

  /** @returns the row's key afterwards */
  update(
    rowKey: Buffer,
    before: readonly Value[],
    after: readonly Value[],
    access: ChangeAccess,
    run: Execution,
  ): Buffer {
    const moved = clusteredKey(this.table, after);
    const changesKey = moved !== undefined && !moved.equals(rowKey);
    const target = changesKey ? moved : rowKey;
    if (changesKey) {
      access.lock(rowLock(this.table, moved), 'update');
      if (access.current(this.tree, moved) !== undefined) throw this.duplicate(this.#clustered!, after, run);
      access.delete(this.tree, rowKey);
    }
    for (const writer of this.indexes) this.#moveEntry(writer, rowKey, before, target, after, access, run);
    access.put(this.tree, target, this.encode(after));
    return target;
  }

  #moveEntry(
    writer: IndexWriter,
    rowKey: Buffer,
    before: readonly Value[],
    target: Buffer,
    after: readonly Value[],
    access: ChangeAccess,
    run: Execution,
  ): void {
    const old = indexKey(writer.index, writer.parts, before, rowKey);
    const made = indexKey(writer.index, writer.parts, after, target);
    if (old.key.equals(made.key)) {
      if (!rowKey.equals(target)) access.put(writer.tree, made.key, target);
      return;
    }
    if (old.exclusive) access.lock(keyLock(writer.index, old.key), 'update');
    access.delete(writer.tree, old.key);
    this.#addEntry(writer, after, target, access, run);
  }

  delete(rowKey: Buffer, values: readonly Value[], access: ChangeAccess): void {
    for (const { index, parts, tree } of this.indexes) {
      const { key, exclusive } = indexKey(index, parts, values, rowKey);
      if (exclusive) access.lock(keyLock(index, key), 'update');
      access.delete(tree, key);
    }
    access.delete(this.tree, rowKey);
  }

  duplicate(index: Index, values: readonly Value[], run: Execution): DatabaseError {
    return duplicateKey(this.table, index, values, run);
  }
}

export function duplicateKey(
  table: Table,
  index: Index,
  values: readonly Value[],
  run: Execution,
): DatabaseError {
  const columns = index.columns.map(({ number }) => table.columns[number - 1]!);
  const shown = columns.map((column) => printValue(values[column.number - 1] ?? null, column.type.oid, run));
  return new DatabaseError('23505', `duplicate key value violates unique constraint "${index.name}"`, {
    detail: `Key (${columns.map(({ name }) => name).join(', ')})=(${shown.join(', ')}) already exists.`,
    schema: schemaName(table, run),
    table: table.name,
    constraint: index.name,
  });
}

function schemaName(table: Table, run: Execution): string | undefined {
  const schema = run.catalog.get(table.schema);
  return schema?.kind === 'schema' ? schema.name : undefined;
}

function printValue(value: Value, oid: number, run: Execution): string {
  return value === null ? 'null' : typeOf(oid).print(value, run.conversion);
}

export function rowLock(table: Table, key: Buffer): string {
  return `r${table.oid}.${key.toString('latin1')}`;
}

function keyLock(index: Index, key: Buffer): string {
  return `u${index.oid}.${key.toString('latin1')}`;
}

function compileReturning(
  returning: BoundReturning | undefined,
  catalog: Catalog,
): readonly Evaluate[] | undefined {
  return returning?.items.map((item) => compileExpression(item, compilerFor(catalog)));
}

type InsertStatement = Extract<BoundStatement, { kind: 'insert' }>;

function compileInsert(statement: InsertStatement, catalog: Catalog): ChangeFactory {
  const compiler = compilerFor(catalog);
  const { target, columns, onConflict } = statement;
  const source = compileQuery(planQuery(statement.query, catalog), catalog);
  const given = new Set(columns);
  const defaults = target.table.columns.flatMap((column) => {
    const bound = target.defaults[column.number - 1];
    return given.has(column.number) || bound === undefined || column.dropped === true
      ? []
      : [{ at: column.number - 1, value: compileExpression(bound, compiler) }];
  });
  const writer = new TargetWriter(target, catalog);
  const returning = compileReturning(statement.returning, catalog);
  const conflict = onConflict === undefined ? undefined : compileOnConflict(onConflict, writer, catalog);
  const width = target.table.columns.length;
  return (run, access) => {
    const root: Frame = { row: [], outer: undefined, run };
    const tuples = source(root);
    const rows: Value[][] = [];
    const output: Value[][] = [];
    const touched = new Set<string>();
    let count = 0;
    const report = (values: readonly Value[], rowKey: Buffer): void => {
      count++;
      if (returning === undefined) return;
      const frame: Frame = { row: [...values.slice(0, width), rowKey], outer: undefined, run };
      output.push(returning.map((item) => item(frame)));
    };
    const insertOne = (values: Value[]): void => {
      writer.check(values, run);
      const met = conflict?.find(values, access);
      if (met === undefined) {
        const key = writer.insert(values, access, run);
        if (conflict !== undefined) touched.add(key.toString('latin1'));
        report(values, key);
        return;
      }
      const updated = conflict!.resolve(met, values, touched, run, access);
      if (updated !== undefined) report(updated.values, updated.key);
    };
    return {
      output,
      get count() {
        return count;
      },
      collect: () => {
        for (;;) {
          const step = tuples.next();
          if (step !== ROW) return step;
          const values = new Array<Value>(width).fill(null);
          columns.forEach((number, i) => {
            values[number - 1] = tuples.tuple[i]!;
          });
          for (const { at, value } of defaults) values[at] = value(root);
          run.hold(1);
          rows.push(values);
        }
      },
      apply: () => rows.forEach(insertOne),
    };
  };
}

interface ConflictHandler {
  /** The key of the row that is in the way. */
  find(values: readonly Value[], access: ChangeAccess): Buffer | undefined;
  /** DO UPDATE's result; undefined when nothing was done. */
  resolve(
    rowKey: Buffer,
    values: readonly Value[],
    touched: Set<string>,
    run: Execution,
    access: ChangeAccess,
  ): { values: readonly Value[]; key: Buffer } | undefined;
}

function compileOnConflict(
  clause: NonNullable<InsertStatement['onConflict']>,
  writer: TargetWriter,
  catalog: Catalog,
): ConflictHandler {
  const compiler = compilerFor(catalog);
  const indexes = writer.uniqueIndexes.filter(
    (index) => clause.indexes === undefined || clause.indexes.includes(index.oid),
  );
  const { update } = clause;
  const set =
    update?.set.map(({ column, value }) => ({ at: column - 1, value: compileExpression(value, compiler) })) ??
    [];
  const where = update?.where === undefined ? undefined : compileExpression(update.where, compiler);
  const load = rowLoader({
    alias: '',
    columns: writer.table.columns.map((column) => ({
      name: column.name,
      type: column.type,
      table: 0,
      number: 0,
    })),
    base: 0,
    source: { kind: 'table', table: writer.table },
  });
  const width = writer.table.columns.length;
  return {
    find: (values, access) => {
      for (const index of indexes) {
        const key = writer.conflict(index, values, access);
        if (key !== undefined) return key;
      }
      return undefined;
    },
    resolve: (rowKey, values, touched, run, access) => {
      requireVisible(writer.tree, rowKey, run, access);
      if (update === undefined) return undefined;
      const mark = rowKey.toString('latin1');
      if (touched.has(mark))
        throw new DatabaseError('21000', 'ON CONFLICT DO UPDATE command cannot affect row a second time', {
          hint: 'Ensure that no rows proposed for insertion within the same command have duplicate constrained values.',
        });
      access.lock(rowLock(writer.table, rowKey), 'update');
      const stored = access.current(writer.tree, rowKey);
      if (stored === undefined) throw new RowChanged();
      const frame: Frame = { row: new Array<Value>(2 * width + 2).fill(null), outer: undefined, run };
      load(frame, { key: rowKey, value: stored });
      for (let i = 0; i < width; i++) frame.row[width + 1 + i] = values[i]!;
      if (where !== undefined && where(frame) !== true) return undefined;
      const before = frame.row.slice(0, width);
      const after = [...before];
      for (const { at, value } of set) after[at] = value(frame);
      writer.check(after, run);
      const key = writer.update(rowKey, before, after, access, run);
      touched.add(key.toString('latin1'));
      return { values: after, key };
    },
  };
}

/** Under REPEATABLE READ a row that the snapshot does not show may not be built upon. */
function requireVisible(tree: string, rowKey: Buffer, run: Execution, access: ChangeAccess): void {
  const seen = run.view.get(tree, rowKey);
  const current = access.current(tree, rowKey);
  if (current === undefined || seen?.equals(current) === true) return;
  throw new RowChanged();
}

type ChangeStatement = Extract<BoundStatement, { kind: 'update' | 'delete' }>;

interface CollectedRow {
  readonly row: Value[];
  readonly rowKey: Buffer;
  readonly stored: Buffer;
  readonly changes: readonly Value[];
}

function compileUpdateOrDelete(statement: ChangeStatement, catalog: Catalog): ChangeFactory {
  const compiler = compilerFor(catalog);
  const source = compileSource(
    planFrom(statement.from, conjunctsOf(statement.where), [], catalog).source,
    compiler,
  );
  const set = statement.set.map(({ column, value }) => ({
    at: column - 1,
    value: compileExpression(value, compiler),
  }));
  const writer = new TargetWriter(statement.target, catalog);
  const returning = compileReturning(statement.returning, catalog);
  const { base } = statement.relation;
  const width = statement.target.table.columns.length;
  return (run, access) => {
    const frame: Frame = { row: new Array<Value>(statement.width).fill(null), outer: undefined, run };
    const rows = source(frame);
    const seen = new Set<string>();
    const collected: CollectedRow[] = [];
    const output: Value[][] = [];
    const collectRow = (): void => {
      const rowKey = frame.row[base + width] as Buffer;
      const mark = rowKey.toString('latin1');
      // A join may meet a row twice; the first match counts.
      if (seen.has(mark)) return;
      seen.add(mark);
      run.hold(1);
      const stored = run.view.get(writer.tree, rowKey)!;
      collected.push({
        row: frame.row.slice(),
        rowKey,
        stored,
        changes: set.map(({ value }) => value(frame)),
      });
    };
    const applyRow = ({ row, rowKey, stored, changes }: CollectedRow): void => {
      access.lock(rowLock(writer.table, rowKey), 'update');
      const current = access.current(writer.tree, rowKey);
      if (current === undefined || !current.equals(stored)) throw new RowChanged();
      const before = row.slice(base, base + width);
      if (statement.kind === 'delete') writer.delete(rowKey, before, access);
      else {
        set.forEach(({ at }, i) => {
          row[base + at] = changes[i]!;
        });
        const after = row.slice(base, base + width);
        writer.check(after, run);
        writer.update(rowKey, before, after, access, run);
      }
      if (returning !== undefined) output.push(returning.map((item) => item({ row, outer: undefined, run })));
    };
    return {
      output,
      get count() {
        return collected.length;
      },
      collect: () => {
        for (;;) {
          const step = rows.next();
          if (step === PAUSE || step === DONE) return step;
          collectRow();
        }
      },
      apply: () => collected.forEach(applyRow),
    };
  };
}
