/** HEAD /bucket: whether it exists, and where. */
import type { S3Request, S3Response } from '../message.ts';

export interface HeadBucketInput {
  readonly bucket: string;
}

export interface HeadBucketResult {
  readonly region: string;
}

export function decodeHeadBucket({ bucket }: S3Request): HeadBucketInput {
  return { bucket };
}

export function encodeHeadBucket(result: HeadBucketResult): S3Response {
  return {
    status: 200,
    headers: [
      ['x-amz-bucket-region', result.region],
      ['x-amz-access-point-alias', 'false'],
    ],
  };
}
