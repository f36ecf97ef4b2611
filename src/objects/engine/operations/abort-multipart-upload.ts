import type { UploadAddress } from '../../wire/operations/abort-multipart-upload.ts';
import type { Engine } from '../engine.ts';
import { requireUpload } from './upload-part.ts';

export async function abortMultipartUpload(engine: Engine, address: UploadAddress): Promise<undefined> {
  const upload = requireUpload(engine, address.bucket, address.key, address.uploadId);
  await engine.storage.commit([{ kind: 'delete-upload', upload }]);
}
