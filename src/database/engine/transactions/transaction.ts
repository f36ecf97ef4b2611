/**
 * One transaction: what it sees, what it has written, and how far it has come.
 *
 *   READ COMMITTED    each statement sees what was committed when it began; a row that changed since is met
 *                     by running the statement again on the new state
 *   REPEATABLE READ   one snapshot for all; a row that changed since is 40001
 *   SERIALIZABLE      two-phase locking on tables: reading takes SHARE, writing ROW EXCLUSIVE, held to the
 *                     end; a circle of waits is 40P01
 *
 * Writes are kept here until the commit, so nobody ever reads what is not committed.
 */
import type { Catalog, CatalogChange, Sequence } from '../catalog/catalog.ts';
import type { ReadRange, RowEntry, RowView } from '../execute/view.ts';
import type { LockOwner } from './locks.ts';
import { overlay, WriteSet } from './write-set.ts';

export type Isolation = 'read committed' | 'repeatable read' | 'serializable';

/** A view of the store that stays the same until it is released. */
export interface StoreSnapshot extends RowView {
  release(): void;
}

export interface Savepoint {
  readonly name: string;
  readonly mark: number;
  readonly catalog: Catalog;
  readonly changes: number;
  readonly dropped: number;
  readonly restarted: number;
}

export class Transaction implements LockOwner {
  readonly id: number;
  readonly processId: number;
  readonly session: object;
  readonly startedAt: bigint;
  /** `Database.undoneCommits` when it began. */
  readonly undoneCommits: number;
  isolation: Isolation;
  readOnly: boolean;
  /** The catalogue with this transaction's own changes; undefined while it has made none. */
  catalog: Catalog | undefined;
  readonly catalogChanges: CatalogChange[] = [];
  /** Trees to be emptied at the commit. */
  readonly droppedTrees: string[] = [];
  /** Sequences that begin again with the commit. */
  readonly restarted: Sequence[] = [];
  readonly writes: WriteSet;
  readonly savepoints: Savepoint[] = [];
  /** The one snapshot of REPEATABLE READ. */
  snapshot: StoreSnapshot | undefined;
  /** True after the first statement that reads or writes: the isolation level is fixed then. */
  started = false;

  constructor(
    id: number,
    processId: number,
    session: object,
    isolation: Isolation,
    readOnly: boolean,
    startedAt: bigint,
    undoneCommits: number,
    maxBytes: number,
  ) {
    this.id = id;
    this.processId = processId;
    this.session = session;
    this.isolation = isolation;
    this.readOnly = readOnly;
    this.startedAt = startedAt;
    this.undoneCommits = undoneCommits;
    this.writes = new WriteSet(maxBytes);
  }

  get hasChanges(): boolean {
    return !this.writes.isEmpty || this.catalogChanges.length > 0 || this.droppedTrees.length > 0;
  }

  savepoint(name: string, common: Catalog): Savepoint {
    return {
      name,
      mark: this.writes.mark(),
      catalog: this.catalog ?? common,
      changes: this.catalogChanges.length,
      dropped: this.droppedTrees.length,
      restarted: this.restarted.length,
    };
  }

  /** @returns the sequences whose restart is undone */
  rewind({ mark, catalog, changes, dropped, restarted }: Savepoint): Sequence[] {
    this.writes.rewind(mark);
    this.catalogChanges.length = changes;
    this.droppedTrees.length = dropped;
    this.catalog = changes === 0 ? undefined : catalog;
    return this.restarted.splice(restarted);
  }

  /** What this transaction sees through a snapshot of the store. */
  viewOf(below: RowView): RowView {
    const { writes } = this;
    return {
      get: (tree, key) => {
        const written = writes.get(tree, key);
        return written === undefined ? below.get(tree, key) : (written ?? undefined);
      },
      range: (tree: string, range: ReadRange): IterableIterator<RowEntry> => {
        const above = writes.range(tree, range);
        const entries = below.range(tree, range);
        return above === undefined ? entries : overlay(entries, above, range.reverse === true);
      },
    };
  }
}
