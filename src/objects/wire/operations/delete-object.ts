/** DELETE /bucket/key. An object that is not there counts as deleted. */
import { type Conditions, readConditions } from '../conditions.ts';
import type { S3Request, S3Response } from '../message.ts';
import { requireCurrentVersion } from '../version-id.ts';

export interface DeleteObjectInput {
  readonly bucket: string;
  readonly key: string;
  readonly conditions: Conditions;
}

export function decodeDeleteObject({ bucket, key, query, fields }: S3Request): DeleteObjectInput {
  requireCurrentVersion(query.get('versionId'));
  return { bucket, key, conditions: readConditions(fields) };
}

export function encodeDeleteObject(): S3Response {
  return { status: 204, headers: [] };
}
