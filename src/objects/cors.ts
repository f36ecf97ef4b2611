/**
 * Cross-origin requests from browsers: refused, unless the configuration names the origin. The rules are HTTP's
 * (http/cors); S3 answers 200 to a preflight, and words its refusals as XML. Credentials of the browser are never
 * allowed, for S3 requests carry their own; so a page may set whatever field it signs.
 */
import { CorsError, CorsPolicy, isPreflight } from '../http/cors/index.ts';
import type { HttpRequest } from '../http/index.ts';
import { S3Error } from './errors.ts';
import { ObjectsOptionsError } from './options.ts';
import type { S3Response } from './wire/message.ts';

const METHODS = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE'];
const EXPOSED = [
  'ETag',
  'Content-Length',
  'Content-Range',
  'Last-Modified',
  'x-amz-request-id',
  'x-amz-id-2',
  'x-amz-checksum-crc32',
  'x-amz-checksum-crc32c',
  'x-amz-checksum-crc64nvme',
  'x-amz-checksum-sha1',
  'x-amz-checksum-sha256',
  'x-amz-checksum-type',
];

/**
 * @param origins of browsers; `*` among them is all
 * @returns undefined when there are none: no answer depends on the origin then
 * @throws ObjectsOptionsError for what no browser sends as an origin
 */
export function corsPolicy(origins: readonly string[]): CorsPolicy | undefined {
  if (origins.length === 0) return undefined;
  const isAll = origins.includes('*');
  try {
    return new CorsPolicy({
      origins: isAll ? '*' : origins,
      methods: METHODS,
      requestFields: '*',
      exposedFields: EXPOSED,
      // A listed origin is meant; to all of the public web the machine's own network stays closed.
      privateNetwork: !isAll,
    });
  } catch (thrown) {
    if (thrown instanceof CorsError) throw new ObjectsOptionsError(`objects: corsOrigins: ${thrown.message}`);
    throw thrown;
  }
}

/** An OPTIONS request, which carries no signature. @throws S3Error InvalidRequest, AccessForbidden */
export function answerPreflight(request: HttpRequest, policy: CorsPolicy | undefined): S3Response {
  if (!isPreflight(request)) {
    throw new S3Error('InvalidRequest', 'Insufficient information. Origin request header needed.');
  }
  const preflight = policy?.preflight(request.headers);
  if (preflight?.kind !== 'allowed') throw new S3Error('AccessForbidden');
  return { status: 200, headers: preflight.headers };
}
