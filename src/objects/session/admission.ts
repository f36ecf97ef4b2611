/**
 * From the head of a request to an operation that may run:
 *
 *   received ─▶ parsed ─▶ authenticated ─▶ routed ─▶ authorised ─▶ admitted
 *       any step may refuse; nothing runs, and no byte of the body is asked for, before the last
 *
 * HTTP keeps the connection's state; S3 has none of its own between two requests.
 */
import { S3Error } from '../errors.ts';
import { collectFields, type Fields } from '../wire/fields.ts';
import { refuseUnknownFields } from '../wire/known-fields.ts';
import type { S3Request } from '../wire/message.ts';
import { isOverride } from '../wire/operations/get-object.ts';
import { Query } from '../wire/query.ts';
import { type OperationName, routeRequest } from '../wire/route.ts';
import { type Authority, authenticate, type Identity } from '../wire/sigv4/authenticate.ts';
import { parseTarget } from '../wire/target.ts';

export interface ReceivedHead {
  readonly method: string;
  /** As received, undecoded. */
  readonly rawPath: string;
  readonly rawQuery: string;
  readonly headers: Iterable<readonly [name: string, value: string]>;
}

export interface AdmissionPolicy extends Authority {
  /** Virtual-host style: `bucket.<domain>`. */
  readonly domain: string | undefined;
  /** Buckets whose objects anybody may read by key. */
  readonly publicRead: ReadonlySet<string>;
  readonly ownerId: string;
}

export interface Admission {
  readonly operation: OperationName;
  readonly identity: Identity;
  /** Without its document, which is read after admission. */
  readonly request: S3Request;
}

const PUBLIC_OPERATIONS: ReadonlySet<OperationName> = new Set(['GetObject', 'HeadObject']);

/** @throws S3Error whatever speaks against the request */
export function admit(head: ReceivedHead, policy: AdmissionPolicy, nowMs: number): Admission {
  const received = collectFields(head.headers);
  const query = Query.parse(head.rawQuery);
  const target = parseTarget(head.rawPath, received.get('host'), policy.domain);
  const { method } = head;
  const identity = authenticate({ method, path: target.path, query, fields: received }, policy, nowMs);
  const fields = isPresigned(identity) ? withQueryFields(received, query) : received;
  const { bucket, key } = target;
  const operation = routeRequest(method, bucket, key, query, fields);
  refuseUnknownFields(fields, policy.ownerId);
  if (identity.kind === 'anonymous') requirePublic(operation, bucket, query, policy);
  const request = { method, bucket: bucket ?? '', key: key ?? '', query, fields, document: Buffer.alloc(0) };
  return { operation, identity, request };
}

function isPresigned(identity: Identity): boolean {
  return identity.kind === 'key' && identity.presigned;
}

/** Parameters of a presigned URL that stand for fields, and are signed with it. Both at once is a conflict. */
function withQueryFields(received: Fields, query: Query): Fields {
  const fields = new Map(received);
  for (const [name, value] of query) {
    const key = name.toLowerCase();
    if (!key.startsWith('x-amz-') || AUTHENTICATION.has(key)) continue;
    if (fields.has(key)) {
      throw new S3Error('InvalidArgument', `The header ${key} was given in the query as well.`);
    }
    fields.set(key, Buffer.from(value, 'utf8').toString('latin1'));
  }
  return fields;
}

const AUTHENTICATION = new Set([
  'x-amz-algorithm',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-expires',
  'x-amz-signedheaders',
  'x-amz-signature',
  'x-amz-content-sha256',
]);

/** The same refusal whether the bucket or the object exists or not. */
function requirePublic(
  operation: OperationName,
  bucket: string | undefined,
  query: Query,
  policy: AdmissionPolicy,
): void {
  const isPublic = bucket !== undefined && policy.publicRead.has(bucket) && PUBLIC_OPERATIONS.has(operation);
  if (!isPublic) throw new S3Error('AccessDenied');
  for (const [name] of query) {
    if (!isOverride(name)) continue;
    throw new S3Error(
      'InvalidRequest',
      'Request specific response headers cannot be used for anonymous GET requests.',
    );
  }
}
