/**
 * Which bucket and key a request is about:
 *
 *   path style           Host: 127.0.0.1:9000            /bucket/key
 *   virtual-host style   Host: bucket.s3.localhost:9000  /key          when `domain` is `s3.localhost`
 *
 * The path is decoded once and never normalised. Source: "Virtual hosting of buckets", Amazon S3 User Guide.
 */
import { S3Error } from '../errors.ts';
import { isBucketName, requireKey } from './names.ts';
import { decodeUri } from './uri-encoding.ts';

export interface Target {
  /** The whole path, decoded: what the signature covers. */
  readonly path: string;
  readonly bucket: string | undefined;
  readonly key: string | undefined;
}

/**
 * @param rawPath as received, undecoded
 * @throws S3Error InvalidURI, KeyTooLongError
 */
export function parseTarget(rawPath: string, host: string | undefined, domain: string | undefined): Target {
  const path = decodeUri(rawPath);
  if (path === undefined || !path.startsWith('/')) throw new S3Error('InvalidURI');
  const hosted = bucketOfHost(host, domain);
  if (hosted !== undefined) return { path, bucket: hosted, key: keyOf(path.slice(1)) };
  const slash = path.indexOf('/', 1);
  const bucket = slash < 0 ? path.slice(1) : path.slice(1, slash);
  if (bucket === '') {
    if (path.length > 1) throw new S3Error('InvalidBucketName', undefined, { elements: { BucketName: '' } });
    return { path, bucket: undefined, key: undefined };
  }
  return { path, bucket, key: slash < 0 ? undefined : keyOf(path.slice(slash + 1)) };
}

function keyOf(text: string): string | undefined {
  if (text === '') return undefined;
  requireKey(text);
  return text;
}

function bucketOfHost(host: string | undefined, domain: string | undefined): string | undefined {
  if (host === undefined || domain === undefined) return undefined;
  const colon = host.lastIndexOf(':');
  const name = (colon < 0 ? host : host.slice(0, colon)).toLowerCase();
  const suffix = `.${domain.toLowerCase()}`;
  if (!name.endsWith(suffix)) return undefined;
  const bucket = name.slice(0, -suffix.length);
  return isBucketName(bucket) ? bucket : undefined;
}
