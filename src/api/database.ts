/** The little that the API needs of a database, so that tables can be tested without one. */

export interface Column {
  readonly name: string;
  /** PostgreSQL's type name: `int4`, `text`, `timestamptz`, `jsonb` … */
  readonly type: string;
}

export type SqlValue = string | number | bigint | boolean | null;

export interface QueryResult {
  readonly columns: readonly Column[];
  /** Values by column, in PostgreSQL's text form; null for NULL. */
  readonly rows: readonly (readonly (string | null)[])[];
}

export interface Session {
  /** Parameters are `$1` … in `sql`. @throws an error with `sqlState` */
  query(sql: string, parameters?: readonly SqlValue[]): Promise<QueryResult>;
}

export interface Database extends Session {
  /** Runs `work` on one connection between BEGIN and COMMIT; ROLLBACK when it throws. */
  transaction<Result>(work: (session: Session) => Promise<Result>): Promise<Result>;
  close(): Promise<void>;
}

/** A name as SQL takes any text for one. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
