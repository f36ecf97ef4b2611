/** PUT /bucket/key?partNumber=n&uploadId=…: one part, from the body. */
import { S3Error } from '../../errors.ts';
import type { Checksum } from '../checksums.ts';
import { checksumField } from '../checksums.ts';
import type { S3Request, S3Response } from '../message.ts';
import type { Query } from '../query.ts';

export interface PartAddress {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
  readonly partNumber: number;
}

export interface UploadPartResult {
  readonly etag: string;
  readonly checksum: Checksum;
}

const MAX_DIGITS = 5;

export function decodeUploadPart({ bucket, key, query }: S3Request): PartAddress {
  return { bucket, key, uploadId: requireUploadId(query), partNumber: readPartNumber(query) };
}

/** @throws S3Error InvalidArgument */
export function requireUploadId(query: Query): string {
  const uploadId = query.get('uploadId');
  if (uploadId !== undefined && uploadId !== '') return uploadId;
  throw new S3Error('InvalidArgument', 'This operation does not accept a query-string without uploadId.', {
    elements: { ArgumentName: 'uploadId' },
  });
}

function readPartNumber(query: Query): number {
  const text = query.get('partNumber') ?? '';
  const digits = text.length <= MAX_DIGITS && [...text].every((char) => char >= '0' && char <= '9');
  const number = digits && text !== '' ? Number(text) : 0;
  if (number >= 1 && number <= 10_000) return number;
  throw new S3Error('InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive', {
    elements: { ArgumentName: 'partNumber', ArgumentValue: text },
  });
}

export function encodeUploadPart({ etag, checksum }: UploadPartResult): S3Response {
  return {
    status: 200,
    headers: [
      ['ETag', `"${etag}"`],
      [checksumField(checksum.algorithm), checksum.value],
    ],
  };
}
