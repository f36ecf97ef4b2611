/** GET /bucket/key?uploadId=…: the parts that an open upload has. */
import { PROTOCOL_LIMITS } from '../../limits.ts';
import { type ChecksumAlgorithm, type ChecksumType, checksumElement } from '../checksums.ts';
import { formatIsoDate } from '../dates.ts';
import { readCount } from '../list-parameters.ts';
import { type S3Request, type S3Response, xmlResponse } from '../message.ts';
import { s3Document, type XmlWriter } from '../xml-writer.ts';
import type { UploadAddress } from './abort-multipart-upload.ts';
import { requireUploadId } from './upload-part.ts';

export interface ListPartsInput extends UploadAddress {
  /** Numbers above this one. */
  readonly after: number;
  readonly limit: number;
}

export interface ListPartsResult {
  readonly owner: { readonly id: string; readonly displayName: string };
  readonly algorithm: ChecksumAlgorithm;
  readonly checksumType: ChecksumType;
  readonly algorithmChosen: boolean;
  readonly parts: readonly {
    readonly number: number;
    readonly etag: string;
    readonly sizeBytes: number;
    readonly modifiedMs: number;
    readonly checksum: string;
  }[];
  readonly truncated: boolean;
}

const MAX_MARKER = 10_000;

export function decodeListParts({ bucket, key, query }: S3Request): ListPartsInput {
  return {
    bucket,
    key,
    uploadId: requireUploadId(query),
    after: readCount(query, 'part-number-marker', MAX_MARKER, 0),
    limit: readCount(query, 'max-parts', PROTOCOL_LIMITS.listKeys),
  };
}

export function encodeListParts(result: ListPartsResult, request: S3Request): S3Response {
  const input = decodeListParts(request);
  const document = s3Document('ListPartsResult', (xml) => {
    xml.text('Bucket', input.bucket).text('Key', input.key).text('UploadId', input.uploadId);
    writeOwner(xml, 'Initiator', result.owner);
    writeOwner(xml, 'Owner', result.owner);
    xml.text('StorageClass', 'STANDARD').text('PartNumberMarker', input.after);
    if (result.truncated) xml.text('NextPartNumberMarker', result.parts.at(-1)?.number);
    xml.text('MaxParts', input.limit).text('IsTruncated', result.truncated);
    if (result.algorithmChosen) {
      xml.text('ChecksumAlgorithm', result.algorithm).text('ChecksumType', result.checksumType);
    }
    for (const part of result.parts) writePart(xml, result, part);
  });
  return xmlResponse(document);
}

export function writeOwner(
  xml: XmlWriter,
  element: string,
  owner: { readonly id: string; readonly displayName: string },
): void {
  xml.element(element, () => void xml.text('ID', owner.id).text('DisplayName', owner.displayName));
}

function writePart(xml: XmlWriter, result: ListPartsResult, part: ListPartsResult['parts'][number]): void {
  xml.element('Part', () => {
    xml.text('PartNumber', part.number).text('LastModified', formatIsoDate(part.modifiedMs));
    xml.text('ETag', `"${part.etag}"`).text('Size', part.sizeBytes);
    if (result.algorithmChosen) xml.text(checksumElement(result.algorithm), part.checksum);
  });
}
