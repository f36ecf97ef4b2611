/** How an object store is configured. */
import { OctetError } from '../core/errors.ts';
import { isLoopback } from '../core/net/loopback.ts';
import type { TlsIdentity } from '../core/net/network.ts';
import type { HttpLimits } from '../http/index.ts';
import type { ObjectsLimits } from './limits.ts';

export interface ObjectsOptions {
  /** Address to bind. Default 127.0.0.1. */
  readonly host: string;
  /** 0 lets the operating system choose. Default 9000. */
  readonly port: number;
  /** Default `octet`. */
  readonly accessKeyId: string;
  /** The default is for loopback only; binding elsewhere with it is refused. */
  readonly secretAccessKey: string;
  /** What requests must be signed for. Default us-east-1. */
  readonly region: string;
  /** Buckets whose objects anybody may GET and HEAD by key; listing and writing stay closed. Default none. */
  readonly publicRead: readonly string[];
  /** Buckets made at start when missing. Default none. */
  readonly buckets: readonly string[];
  /** Origins that browsers may come from, or `*`. Default none. */
  readonly corsOrigins: readonly string[];
  /** Virtual-host style addresses: `<bucket>.<domain>`. Default: path style only. */
  readonly domain?: string;
  readonly tls?: TlsIdentity;
  readonly limits?: Partial<ObjectsLimits>;
  /** Bounds of the HTTP server, before those that follow from `limits`; those of src/http/limits.ts where absent. */
  readonly httpLimits?: Partial<HttpLimits>;
}

export const DEFAULT_OBJECTS_OPTIONS: ObjectsOptions = {
  host: '127.0.0.1',
  port: 9000,
  accessKeyId: 'octet',
  secretAccessKey: 'octet-development',
  region: 'us-east-1',
  publicRead: [],
  buckets: [],
  corsOrigins: [],
};

export class ObjectsOptionsError extends OctetError<'invalid-options'> {
  constructor(message: string) {
    super('invalid-options', message);
  }
}

/** @throws ObjectsOptionsError for the development secret on an address that others can reach */
export function requireSafe({ host, secretAccessKey, accessKeyId }: ObjectsOptions): void {
  if (accessKeyId === '' || secretAccessKey === '') {
    throw new ObjectsOptionsError('objects: accessKeyId and secretAccessKey must not be empty');
  }
  if (secretAccessKey !== DEFAULT_OBJECTS_OPTIONS.secretAccessKey || isLoopback(host)) return;
  throw new ObjectsOptionsError(
    `objects: the development secret works on loopback only; set secretAccessKey to listen on ${host}`,
  );
}
