import { S3Error } from '../../errors.ts';
import type { DeleteBucketInput } from '../../wire/operations/delete-bucket.ts';
import { type Engine, requireBucket } from '../engine.ts';

/** Open uploads do not keep a bucket, as on S3: they go with it. */
export async function deleteBucket(engine: Engine, { bucket }: DeleteBucketInput): Promise<undefined> {
  requireBucket(engine, bucket);
  for (const _object of engine.storage.objects(bucket, Buffer.alloc(0))) {
    throw new S3Error('BucketNotEmpty', undefined, { elements: { BucketName: bucket } });
  }
  const uploads = engine.storage.uploads(bucket);
  await engine.storage.commit([
    ...uploads.map((upload) => ({ kind: 'delete-upload' as const, upload })),
    { kind: 'delete-bucket', name: bucket },
  ]);
}
