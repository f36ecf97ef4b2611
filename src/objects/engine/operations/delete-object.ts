import type { DeleteObjectInput } from '../../wire/operations/delete-object.ts';
import { type Engine, requireBucket } from '../engine.ts';
import { requireWriteConditions } from '../write-conditions.ts';

export async function deleteObject(engine: Engine, input: DeleteObjectInput): Promise<undefined> {
  const { bucket, key, conditions } = input;
  requireBucket(engine, bucket);
  const current = engine.storage.object(bucket, key);
  if (conditions.has('if-match')) requireWriteConditions(conditions, current);
  if (current !== undefined) await engine.storage.commit([{ kind: 'delete-object', bucket, key }]);
}
