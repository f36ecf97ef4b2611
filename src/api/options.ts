/** What an instance of the API can be told. */
import type { HttpLimits } from '../http/index.ts';
import type { ApiLimits } from './limits.ts';

export interface ExposedTable {
  /** The column that names a row in a URL: its primary key, or one that is unique. */
  readonly key: string;
  /** How long a row may be served from the cache, seconds; 0 does without. */
  readonly cacheSeconds: number;
  /** The exchange told of each write, with `<table>.inserted`, `.updated` or `.deleted` as routing key;
   * '' tells nobody. */
  readonly exchange: string;
}

export interface ApiOptions {
  readonly host: string;
  /** 0 lets the operating system choose. */
  readonly port: number;
  /** Tells instances apart, in the `X-Served-By` field and in spans. */
  readonly name: string;
  /** Name of a table → how it is exposed. What is not named here cannot be reached. */
  readonly tables: Readonly<Record<string, ExposedTable>>;
  /** The bucket behind `/files`; '' for none. */
  readonly filesBucket: string;
  /** postgres://user:password@host:port/database */
  readonly databaseUrl: string;
  /** redis://default:password@host:port; needed when a table is cached. */
  readonly cacheUrl?: string;
  /** amqp://user:password@host:port; needed when a table has an exchange. */
  readonly queueUrl?: string;
  /** http://accessKeyId:secretAccessKey@host:port; needed when there is a bucket for files. */
  readonly objectsUrl?: string;
  readonly objectsRegion: string;
  /**
   * Names that the API is called by, beside addresses, names without a dot and those that nobody can own (`localhost`,
   * `a.test`): `shop.example.com`, `*.shop.example.com`, or `*` for all. Another Host is refused on loopback, where web
   * pages could reach it by names of their own; elsewhere only once this is given.
   */
  readonly allowedHosts?: readonly string[];
  /** Answers `GET /metrics`, in Prometheus' text format; without it there is no such resource. */
  readonly metricsText?: () => Promise<string>;
  readonly limits?: Partial<ApiLimits>;
  /** Bounds of the HTTP server; those of src/http/limits.ts where absent. */
  readonly httpLimits?: Partial<HttpLimits>;
}

export const DEFAULT_API_OPTIONS: Omit<ApiOptions, 'databaseUrl'> = {
  host: '127.0.0.1',
  port: 8081,
  name: 'api-1',
  tables: {},
  filesBucket: '',
  objectsRegion: 'us-east-1',
};
