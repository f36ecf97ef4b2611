/**
 * The `x-amz-*` fields that this server understands. Any other is refused as S3 refuses one it cannot honour,
 * so that nobody believes an object encrypted, locked or tagged which is not.
 */
import { S3Error } from '../errors.ts';
import type { Fields } from './fields.ts';

const KNOWN = new Set([
  'x-amz-bucket-object-lock-enabled',
  // There is no retention to bypass.
  'x-amz-bypass-governance-retention',
  'x-amz-acl',
  'x-amz-content-sha256',
  'x-amz-copy-source',
  'x-amz-copy-source-if-match',
  'x-amz-copy-source-if-modified-since',
  'x-amz-copy-source-if-none-match',
  'x-amz-copy-source-if-unmodified-since',
  'x-amz-copy-source-range',
  'x-amz-date',
  'x-amz-decoded-content-length',
  'x-amz-expected-bucket-owner',
  'x-amz-max-parts',
  'x-amz-metadata-directive',
  'x-amz-mp-object-size',
  'x-amz-object-attributes',
  'x-amz-object-ownership',
  'x-amz-part-number-marker',
  'x-amz-request-payer',
  'x-amz-sdk-checksum-algorithm',
  'x-amz-source-expected-bucket-owner',
  'x-amz-storage-class',
  'x-amz-tagging-directive',
  'x-amz-trailer',
  'x-amz-user-agent',
]);

/** @throws S3Error NotImplemented and others, naming the field */
export function refuseUnknownFields(fields: Fields, ownerId: string): void {
  for (const [name, value] of fields) {
    if (!name.startsWith('x-amz-') || name.startsWith('x-amz-meta-')) continue;
    if (!KNOWN.has(name) && !name.startsWith('x-amz-checksum-')) throw notImplemented(name);
    requireValue(name, value, ownerId);
  }
}

function notImplemented(name: string): S3Error {
  return new S3Error(
    'NotImplemented',
    'A header you provided implies functionality that is not implemented.',
    { elements: { Header: name } },
  );
}

/** Fields of which only some values are understood. */
function requireValue(name: string, value: string, ownerId: string): void {
  switch (name) {
    case 'x-amz-acl':
      if (value !== 'private' && value !== 'bucket-owner-full-control') {
        throw new S3Error('AccessControlListNotSupported');
      }
      return;
    case 'x-amz-storage-class':
      if (value !== 'STANDARD') throw new S3Error('InvalidStorageClass');
      return;
    case 'x-amz-expected-bucket-owner':
    case 'x-amz-source-expected-bucket-owner':
      if (value !== ownerId) throw new S3Error('AccessDenied');
      return;
    case 'x-amz-bucket-object-lock-enabled':
      if (value.toLowerCase() !== 'false') throw notImplemented(name);
      return;
    case 'x-amz-object-ownership':
      if (value !== 'BucketOwnerEnforced') throw notImplemented(name);
      return;
    case 'x-amz-tagging-directive':
      if (value !== 'COPY') throw notImplemented(name);
      return;
    default:
  }
}
