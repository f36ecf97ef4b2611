/** Every bound of the API, with its unit and the reason. */
export interface ApiLimits {
  /** Octets of a JSON request body. Fastify: 1 MiB. */
  readonly maxBodyBytes: number;
  /** Rows of one page, and how many when nobody says. PostgREST has no bound unless `db-max-rows` is set. */
  readonly maxPageRows: number;
  readonly defaultPageRows: number;
  /** Conditions in one query string: each is a comparison per row. */
  readonly maxFilters: number;
  /** Octets of a row that is kept in the cache; larger ones are read from the database each time. */
  readonly maxCachedRowBytes: number;
  /** Octets of one file put through `/files`. S3's own bound for one PUT is 5 GiB. */
  readonly maxFileBytes: number;
  /** Characters of a file's name. S3: 1,024 octets. */
  readonly maxFileNameLength: number;
  /** An event not yet confirmed by the queue is told again after this. */
  readonly outboxRetryMs: number;
  /** Events told again in one round. */
  readonly outboxBatch: number;
  /** How long `/readyz` waits for each of the services behind. */
  readonly readinessTimeoutMs: number;
}

const MiB = 1024 * 1024;

export const DEFAULT_API_LIMITS: ApiLimits = {
  maxBodyBytes: MiB,
  maxPageRows: 1_000,
  defaultPageRows: 100,
  maxFilters: 16,
  maxCachedRowBytes: 64 * 1024,
  maxFileBytes: 5 * 1024 * MiB,
  maxFileNameLength: 900,
  outboxRetryMs: 5_000,
  outboxBatch: 100,
  readinessTimeoutMs: 2_000,
};
