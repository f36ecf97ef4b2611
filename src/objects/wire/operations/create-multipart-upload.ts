/** POST /bucket/key?uploads: begins an upload of parts. */
import { S3Error } from '../../errors.ts';
import { type ChecksumAlgorithm, type ChecksumType, parseChecksumAlgorithm } from '../checksums.ts';
import type { Fields } from '../fields.ts';
import { type ResponseField, type S3Request, type S3Response, xmlResponse } from '../message.ts';
import { type ObjectFields, readObjectFields } from '../object-fields.ts';
import { s3Document } from '../xml-writer.ts';

export interface CreateMultipartUploadInput {
  readonly bucket: string;
  readonly key: string;
  readonly fields: ObjectFields;
  readonly algorithm: ChecksumAlgorithm;
  readonly checksumType: ChecksumType;
  readonly algorithmChosen: boolean;
}

export interface CreateMultipartUploadResult {
  readonly uploadId: string;
  readonly algorithm: ChecksumAlgorithm;
  readonly checksumType: ChecksumType;
  readonly algorithmChosen: boolean;
}

export function decodeCreateMultipartUpload({ bucket, key, fields }: S3Request): CreateMultipartUploadInput {
  return { bucket, key, fields: readObjectFields(fields), ...readChecksumChoice(fields) };
}

type ChecksumChoice = Pick<CreateMultipartUploadInput, 'algorithm' | 'checksumType' | 'algorithmChosen'>;

/** Without a choice S3 takes CRC64NVME over the whole object. */
function readChecksumChoice(fields: Fields): ChecksumChoice {
  const text = fields.get('x-amz-checksum-algorithm');
  const type = fields.get('x-amz-checksum-type')?.toUpperCase();
  if (text === undefined) {
    if (type !== undefined) {
      throw new S3Error(
        'InvalidRequest',
        'The x-amz-checksum-type header requires x-amz-checksum-algorithm.',
      );
    }
    return { algorithm: 'CRC64NVME', checksumType: 'FULL_OBJECT', algorithmChosen: false };
  }
  const algorithm = parseChecksumAlgorithm(text);
  const checksumType = type ?? (algorithm === 'CRC64NVME' ? 'FULL_OBJECT' : 'COMPOSITE');
  if (checksumType !== 'FULL_OBJECT' && checksumType !== 'COMPOSITE') {
    throw new S3Error('InvalidRequest', 'Value for x-amz-checksum-type header is invalid.');
  }
  requirePossible(algorithm, checksumType);
  return { algorithm, checksumType, algorithmChosen: true };
}

/** A CRC of the whole follows from those of the parts; a SHA does not. */
function requirePossible(algorithm: ChecksumAlgorithm, type: ChecksumType): void {
  const possible = type === 'FULL_OBJECT' ? algorithm.startsWith('CRC') : algorithm !== 'CRC64NVME';
  if (possible) return;
  throw new S3Error(
    'InvalidRequest',
    `The ${type} checksum type cannot be used with the ${algorithm.toLowerCase()} checksum algorithm.`,
  );
}

export function encodeCreateMultipartUpload(
  result: CreateMultipartUploadResult,
  { bucket, key }: S3Request,
): S3Response {
  const headers: ResponseField[] = result.algorithmChosen
    ? [
        ['x-amz-checksum-algorithm', result.algorithm],
        ['x-amz-checksum-type', result.checksumType],
      ]
    : [];
  const document = s3Document('InitiateMultipartUploadResult', (xml) => {
    xml.text('Bucket', bucket).text('Key', key).text('UploadId', result.uploadId);
  });
  return xmlResponse(document, headers);
}
