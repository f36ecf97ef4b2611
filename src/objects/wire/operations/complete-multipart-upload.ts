/** POST /bucket/key?uploadId=…: the listed parts, in order, become the object. */
import { S3Error } from '../../errors.ts';
import { writeChecksum } from '../checksum-output.ts';
import {
  CHECKSUM_ALGORITHMS,
  type Checksum,
  type ChecksumAlgorithm,
  checksumElement,
  checksumField,
} from '../checksums.ts';
import { type Conditions, readConditions, unquoteEtag } from '../conditions.ts';
import type { Fields } from '../fields.ts';
import { type S3Request, type S3Response, xmlResponse } from '../message.ts';
import { encodePath } from '../uri-encoding.ts';
import { childText, readXml, requireOnly, type XmlNode } from '../xml-reader.ts';
import { s3Document } from '../xml-writer.ts';
import { requireUploadId } from './upload-part.ts';

export interface CompletedPart {
  readonly number: number;
  readonly etag: string;
  /** Those that the client repeats, in base64. */
  readonly checksums: readonly { readonly algorithm: ChecksumAlgorithm; readonly value: string }[];
}

export interface CompleteMultipartUploadInput {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
  readonly parts: readonly CompletedPart[];
  readonly conditions: Conditions;
  /** What the client says the checksum of the object is, `-<parts>` included. */
  readonly claimed: { readonly algorithm: string; readonly value: string } | undefined;
  /** What the client says the size of the object is. */
  readonly sizeBytes: number | undefined;
}

export interface CompleteMultipartUploadResult {
  readonly etag: string;
  readonly checksum: Checksum | undefined;
}

const PART_ELEMENTS = ['PartNumber', 'ETag', ...CHECKSUM_ALGORITHMS.map(checksumElement)];

export function decodeCompleteMultipartUpload(request: S3Request): CompleteMultipartUploadInput {
  const { bucket, key, query, fields, document } = request;
  const root = readXml(document, 'CompleteMultipartUpload');
  requireOnly(root, ['Part']);
  if (root.children.length === 0) throw new S3Error('MalformedXML');
  return {
    bucket,
    key,
    uploadId: requireUploadId(query),
    parts: root.children.map(readPart),
    conditions: readConditions(fields),
    claimed: readClaim(fields),
    sizeBytes: readSize(fields),
  };
}

function readPart(node: XmlNode): CompletedPart {
  requireOnly(node, PART_ELEMENTS);
  const number = Number(childText(node, 'PartNumber') || Number.NaN);
  const etag = childText(node, 'ETag');
  if (!Number.isInteger(number) || etag === undefined) throw new S3Error('MalformedXML');
  const checksums = CHECKSUM_ALGORITHMS.flatMap((algorithm) => {
    const value = childText(node, checksumElement(algorithm));
    return value === undefined ? [] : [{ algorithm, value }];
  });
  return { number, etag: unquoteEtag(etag), checksums };
}

function readClaim(fields: Fields): CompleteMultipartUploadInput['claimed'] {
  for (const algorithm of CHECKSUM_ALGORITHMS) {
    const value = fields.get(checksumField(algorithm));
    if (value !== undefined) return { algorithm, value };
  }
  return undefined;
}

function readSize(fields: Fields): number | undefined {
  const text = fields.get('x-amz-mp-object-size');
  if (text === undefined) return undefined;
  const size = Number(text || Number.NaN);
  if (Number.isSafeInteger(size) && size >= 0) return size;
  throw new S3Error('InvalidRequest', 'Value for x-amz-mp-object-size header is invalid.');
}

export function encodeCompleteMultipartUpload(
  { etag, checksum }: CompleteMultipartUploadResult,
  { bucket, key, fields }: S3Request,
): S3Response {
  const document = s3Document('CompleteMultipartUploadResult', (xml) => {
    xml.text('Location', `http://${fields.get('host') ?? ''}${encodePath(`/${bucket}/${key}`)}`);
    xml.text('Bucket', bucket).text('Key', key).text('ETag', `"${etag}"`);
    writeChecksum(xml, checksum);
  });
  return xmlResponse(document);
}
