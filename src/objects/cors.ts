/**
 * Cross-origin requests from browsers: refused, unless the configuration names the origin. Credentials of
 * the browser are never allowed; S3 requests carry their own. Source: the Fetch standard, "CORS protocol".
 */
import { S3Error } from './errors.ts';
import type { Fields } from './wire/fields.ts';
import type { ResponseField, S3Response } from './wire/message.ts';

const METHODS = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE'];
const EXPOSED =
  'ETag, Content-Length, Content-Range, Last-Modified, x-amz-request-id, x-amz-id-2, x-amz-checksum-crc32, ' +
  'x-amz-checksum-crc32c, x-amz-checksum-crc64nvme, x-amz-checksum-sha1, x-amz-checksum-sha256, x-amz-checksum-type';
const MAX_AGE_SECONDS = 600;

/** An OPTIONS request, which carries no signature. @throws S3Error InvalidRequest, AccessForbidden */
export function answerPreflight(fields: Fields, allowed: readonly string[]): S3Response {
  const method = fields.get('access-control-request-method');
  if (fields.get('origin') === undefined || method === undefined) {
    throw new S3Error('InvalidRequest', 'Insufficient information. Origin request header needed.');
  }
  const origin = corsFields(fields, allowed);
  if (origin.length === 0 || !METHODS.includes(method)) throw new S3Error('AccessForbidden');
  const requested = fields.get('access-control-request-headers');
  const headers: ResponseField[] = [
    ...origin,
    ['Access-Control-Allow-Methods', METHODS.join(', ')],
    ['Access-Control-Max-Age', String(MAX_AGE_SECONDS)],
  ];
  if (requested !== undefined) headers.push(['Access-Control-Allow-Headers', requested]);
  return { status: 200, headers };
}

/** What an answer to a request of an allowed origin carries; nothing for any other. */
export function corsFields(fields: Fields, allowed: readonly string[]): ResponseField[] {
  const origin = fields.get('origin');
  if (origin === undefined || !(allowed.includes('*') || allowed.includes(origin))) return [];
  return [
    ['Access-Control-Allow-Origin', allowed.includes('*') ? '*' : origin],
    ['Access-Control-Expose-Headers', EXPOSED],
    ['Vary', 'Origin'],
  ];
}
