/** DELETE /bucket/key?uploadId=…: forgets an upload and its parts. */
import type { S3Request, S3Response } from '../message.ts';
import { requireUploadId } from './upload-part.ts';

export interface UploadAddress {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
}

export function decodeAbortMultipartUpload({ bucket, key, query }: S3Request): UploadAddress {
  return { bucket, key, uploadId: requireUploadId(query) };
}

export function encodeAbortMultipartUpload(): S3Response {
  return { status: 204, headers: [] };
}
