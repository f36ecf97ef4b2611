/** GET /bucket/key?acl and ?tagging, which nobody can set yet. */
import { type S3Request, type S3Response, xmlResponse } from '../message.ts';
import { requireCurrentVersion } from '../version-id.ts';
import { s3Document } from '../xml-writer.ts';
import { aclDocument, type OwnerResult } from './bucket-configuration.ts';

export interface ObjectConfigurationInput {
  readonly bucket: string;
  readonly key: string;
}

export function decodeObjectConfiguration({ bucket, key, query }: S3Request): ObjectConfigurationInput {
  requireCurrentVersion(query.get('versionId'));
  return { bucket, key };
}

export function encodeObjectConfiguration(result: OwnerResult, { query }: S3Request): S3Response {
  if (query.has('acl')) return xmlResponse(aclDocument(result));
  return xmlResponse(s3Document('Tagging', (xml) => void xml.element('TagSet', () => undefined)));
}
