/** The row store: SQL over the PostgreSQL protocol. */
export {
  connectDatabase,
  type DatabaseClient,
  type DatabaseClientOptions,
  type DatabaseSession,
} from './client/client.ts';
export { DatabaseError, type SqlState } from './errors.ts';
export { type DatabaseLimits, DEFAULT_DATABASE_LIMITS } from './limits.ts';
export {
  type DatabaseOptions,
  DEFAULT_DATABASE_OPTIONS,
  type RunningDatabase,
  startDatabase,
} from './server.ts';
