import { S3Error } from '../../errors.ts';
import type { PartAddress, UploadPartResult } from '../../wire/operations/upload-part.ts';
import { type Engine, type IncomingBody, receiveBody, requireBucket } from '../engine.ts';
import type { Part, Upload } from '../model.ts';

/** @throws S3Error NoSuchBucket, NoSuchUpload */
export function requireUpload(engine: Engine, bucket: string, key: string, uploadId: string): Upload {
  requireBucket(engine, bucket);
  const upload = engine.storage.upload(bucket, uploadId);
  if (upload !== undefined && upload.key === key) return upload;
  throw new S3Error('NoSuchUpload', undefined, { elements: { UploadId: uploadId } });
}

/** The upload must still be open when the last byte came. */
export async function uploadPart(
  engine: Engine,
  address: PartAddress,
  body: IncomingBody,
): Promise<UploadPartResult> {
  const { storage } = engine;
  const { bucket, key, uploadId, partNumber } = address;
  const { algorithm, algorithmChosen } = requireUpload(engine, bucket, key, uploadId);
  if (algorithmChosen) requireAlgorithm(body, algorithm);
  const { content, proof } = await receiveBody(engine, body, algorithm);
  const etag = proof.md5.toString('hex');
  const part: Part = {
    number: partNumber,
    etag,
    sizeBytes: proof.sizeBytes,
    modifiedMs: engine.now(),
    checksum: proof.asked,
    ...(proof.checksum.algorithm === algorithm ? {} : { sent: proof.checksum }),
    content,
  };
  try {
    requireUpload(engine, bucket, key, uploadId);
    await storage.commit([{ kind: 'put-part', uploadId, part }]);
  } catch (thrown) {
    await storage.discard(content);
    throw thrown;
  }
  return { etag, checksum: proof.checksum };
}

/** Where no algorithm was chosen for the upload, clients send any for the parts. */
function requireAlgorithm({ claimedAlgorithm }: IncomingBody, expected: string): void {
  if (claimedAlgorithm === undefined || claimedAlgorithm === expected) return;
  throw new S3Error(
    'InvalidRequest',
    `Checksum Type mismatch occurred, expected checksum Type: ${expected.toLowerCase()}, actual checksum ` +
      `Type: ${claimedAlgorithm.toLowerCase()}`,
  );
}
