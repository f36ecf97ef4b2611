/** PUT /bucket/key with x-amz-copy-source: one object becomes another, with its metadata or with new. */
import { S3Error } from '../../errors.ts';
import { writeChecksum } from '../checksum-output.ts';
import { type Checksum, type ChecksumAlgorithm, parseChecksumAlgorithm } from '../checksums.ts';
import { type Conditions, readConditions } from '../conditions.ts';
import { type CopySource, parseCopySource } from '../copy-source.ts';
import { formatIsoDate } from '../dates.ts';
import type { Fields } from '../fields.ts';
import { type S3Request, type S3Response, xmlResponse } from '../message.ts';
import { type ObjectFields, readObjectFields } from '../object-fields.ts';
import { requireCurrentVersion } from '../version-id.ts';
import { s3Document } from '../xml-writer.ts';

export interface CopyObjectInput {
  readonly bucket: string;
  readonly key: string;
  readonly source: CopySource;
  readonly sourceConditions: Conditions;
  /** Of the destination. */
  readonly conditions: Conditions;
  /** Undefined when the source's are kept. */
  readonly fields: ObjectFields | undefined;
  /** What the copy's checksum must be of, where the client says. */
  readonly algorithm: ChecksumAlgorithm | undefined;
}

export interface CopyResult {
  readonly etag: string;
  readonly modifiedMs: number;
  readonly checksum: Checksum | undefined;
}

export function decodeCopyObject({ bucket, key, fields }: S3Request): CopyObjectInput {
  const algorithm = fields.get('x-amz-checksum-algorithm');
  return {
    bucket,
    key,
    ...readCopySource(fields),
    conditions: readConditions(fields),
    fields: readDirective(fields) === 'REPLACE' ? readObjectFields(fields) : undefined,
    algorithm: algorithm === undefined ? undefined : parseChecksumAlgorithm(algorithm),
  };
}

/** @throws S3Error InvalidArgument */
export function readCopySource(fields: Fields): { source: CopySource; sourceConditions: Conditions } {
  const source = parseCopySource(fields.get('x-amz-copy-source') ?? '');
  requireCurrentVersion(source.versionId);
  return { source, sourceConditions: readConditions(fields, 'x-amz-copy-source-') };
}

function readDirective(fields: Fields): 'COPY' | 'REPLACE' {
  const text = fields.get('x-amz-metadata-directive') ?? 'COPY';
  if (text === 'COPY' || text === 'REPLACE') return text;
  throw new S3Error('InvalidArgument', 'Unknown metadata directive.', {
    elements: { ArgumentName: 'x-amz-metadata-directive', ArgumentValue: text },
  });
}

export function encodeCopyObject(result: CopyResult): S3Response {
  return xmlResponse(copyDocument('CopyObjectResult', result));
}

export function copyDocument(root: string, result: CopyResult): string {
  return s3Document(root, (xml) => {
    xml.text('LastModified', formatIsoDate(result.modifiedMs)).text('ETag', `"${result.etag}"`);
    writeChecksum(xml, result.checksum);
  });
}
