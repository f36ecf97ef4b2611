/**
 * What all sessions of one database share: the store, the catalogue, locks, sequences, the numbers of rows.
 * Everything here is synchronous; only a commit's durability is a promise.
 *
 * A commit is visible to other sessions as soon as `commit` returns, and locks go with it: the fsync is outside
 * of every lock. What keeps that honest is that no reply leaves before `settled`.
 */
import { DatabaseError } from '../errors.ts';
import type { DatabaseLimits } from '../limits.ts';
import {
  Catalog,
  type CatalogChange,
  type CatalogObject,
  FIRST_USER_OID,
  PUBLIC,
  type Sequence,
  type Table,
} from './catalog/catalog.ts';
import { decodeObject, encodeObject } from './catalog/object-codec.ts';
import type { SessionActivity } from './execute/run.ts';
import type { RowView } from './execute/view.ts';
import { SequenceTable } from './sequences.ts';
import { CATALOG_TREE, oidKey, rowNumberKey, rowTree } from './storage/trees.ts';
import { LockTable } from './transactions/locks.ts';
import type { StoreSnapshot, Transaction } from './transactions/transaction.ts';

export type StoreChange =
  | { readonly kind: 'put'; readonly tree: string; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: 'delete'; readonly tree: string; readonly key: Uint8Array }
  | { readonly kind: 'delete-range'; readonly tree: string; readonly from: Uint8Array };

/** The storage this engine asks for; `../store.ts` gives it on core/store. */
export interface RowStore extends RowView {
  snapshot(): StoreSnapshot;
  /** Visible at once, durable when the promise resolves. */
  commit(changes: readonly StoreChange[]): Promise<void>;
  settled(): Promise<void> | undefined;
}

/** Time, randomness and names from outside. */
export interface DatabaseSurroundings {
  /** Wall-clock time, milliseconds since 1970. */
  now(): number;
  /** Milliseconds that never go back. */
  monotonic(): number;
  /** 0 <= n < bound */
  below(bound: number): number;
  uuid(): string;
  readonly name: string;
  readonly user: string;
  readonly limits: DatabaseLimits;
}

/** A session that others can see and stop. */
export interface Activity extends SessionActivity {
  cancel(): void;
}

const OID_COUNTER_KEY = oidKey(0);

export class Database {
  readonly store: RowStore;
  readonly surroundings: DatabaseSurroundings;
  readonly locks = new LockTable();
  readonly sequences: SequenceTable;
  readonly activities = new Map<number, Activity>();
  #catalog: Catalog;
  #nextOid: number;
  #savedOid: number;
  #nextTransaction = 1;
  #epoch = 1;
  #undoneCommits = 0;
  readonly #nextRow = new Map<string, bigint>();

  constructor(store: RowStore, surroundings: DatabaseSurroundings) {
    this.store = store;
    this.surroundings = surroundings;
    const { objects, nextOid } = loadCatalog(store);
    this.#catalog = Catalog.of(objects);
    this.#nextOid = nextOid;
    this.#savedOid = nextOid;
    this.sequences = new SequenceTable(store, (thrown) => this.#undone(thrown));
  }

  get catalog(): Catalog {
    return this.#catalog;
  }

  get limits(): DatabaseLimits {
    return this.surroundings.limits;
  }

  /** How often commits were undone. A transaction that began before may have seen what was undone. */
  get undoneCommits(): number {
    return this.#undoneCommits;
  }

  newTransactionId(): number {
    return this.#nextTransaction++;
  }

  /** Never given twice, even when the transaction fails. */
  newOid(): number {
    return this.#nextOid++;
  }

  newEpoch(): number {
    this.#epoch += 1;
    return this.#epoch;
  }

  nextRowKey(table: Table): Buffer {
    const tree = rowTree(table);
    let next = this.#nextRow.get(tree);
    if (next === undefined) {
      const last = this.store.range(tree, { reverse: true }).next();
      next = last.done === true ? 1n : last.value.key.readBigUInt64BE() + 1n;
    }
    this.#nextRow.set(tree, next + 1n);
    return rowNumberKey(next);
  }

  /**
   * Makes a transaction's changes visible, all at once.
   * @returns a promise of their durability; undefined when there was nothing to write
   * @throws DatabaseError 40001 when a commit that it may have seen was undone since it began
   */
  commit(transaction: Transaction): Promise<void> | undefined {
    if (!transaction.hasChanges) return undefined;
    if (transaction.undoneCommits !== this.#undoneCommits)
      throw new DatabaseError(
        '40001',
        'could not serialize access: a transaction seen by this one was undone',
      );
    const { catalogChanges } = transaction;
    const changes: StoreChange[] = [];
    for (const tree of transaction.droppedTrees)
      changes.push({ kind: 'delete-range', tree, from: Buffer.alloc(0) });
    const dropped = new Set(transaction.droppedTrees);
    for (const [tree, key, value] of transaction.writes.entries()) {
      if (dropped.has(tree)) continue;
      changes.push(value === null ? { kind: 'delete', tree, key } : { kind: 'put', tree, key, value });
    }
    changes.push(
      ...this.#catalogRows(catalogChanges),
      ...this.sequences.commitRestarts(transaction.restarted),
    );
    const durable = this.store.commit(changes);
    if (catalogChanges.length > 0) this.#catalog = this.#catalog.with(catalogChanges, this.newEpoch());
    return durable.catch((thrown: unknown) => {
      this.#undone(thrown, transaction);
      throw commitError(thrown);
    });
  }

  #catalogRows(changes: readonly CatalogChange[]): StoreChange[] {
    const rows = changes.flatMap((change): StoreChange[] => {
      if (change.kind === 'remove') return this.#removalRows(change.oid);
      return [
        {
          kind: 'put',
          tree: CATALOG_TREE,
          key: oidKey(change.object.oid),
          value: encodeObject(change.object),
        },
      ];
    });
    if (this.#nextOid !== this.#savedOid) {
      rows.push({ kind: 'put', tree: CATALOG_TREE, key: OID_COUNTER_KEY, value: oidKey(this.#nextOid) });
      this.#savedOid = this.#nextOid;
    }
    return rows;
  }

  #removalRows(oid: number): StoreChange[] {
    const row: StoreChange = { kind: 'delete', tree: CATALOG_TREE, key: oidKey(oid) };
    return this.#catalog.get(oid)?.kind === 'sequence' ? [row, this.sequences.drop(oid)] : [row];
  }

  /** The store refused a commit or went back to before it: so does what is kept in memory of it. */
  #undone(thrown: unknown, transaction?: Transaction): void {
    if (NEVER_VISIBLE.has(codeOf(thrown))) this.sequences.forget(transaction?.restarted);
    else {
      this.#undoneCommits += 1;
      this.sequences.forget();
    }
    // The counter may have been in the commit: the next one that changes the catalogue writes it again.
    this.#savedOid = 0;
    if (transaction === undefined || transaction.catalogChanges.length === 0) return;
    this.#catalog = Catalog.of(loadCatalog(this.store).objects).with([], this.newEpoch());
  }

  /** A sequence's row in the catalogue as of now, for functions that name it by OID. */
  sequence(oid: number, catalog: Catalog): Sequence {
    const object = catalog.get(oid);
    if (object?.kind !== 'sequence')
      throw new DatabaseError(
        '42809',
        object === undefined || object.kind === 'schema'
          ? `relation with OID ${oid} does not exist`
          : `"${object.name}" is not a sequence`,
      );
    return object;
  }
}

/** Refusals of the store that come before anybody can see the commit. */
const NEVER_VISIBLE: ReadonlySet<unknown> = new Set(['overloaded', 'read-only', 'too-large']);

function codeOf(thrown: unknown): unknown {
  return typeof thrown === 'object' && thrown !== null && 'code' in thrown ? thrown.code : undefined;
}

/** The store says whether nothing was changed or, once the disk has failed, that nobody can know. */
function commitError(thrown: unknown): DatabaseError {
  const origin = { cause: thrown, fault: 'local' } as const;
  switch (codeOf(thrown)) {
    case 'no-space':
      return new DatabaseError('53100', 'could not write the transaction: no space left on device', origin);
    case 'overloaded':
      return new DatabaseError(
        '53000',
        'could not write the transaction: too many wait for the disk',
        origin,
      );
    case 'read-only':
      return new DatabaseError('58030', 'could not write the transaction: the disk has failed', {
        ...origin,
        detail: 'Nothing of it was stored. What was stored before can be read.',
        hint: 'Restart the service when the disk is sound again.',
      });
    case 'too-large':
      return new DatabaseError('54000', 'transaction is too large', { cause: thrown });
    default:
      return new DatabaseError('08007', 'could not make the transaction durable; its outcome is unknown', {
        ...origin,
        severity: 'FATAL',
      });
  }
}

function loadCatalog(store: RowView): { objects: CatalogObject[]; nextOid: number } {
  const objects: CatalogObject[] = [];
  let nextOid = FIRST_USER_OID;
  for (const { key, value } of store.range(CATALOG_TREE, {})) {
    const oid = key.readUInt32BE();
    if (oid === 0) nextOid = value.readUInt32BE();
    else objects.push(decodeObject(value));
  }
  if (!objects.some(({ oid }) => oid === PUBLIC))
    objects.push({ kind: 'schema', oid: PUBLIC, name: 'public' });
  return { objects, nextOid };
}
