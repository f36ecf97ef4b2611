import { DatabaseError } from '../errors.ts';

export interface DatabaseTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

const DEFAULT_PORT = 5432;

/** `postgres://user:password@host:port/database`. @throws DatabaseError 08000 for anything else */
export function parseDatabaseUrl(text: string): DatabaseTarget {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['postgres:', 'postgresql:'].includes(url.protocol) || url.username === '') {
    throw new DatabaseError('08000', 'a database URL is postgres://user:password@host:port/database');
  }
  const user = decodeURIComponent(url.username);
  return {
    host: url.hostname.replaceAll('[', '').replaceAll(']', ''),
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    user,
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)) || user,
  };
}
