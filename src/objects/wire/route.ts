/**
 * Which operation a request is: method, level (service, bucket, object), subresource in the query, and for
 * PUT the copy source. A subresource that no operation takes is refused by name, never dropped: `PUT
 * /bucket/key?tagging` must not overwrite the object.
 */
import { S3Error } from '../errors.ts';
import type { Fields } from './fields.ts';
import type { Query } from './query.ts';

export const OPERATION_NAMES = [
  'AbortMultipartUpload',
  'CompleteMultipartUpload',
  'CopyObject',
  'CreateBucket',
  'CreateMultipartUpload',
  'DeleteBucket',
  'DeleteObject',
  'DeleteObjects',
  'GetBucketConfiguration',
  'GetBucketLocation',
  'GetObject',
  'GetObjectAttributes',
  'GetObjectConfiguration',
  'HeadBucket',
  'HeadObject',
  'ListBuckets',
  'ListMultipartUploads',
  'ListObjectVersions',
  'ListObjects',
  'ListObjectsV2',
  'ListParts',
  'PutObject',
  'UploadPart',
  'UploadPartCopy',
] as const;
export type OperationName = (typeof OPERATION_NAMES)[number];

/** Bucket subresources whose unset state GetBucketConfiguration answers. */
export const BUCKET_CONFIGURATIONS = [
  'accelerate',
  'acl',
  'cors',
  'encryption',
  'lifecycle',
  'logging',
  'notification',
  'object-lock',
  'ownershipControls',
  'policy',
  'policyStatus',
  'publicAccessBlock',
  'replication',
  'requestPayment',
  'tagging',
  'versioning',
  'website',
] as const;
export type BucketConfiguration = (typeof BUCKET_CONFIGURATIONS)[number];

export const OBJECT_CONFIGURATIONS = ['acl', 'tagging'] as const;
export type ObjectConfiguration = (typeof OBJECT_CONFIGURATIONS)[number];

/** Every subresource of the API reference; one that a route does not take is refused. */
const SUBRESOURCES: ReadonlySet<string> = new Set([
  ...BUCKET_CONFIGURATIONS,
  'abac',
  'analytics',
  'append',
  'attributes',
  'delete',
  'encryption',
  'intelligent-tiering',
  'inventory',
  'legal-hold',
  'location',
  'metadataConfiguration',
  'metadataTable',
  'metrics',
  'partNumber',
  'renameObject',
  'restore',
  'retention',
  'select',
  'session',
  'torrent',
  'uploadId',
  'uploads',
  'versions',
]);

interface Route {
  readonly operation: OperationName;
  /** Subresources that belong to the operation. */
  readonly takes: readonly string[];
}

/** @throws S3Error MethodNotAllowed, NotImplemented, AccessControlListNotSupported */
export function routeRequest(
  method: string,
  bucket: string | undefined,
  key: string | undefined,
  query: Query,
  fields: Fields,
): OperationName {
  const route =
    bucket === undefined
      ? routeService(method)
      : key === undefined
        ? routeBucket(method, query)
        : routeObject(method, query, fields);
  for (const [name] of query) {
    if (!SUBRESOURCES.has(name) || route.takes.includes(name)) continue;
    if (name === 'acl') throw new S3Error('AccessControlListNotSupported');
    throw new S3Error('NotImplemented', `The subresource ?${name} is not implemented for ${method} here.`);
  }
  return route.operation;
}

function route(operation: OperationName, ...takes: string[]): Route {
  return { operation, takes };
}

function routeService(method: string): Route {
  if (method === 'GET') return route('ListBuckets');
  throw new S3Error('MethodNotAllowed');
}

function routeBucket(method: string, query: Query): Route {
  switch (method) {
    case 'GET':
      return routeBucketGet(query);
    case 'HEAD':
      return route('HeadBucket');
    case 'PUT':
      return route('CreateBucket');
    case 'DELETE':
      return route('DeleteBucket');
    case 'POST':
      if (query.has('delete')) return route('DeleteObjects', 'delete');
      throw new S3Error('NotImplemented', 'POST of an HTML form is not implemented.');
    default:
      throw new S3Error('MethodNotAllowed');
  }
}

function routeBucketGet(query: Query): Route {
  if (query.has('location')) return route('GetBucketLocation', 'location');
  if (query.has('uploads')) return route('ListMultipartUploads', 'uploads');
  if (query.has('versions')) return route('ListObjectVersions', 'versions');
  const configuration = BUCKET_CONFIGURATIONS.find((name) => query.has(name));
  if (configuration !== undefined) return route('GetBucketConfiguration', configuration);
  return query.get('list-type') === '2' ? route('ListObjectsV2') : route('ListObjects');
}

function routeObject(method: string, query: Query, fields: Fields): Route {
  switch (method) {
    case 'GET':
      return routeObjectGet(query);
    case 'HEAD':
      return route('HeadObject', 'partNumber');
    case 'PUT':
      return routeObjectPut(query, fields);
    case 'DELETE':
      return query.has('uploadId') ? route('AbortMultipartUpload', 'uploadId') : route('DeleteObject');
    case 'POST':
      if (query.has('uploads')) return route('CreateMultipartUpload', 'uploads');
      if (query.has('uploadId')) return route('CompleteMultipartUpload', 'uploadId');
      throw new S3Error('NotImplemented', 'This POST is not implemented.');
    default:
      throw new S3Error('MethodNotAllowed');
  }
}

function routeObjectGet(query: Query): Route {
  if (query.has('uploadId')) return route('ListParts', 'uploadId');
  if (query.has('attributes')) return route('GetObjectAttributes', 'attributes');
  const configuration = OBJECT_CONFIGURATIONS.find((name) => query.has(name));
  if (configuration !== undefined) return route('GetObjectConfiguration', configuration);
  return route('GetObject', 'partNumber');
}

function routeObjectPut(query: Query, fields: Fields): Route {
  const copies = fields.has('x-amz-copy-source');
  if (query.has('uploadId') || query.has('partNumber')) {
    return route(copies ? 'UploadPartCopy' : 'UploadPart', 'uploadId', 'partNumber');
  }
  return route(copies ? 'CopyObject' : 'PutObject');
}
