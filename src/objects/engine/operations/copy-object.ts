import { S3Error } from '../../errors.ts';
import { type Conditions, evaluateConditions } from '../../wire/conditions.ts';
import type { CopySource } from '../../wire/copy-source.ts';
import type { CopyObjectInput, CopyResult } from '../../wire/operations/copy-object.ts';
import { type Engine, requireBucket } from '../engine.ts';
import type { StoredObject } from '../model.ts';
import { preconditionFailed, requireWriteConditions } from '../write-conditions.ts';
import { requireObject } from './get-object.ts';

/** The copy names the bodies of its source once more: no byte is moved, whatever the size. */
export async function copyObject(engine: Engine, input: CopyObjectInput): Promise<CopyResult> {
  const { bucket, key } = input;
  requireBucket(engine, bucket);
  const source = requireSource(engine, input.source, input.sourceConditions);
  requireWriteConditions(input.conditions, engine.storage.object(bucket, key));
  requireChange(input);
  requireSameAlgorithm(input, source);
  const { uploadId: _uploadId, ...kept } = source;
  const object: StoredObject = { ...kept, ...input.fields, modifiedMs: engine.now() };
  await engine.storage.commit([{ kind: 'put-object', bucket, key, object }]);
  return { etag: object.etag, modifiedMs: object.modifiedMs, checksum: object.checksum };
}

/** @throws S3Error NoSuchBucket, NoSuchKey, PreconditionFailed: a copy has no 304 */
export function requireSource(engine: Engine, source: CopySource, conditions: Conditions): StoredObject {
  const object = requireObject(engine, source.bucket, source.key);
  if (evaluateConditions(conditions, object) !== 'proceed')
    throw preconditionFailed('x-amz-copy-source-If-*');
  return object;
}

function requireChange({ bucket, key, source, fields }: CopyObjectInput): void {
  if (source.bucket !== bucket || source.key !== key || fields !== undefined) return;
  throw new S3Error(
    'InvalidRequest',
    'This copy request is illegal because it is trying to copy an object to itself without changing the ' +
      "object's metadata, storage class, website redirect location or encryption attributes.",
  );
}

function requireSameAlgorithm({ algorithm }: CopyObjectInput, source: StoredObject): void {
  if (algorithm === undefined || algorithm === source.checksum?.algorithm) return;
  throw new S3Error('NotImplemented', 'A copy keeps the checksum algorithm of its source.', {
    elements: { Header: 'x-amz-checksum-algorithm' },
  });
}
