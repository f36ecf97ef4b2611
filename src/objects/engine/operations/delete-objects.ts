import { S3Error } from '../../errors.ts';
import { requireKey } from '../../wire/names.ts';
import type {
  DeleteObjectsInput,
  DeleteObjectsResult,
  DeleteOutcome,
  DeleteRequest,
} from '../../wire/operations/delete-objects.ts';
import { requireCurrentVersion } from '../../wire/version-id.ts';
import { type Engine, requireBucket } from '../engine.ts';
import { preconditionFailed } from '../write-conditions.ts';

/** All that may go goes in one commit; a key that is named twice is deleted once and reported twice. */
export async function deleteObjects(engine: Engine, input: DeleteObjectsInput): Promise<DeleteObjectsResult> {
  const { bucket } = input;
  requireBucket(engine, bucket);
  const doomed = new Set<string>();
  const outcomes = input.objects.map((request): DeleteOutcome => {
    const { key, versionId } = request;
    const error = refusal(engine, bucket, request);
    if (error !== undefined) return { key, versionId, error };
    if (engine.storage.object(bucket, key) !== undefined) doomed.add(key);
    return { key, versionId };
  });
  if (doomed.size > 0) {
    await engine.storage.commit([...doomed].map((key) => ({ kind: 'delete-object', bucket, key })));
  }
  return { outcomes, quiet: input.quiet };
}

function refusal(engine: Engine, bucket: string, request: DeleteRequest): S3Error | undefined {
  try {
    requireKey(request.key);
    requireCurrentVersion(request.versionId);
    const current = engine.storage.object(bucket, request.key);
    if (request.etag !== undefined && current !== undefined && current.etag !== request.etag) {
      throw preconditionFailed('If-Match');
    }
    return undefined;
  } catch (thrown) {
    if (thrown instanceof S3Error) return thrown;
    throw thrown;
  }
}
