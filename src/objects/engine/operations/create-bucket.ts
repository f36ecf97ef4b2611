import { S3Error } from '../../errors.ts';
import type { CreateBucketInput } from '../../wire/operations/create-bucket.ts';
import type { Engine } from '../engine.ts';

/** Where S3 takes the creation of a bucket that is there already for a success. */
const LENIENT_REGION = 'us-east-1';

export async function createBucket(engine: Engine, input: CreateBucketInput): Promise<undefined> {
  const { storage, limits, region } = engine;
  if (input.location !== undefined && input.location !== region) {
    throw new S3Error(
      'IllegalLocationConstraintException',
      `The ${input.location} location constraint is incompatible for the region ${region}.`,
    );
  }
  if (storage.bucket(input.bucket) !== undefined) {
    if (region === LENIENT_REGION) return;
    throw new S3Error('BucketAlreadyOwnedByYou', undefined, { elements: { BucketName: input.bucket } });
  }
  if (storage.buckets().length >= limits.maxBuckets) throw new S3Error('TooManyBuckets');
  await storage.commit([{ kind: 'put-bucket', bucket: { name: input.bucket, createdMs: engine.now() } }]);
}
