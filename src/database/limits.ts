/**
 * Every bound of the row store: unit, default, reason, and what PostgreSQL does.
 */
export interface DatabaseLimits {
  /** Open connections. PostgreSQL: max_connections 100; ours cost a few KiB each, so more are allowed. */
  readonly maxConnections: number;
  /** Milliseconds from accept to the end of authentication. PostgreSQL: authentication_timeout 60 s. */
  readonly authenticationTimeoutMs: number;
  /** Milliseconds of silence outside a transaction before the session is ended; 0 = never.
   * PostgreSQL: idle_session_timeout 0. */
  readonly idleSessionTimeoutMs: number;
  /** Milliseconds of silence inside a transaction before it is rolled back and the session ended; 0 = never.
   * PostgreSQL: idle_in_transaction_session_timeout 0. It holds locks, so ours has a default. */
  readonly idleInTransactionTimeoutMs: number;
  /** Milliseconds one statement may take, waiting for locks included; 0 = never. PostgreSQL: 0. */
  readonly statementTimeoutMs: number;
  /** Milliseconds that replies may wait for a peer that does not read before its session is ended; 0 = never.
   * PostgreSQL: tcp_user_timeout 0. Such a session holds a snapshot and locks as an idle transaction does, so
   * ours has the same default; a reader that is merely slow has to take the replies of one flush, normally
   * `outputChunkBytes`, within it. */
  readonly writeStallTimeoutMs: number;
  /** Bytes of a startup packet. PostgreSQL: 10,000. */
  readonly maxStartupBytes: number;
  /** Bytes of a message before authentication is complete. PostgreSQL: 65,535 for SASL and passwords. */
  readonly maxAuthenticationBytes: number;
  /** Bytes of one message, checked before its body is kept. PostgreSQL: 1 GiB. */
  readonly maxMessageBytes: number;
  /** Bytes of replies kept for a peer that does not read; the executor pauses before. */
  readonly maxBufferedBytes: number;
  /** Bytes of result rows gathered before they are written out and the executor waits for the peer. */
  readonly outputChunkBytes: number;
  /** Milliseconds of the event loop that one statement takes before others have a turn. */
  readonly sliceMs: number;
  /** Prepared statements and portals per session; memory. PostgreSQL: none. */
  readonly maxStatementsPerSession: number;
  /** Nesting of expressions, subqueries and parentheses (54001). PostgreSQL: max_stack_depth 2 MB. */
  readonly maxNesting: number;
  /** Rows that one sort, hash table, grouping or materialised result may hold (53200). There is no
   * spilling to disk yet. PostgreSQL: work_mem, then temporary files. */
  readonly maxWorkRows: number;
  /** Bytes a transaction may write (54000): one commit of the store is atomic and bounded. */
  readonly maxTransactionBytes: number;
}

export const DEFAULT_DATABASE_LIMITS: DatabaseLimits = {
  maxConnections: 5_000,
  authenticationTimeoutMs: 30_000,
  idleSessionTimeoutMs: 0,
  idleInTransactionTimeoutMs: 300_000,
  statementTimeoutMs: 0,
  writeStallTimeoutMs: 300_000,
  maxStartupBytes: 10_000,
  maxAuthenticationBytes: 65_535,
  maxMessageBytes: 64 * 1024 * 1024,
  maxBufferedBytes: 128 * 1024 * 1024,
  outputChunkBytes: 64 * 1024,
  sliceMs: 4,
  maxStatementsPerSession: 10_000,
  maxNesting: 400,
  maxWorkRows: 2_000_000,
  maxTransactionBytes: 48 * 1024 * 1024,
};

/** Parameters of one Bind: the count is an unsigned 16-bit number on the wire. */
export const MAX_PARAMETERS = 65_535;
/** Columns of a table. PostgreSQL: 1,600. */
export const MAX_COLUMNS = 1_600;
/** Bytes of an identifier; longer ones are cut with a notice. PostgreSQL: NAMEDATALEN - 1. */
export const MAX_IDENTIFIER_BYTES = 63;
/** Bytes of one index key; a key of the store holds at most 1,024. PostgreSQL: 2,704 (a third of a page). */
export const MAX_INDEX_KEY_BYTES = 1_000;
/** Bytes of one row after encoding. PostgreSQL: 1 GiB a field. */
export const MAX_ROW_BYTES = 32 * 1024 * 1024;
/** Nesting of JSON documents. PostgreSQL: max_stack_depth. */
export const MAX_JSON_DEPTH = 500;
/** Restarts of one statement that met rows changed by others, before it goes on without giving up its turn. */
export const MAX_STATEMENT_RESTARTS = 16;
