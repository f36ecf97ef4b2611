import { S3Error } from '../../errors.ts';
import { ifMatch } from '../../wire/conditions.ts';
import type { CopyResult } from '../../wire/operations/copy-object.ts';
import type { UploadPartCopyInput } from '../../wire/operations/upload-part-copy.ts';
import type { Engine } from '../engine.ts';
import { contentBytes, type Part, sliceContent } from '../model.ts';
import { requireSource } from './copy-object.ts';
import { requireUpload } from './upload-part.ts';

/**
 * The part names a slice of the source's bodies; the bytes are read once for their MD5 and checksum. The
 * reader keeps them alive until the commit, though the source may be deleted meanwhile.
 */
export async function uploadPartCopy(engine: Engine, input: UploadPartCopyInput): Promise<CopyResult> {
  const { storage, hashing } = engine;
  const upload = requireUpload(engine, input.bucket, input.key, input.uploadId);
  const source = requireSource(engine, input.source, input.sourceConditions);
  if (input.span !== undefined && input.span.end > source.sizeBytes) {
    throw new S3Error(
      'InvalidRange',
      `Range specified is not valid for source object of size: ${source.sizeBytes}`,
    );
  }
  const { start, end } = input.span ?? { start: 0, end: source.sizeBytes };
  const content = sliceContent(source.content, start, end);
  if (contentBytes(content) > engine.limits.maxPutBytes) throw new S3Error('EntityTooLarge');
  const md5 = hashing.start('MD5');
  const checksum = hashing.start(upload.algorithm);
  const reader = storage.openBody(content);
  try {
    for await (const bytes of reader) {
      md5.update(bytes);
      checksum.update(bytes);
    }
    requireUpload(engine, input.bucket, input.key, input.uploadId);
    requireSource(engine, input.source, ifMatch(source.etag));
    const part: Part = {
      number: input.partNumber,
      etag: md5.digest().toString('hex'),
      sizeBytes: end - start,
      modifiedMs: engine.now(),
      checksum: checksum.digest().toString('base64'),
      content,
    };
    await storage.commit([{ kind: 'put-part', uploadId: input.uploadId, part }]);
    const { algorithm } = upload;
    return {
      etag: part.etag,
      modifiedMs: part.modifiedMs,
      checksum: { algorithm, type: 'FULL_OBJECT', value: part.checksum },
    };
  } finally {
    reader.release();
  }
}
