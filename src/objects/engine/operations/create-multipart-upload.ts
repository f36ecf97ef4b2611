import { S3Error } from '../../errors.ts';
import type {
  CreateMultipartUploadInput,
  CreateMultipartUploadResult,
} from '../../wire/operations/create-multipart-upload.ts';
import { type Engine, requireBucket } from '../engine.ts';

export async function createMultipartUpload(
  engine: Engine,
  input: CreateMultipartUploadInput,
): Promise<CreateMultipartUploadResult> {
  const { storage, limits } = engine;
  requireBucket(engine, input.bucket);
  if (storage.uploads(input.bucket).length >= limits.maxOpenUploads) {
    throw new S3Error(
      'InvalidRequest',
      `The bucket has ${limits.maxOpenUploads} open multipart uploads. Complete or abort some first.`,
    );
  }
  const { fields, ...rest } = input;
  const upload = { ...rest, ...fields, id: engine.newId(), startedMs: engine.now() };
  await storage.commit([{ kind: 'put-upload', upload }]);
  const { algorithm, checksumType, algorithmChosen } = input;
  return { uploadId: upload.id, algorithm, checksumType, algorithmChosen };
}
