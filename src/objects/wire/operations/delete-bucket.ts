/** DELETE /bucket: only an empty one goes. */
import type { S3Request, S3Response } from '../message.ts';

export interface DeleteBucketInput {
  readonly bucket: string;
}

export function decodeDeleteBucket({ bucket }: S3Request): DeleteBucketInput {
  return { bucket };
}

export function encodeDeleteBucket(): S3Response {
  return { status: 204, headers: [] };
}
