import type { PutObjectInput, PutObjectResult } from '../../wire/operations/put-object.ts';
import { type Engine, type IncomingBody, receiveBody, requireBucket } from '../engine.ts';
import { requireWriteConditions } from '../write-conditions.ts';

/** Conditions are looked at before the body, to refuse early, and again in the turn of the commit. */
export async function putObject(
  engine: Engine,
  input: PutObjectInput,
  body: IncomingBody,
): Promise<PutObjectResult> {
  const { storage } = engine;
  const { bucket, key, conditions } = input;
  const requirePermitted = (): void => {
    requireBucket(engine, bucket);
    requireWriteConditions(conditions, storage.object(bucket, key));
  };
  requirePermitted();
  const { content, proof } = await receiveBody(engine, body, body.claimedAlgorithm ?? 'CRC64NVME');
  const etag = proof.md5.toString('hex');
  const { sizeBytes, checksum } = proof;
  try {
    requirePermitted();
    const object = { ...input.fields, etag, sizeBytes, modifiedMs: engine.now(), checksum, content };
    await storage.commit([{ kind: 'put-object', bucket, key, object }]);
  } catch (thrown) {
    await storage.discard(content);
    throw thrown;
  }
  return { etag, checksum };
}
