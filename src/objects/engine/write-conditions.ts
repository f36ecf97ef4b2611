/**
 * Conditional writes: `If-None-Match: *` (create only) and `If-Match: <etag>` (replace only this), evaluated
 * in the same turn as the commit. Source: "How to prevent object overwrites with conditional writes".
 */
import { S3Error } from '../errors.ts';
import { type Conditions, matches } from '../wire/conditions.ts';
import type { ObjectSummary } from './model.ts';

/** @throws S3Error PreconditionFailed; NoSuchKey when If-Match meets no object */
export function requireWriteConditions(conditions: Conditions, current: ObjectSummary | undefined): void {
  const { ifMatch, ifNoneMatch } = conditions;
  if (ifMatch !== undefined) {
    if (current === undefined) throw new S3Error('NoSuchKey');
    if (!matches(ifMatch, current.etag)) throw preconditionFailed('If-Match');
  }
  if (ifNoneMatch !== undefined && current !== undefined && matches(ifNoneMatch, current.etag)) {
    throw preconditionFailed('If-None-Match');
  }
}

export function preconditionFailed(condition: string): S3Error {
  return new S3Error('PreconditionFailed', undefined, { elements: { Condition: condition } });
}
