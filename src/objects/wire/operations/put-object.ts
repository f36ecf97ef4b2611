/** PUT /bucket/key: the body becomes the object. */

import { checksumFields } from '../checksum-output.ts';
import type { Checksum } from '../checksums.ts';
import { type Conditions, readConditions } from '../conditions.ts';
import type { S3Request, S3Response } from '../message.ts';
import { type ObjectFields, readObjectFields } from '../object-fields.ts';

export interface PutObjectInput {
  readonly bucket: string;
  readonly key: string;
  readonly fields: ObjectFields;
  readonly conditions: Conditions;
}

export interface PutObjectResult {
  readonly etag: string;
  readonly checksum: Checksum;
}

export function decodePutObject({ bucket, key, fields }: S3Request): PutObjectInput {
  return { bucket, key, fields: readObjectFields(fields), conditions: readConditions(fields) };
}

export function encodePutObject({ etag, checksum }: PutObjectResult): S3Response {
  return { status: 200, headers: [['ETag', `"${etag}"`], ...checksumFields(checksum)] };
}
