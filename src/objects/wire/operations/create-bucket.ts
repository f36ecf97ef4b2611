/** PUT /bucket, with an optional document that names the region. */
import { S3Error } from '../../errors.ts';
import type { S3Request, S3Response } from '../message.ts';
import { isBucketName } from '../names.ts';
import { childText, readXml, requireOnly } from '../xml-reader.ts';

export interface CreateBucketInput {
  readonly bucket: string;
  /** The region asked for, if any. */
  readonly location: string | undefined;
}

export function decodeCreateBucket({ bucket, document }: S3Request): CreateBucketInput {
  if (!isBucketName(bucket)) {
    throw new S3Error('InvalidBucketName', undefined, { elements: { BucketName: bucket } });
  }
  if (document.length === 0) return { bucket, location: undefined };
  const root = readXml(document, 'CreateBucketConfiguration');
  requireOnly(root, ['LocationConstraint']);
  return { bucket, location: childText(root, 'LocationConstraint') || undefined };
}

export function encodeCreateBucket(_result: undefined, { bucket }: S3Request): S3Response {
  return { status: 200, headers: [['Location', `/${bucket}`]] };
}
