/**
 * Conditional writes: `If-None-Match: *` (create only) and `If-Match: <etag>` (replace only this), evaluated
 * in the same turn as the commit. Source: "How to prevent object overwrites with conditional writes".
 */
import { S3Error } from '../errors.ts';
import { type Conditions, failedWriteCondition } from '../wire/conditions.ts';
import type { ObjectSummary } from './model.ts';

/** @throws S3Error PreconditionFailed; NoSuchKey when If-Match meets no object, which is S3's and not HTTP's */
export function requireWriteConditions(conditions: Conditions, current: ObjectSummary | undefined): void {
  if (current === undefined && conditions.has('if-match')) throw new S3Error('NoSuchKey');
  const failed = failedWriteCondition(conditions, current);
  if (failed !== undefined) throw preconditionFailed(failed);
}

export function preconditionFailed(condition: string): S3Error {
  return new S3Error('PreconditionFailed', undefined, { elements: { Condition: condition } });
}
