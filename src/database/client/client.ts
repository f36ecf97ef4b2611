/**
 * A PostgreSQL client: a bounded pool of connections, statements with parameters, transactions. Works against
 * any server that does SCRAM-SHA-256. Values travel as text, both ways: who needs types looks at the columns.
 */
import { DatabaseError } from '../errors.ts';
import { ClientConnection, type ClientSettings, type ClientWorld, type TextResult } from './connection.ts';
import { parseDatabaseUrl } from './url.ts';

export interface DatabaseClientOptions extends ClientWorld {
  /** `postgres://user:password@host:port/database` */
  readonly url: string;
  /** Shown in pg_stat_activity. Default `octet`. */
  readonly applicationName?: string;
  /** Connections at once; further statements wait. Default 8. */
  readonly maxConnections?: number;
  /** Statements that may wait for a connection. Default 10,000. */
  readonly maxWaiting?: number;
  /** For connecting with login. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /** For each statement; 0 is none. Default 30,000. */
  readonly statementTimeoutMs?: number;
}

export interface DatabaseSession {
  /**
   * One statement; `$1` … in it are `parameters`, null for NULL.
   * @throws DatabaseError with the server's SQLSTATE; 08006 when it cannot be reached
   */
  query(sql: string, parameters?: readonly (string | null)[]): Promise<TextResult>;
}

export interface DatabaseClient extends DatabaseSession, AsyncDisposable {
  /** Statements separated by semicolons, in one implicit transaction. */
  script(sql: string): Promise<TextResult[]>;
  /** `work` between BEGIN and COMMIT on one connection; ROLLBACK when it throws. */
  transaction<Result>(work: (session: DatabaseSession) => Promise<Result>): Promise<Result>;
  /** Ends all connections; what waits fails. */
  close(): Promise<void>;
}

const DEFAULTS = {
  maxConnections: 8,
  maxWaiting: 10_000,
  connectTimeoutMs: 5_000,
  statementTimeoutMs: 30_000,
  maxMessageBytes: 64 * 1024 * 1024,
};

interface Waiter {
  resolve(connection: ClientConnection): void;
  reject(error: unknown): void;
}

/** Opens one connection, so that a wrong password is known at once. @throws DatabaseError */
export async function connectDatabase(options: DatabaseClientOptions): Promise<DatabaseClient> {
  const pool = new Pool(options);
  pool.release(await pool.take());
  return pool;
}

class Pool implements DatabaseClient {
  readonly #settings: ClientSettings;
  readonly #world: ClientWorld;
  readonly #maxConnections: number;
  readonly #maxWaiting: number;
  /** The last one used first: others may age out. */
  readonly #idle: ClientConnection[] = [];
  readonly #waiting: Waiter[] = [];
  #count = 0;
  #closed = false;

  constructor(options: DatabaseClientOptions) {
    const { connectTimeoutMs, statementTimeoutMs, maxMessageBytes } = { ...DEFAULTS, ...options };
    this.#world = options;
    this.#settings = {
      ...parseDatabaseUrl(options.url),
      applicationName: options.applicationName ?? 'octet',
      connectTimeoutMs,
      statementTimeoutMs,
      maxMessageBytes,
    };
    this.#maxConnections = options.maxConnections ?? DEFAULTS.maxConnections;
    this.#maxWaiting = options.maxWaiting ?? DEFAULTS.maxWaiting;
  }

  query(sql: string, parameters: readonly (string | null)[] = []): Promise<TextResult> {
    return this.#with((connection) => connection.query(sql, parameters));
  }

  script(sql: string): Promise<TextResult[]> {
    return this.#with((connection) => connection.script(sql));
  }

  transaction<Result>(work: (session: DatabaseSession) => Promise<Result>): Promise<Result> {
    return this.#with(async (connection) => {
      await connection.query('BEGIN', []);
      try {
        const result = await work({ query: (sql, parameters = []) => connection.query(sql, parameters) });
        await connection.query('COMMIT', []);
        return result;
      } catch (error) {
        // If ROLLBACK fails too, the connection is unusable and the server rolls back by itself.
        if (connection.usable && connection.status !== 'I')
          await connection.query('ROLLBACK', []).catch(() => undefined);
        throw error;
      }
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const waiter of this.#waiting.splice(0)) waiter.reject(closedError());
    for (const connection of this.#idle.splice(0)) connection.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async take(): Promise<ClientConnection> {
    if (this.#closed) throw closedError();
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (idle.usable) return idle;
      this.#count--;
    }
    if (this.#count >= this.#maxConnections) return this.#wait();
    this.#count++;
    try {
      return await ClientConnection.open(this.#settings, this.#world);
    } catch (error) {
      this.#count--;
      this.#passOn();
      throw error;
    }
  }

  release(connection: ClientConnection): void {
    // A connection left inside a transaction would carry it into somebody else's statement.
    const reusable = connection.usable && connection.status === 'I' && !this.#closed;
    if (!reusable) {
      connection.close();
      this.#count--;
      this.#passOn();
      return;
    }
    const next = this.#waiting.shift();
    if (next !== undefined) next.resolve(connection);
    else this.#idle.push(connection);
  }

  /** A place has become free without a connection in it: who waits longest opens a new one. */
  #passOn(): void {
    const next = this.#waiting.shift();
    if (next !== undefined) this.take().then(next.resolve, next.reject);
  }

  #wait(): Promise<ClientConnection> {
    const { promise, resolve, reject } = Promise.withResolvers<ClientConnection>();
    if (this.#waiting.length >= this.#maxWaiting)
      reject(new DatabaseError('53300', 'too many statements wait for a connection'));
    else this.#waiting.push({ resolve, reject });
    return promise;
  }

  async #with<Result>(work: (connection: ClientConnection) => Promise<Result>): Promise<Result> {
    const connection = await this.take();
    try {
      return await work(connection);
    } finally {
      this.release(connection);
    }
  }
}

function closedError(): DatabaseError {
  return new DatabaseError('08000', 'the database client was closed');
}
