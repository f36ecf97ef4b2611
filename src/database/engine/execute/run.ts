/**
 * What one running statement carries: parameters, time, randomness, the catalogue it was bound to, and the
 * verbs of its session that functions such as nextval and current_setting need.
 */
import type { Catalog } from '../catalog/catalog.ts';
import type { ConversionContext } from '../types/types.ts';
import type { Value } from '../types/values.ts';

/** A session as pg_stat_activity shows it. */
export interface SessionActivity {
  readonly processId: number;
  readonly user: string;
  readonly applicationName: string;
  readonly clientAddress: string;
  readonly state: string;
  readonly query: string;
  readonly startedAt: bigint;
}

/** What functions may ask of the session that runs them. */
export interface SessionFacts {
  readonly user: string;
  readonly database: string;
  readonly processId: number;
  readonly searchPath: readonly string[];
  setting(name: string): string | undefined;
  set(name: string, value: string, local: boolean): string;
  nextval(sequence: number): bigint;
  currval(sequence: number): bigint;
  lastval(): bigint;
  setval(sequence: number, value: bigint, isCalled: boolean): bigint;
  sequenceState(sequence: number): { readonly last: bigint; readonly isCalled: boolean };
  transactionId(): number;
  /** Advisory locks: true when taken. @throws LockWait when it must wait and `wait` is true */
  advisoryLock(key: string, shared: boolean, wait: boolean, forSession: boolean): boolean;
  advisoryUnlock(key: string, shared: boolean): boolean;
  cancelBackend(processId: number): boolean;
  activities(): Iterable<SessionActivity>;
}

export interface Run {
  readonly catalog: Catalog;
  readonly params: readonly Value[];
  readonly conversion: ConversionContext;
  readonly session: SessionFacts;
  /** Start of the transaction and of the statement, microseconds since 2000-01-01 UTC. */
  readonly transactionStart: bigint;
  readonly statementStart: bigint;
  clock(): bigint;
  randomFraction(): number;
  uuid(): string;
  /** Counts rows held in memory by sorts, hash tables and groups. @throws DatabaseError 53200 */
  hold(rows: number): void;
  /** True when the statement has used its slice of the event loop. */
  shouldPause(): boolean;
}
