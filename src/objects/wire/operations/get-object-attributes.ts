/** GET /bucket/key?attributes: what an object is made of, without its bytes. */
import { formatDate } from '../../../http/conditional/index.ts';
import { S3Error } from '../../errors.ts';
import { PROTOCOL_LIMITS } from '../../limits.ts';
import { writeChecksum } from '../checksum-output.ts';
import { type Checksum, checksumElement } from '../checksums.ts';
import { readCount } from '../list-parameters.ts';
import { type S3Request, type S3Response, xmlResponse } from '../message.ts';
import { requireCurrentVersion } from '../version-id.ts';
import { s3Document, type XmlWriter } from '../xml-writer.ts';

export const OBJECT_ATTRIBUTES = ['ETag', 'Checksum', 'ObjectParts', 'StorageClass', 'ObjectSize'] as const;
export type ObjectAttribute = (typeof OBJECT_ATTRIBUTES)[number];

export interface GetObjectAttributesInput {
  readonly bucket: string;
  readonly key: string;
  readonly attributes: ReadonlySet<ObjectAttribute>;
  /** Parts with numbers above this one, */
  readonly after: number;
  /** at most so many. */
  readonly limit: number;
}

export interface GetObjectAttributesResult {
  readonly etag: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  readonly checksum: Checksum | undefined;
  /** Undefined for an object of one PUT. */
  readonly parts: readonly { readonly sizeBytes: number; readonly checksum?: string }[] | undefined;
}

const MAX_MARKER = 10_000;

/** @throws S3Error InvalidArgument, InvalidRequest */
export function decodeGetObjectAttributes({
  bucket,
  key,
  query,
  fields,
}: S3Request): GetObjectAttributesInput {
  requireCurrentVersion(query.get('versionId'));
  return {
    bucket,
    key,
    attributes: readAttributes(fields.get('x-amz-object-attributes')),
    after: readCount(fields, 'x-amz-part-number-marker', MAX_MARKER, 0),
    limit: readCount(fields, 'x-amz-max-parts', PROTOCOL_LIMITS.listKeys),
  };
}

function readAttributes(text: string | undefined): Set<ObjectAttribute> {
  if (text === undefined || text.trim() === '') {
    throw new S3Error('InvalidRequest', 'The x-amz-object-attributes header is missing.');
  }
  return new Set(
    text.split(',').map((name) => {
      const attribute = OBJECT_ATTRIBUTES.find((known) => known === name.trim());
      if (attribute !== undefined) return attribute;
      throw new S3Error('InvalidArgument', 'Invalid attribute name specified.', {
        elements: { ArgumentName: 'x-amz-object-attributes', ArgumentValue: name.trim() },
      });
    }),
  );
}

export function encodeGetObjectAttributes(result: GetObjectAttributesResult, request: S3Request): S3Response {
  const input = decodeGetObjectAttributes(request);
  const wants = (attribute: ObjectAttribute): boolean => input.attributes.has(attribute);
  const document = s3Document('GetObjectAttributesResponse', (xml) => {
    if (wants('ETag')) xml.text('ETag', result.etag);
    if (wants('Checksum') && result.checksum !== undefined) {
      xml.element('Checksum', () => writeChecksum(xml, result.checksum));
    }
    if (wants('ObjectParts') && result.parts !== undefined) writeParts(xml, input, result, result.parts);
    if (wants('StorageClass')) xml.text('StorageClass', 'STANDARD');
    if (wants('ObjectSize')) xml.text('ObjectSize', result.sizeBytes);
  });
  return xmlResponse(document, [['Last-Modified', formatDate(result.modifiedMs)]]);
}

function writeParts(
  xml: XmlWriter,
  { after, limit }: GetObjectAttributesInput,
  { checksum }: GetObjectAttributesResult,
  parts: NonNullable<GetObjectAttributesResult['parts']>,
): void {
  const page = parts.slice(after, after + limit);
  const truncated = after + page.length < parts.length;
  xml.element('ObjectParts', () => {
    xml.text('PartsCount', parts.length).text('PartNumberMarker', after);
    xml.text('NextPartNumberMarker', truncated ? after + page.length : 0);
    xml.text('MaxParts', limit).text('IsTruncated', truncated);
    for (const [index, part] of page.entries()) {
      xml.element('Part', () => {
        xml.text('PartNumber', after + index + 1).text('Size', part.sizeBytes);
        if (checksum !== undefined) xml.text(checksumElement(checksum.algorithm), part.checksum);
      });
    }
  });
}
