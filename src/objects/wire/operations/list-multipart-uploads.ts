/** GET /bucket?uploads: what was begun and neither completed nor aborted. */
import { PROTOCOL_LIMITS } from '../../limits.ts';
import { formatIsoDate } from '../dates.ts';
import { listedName, readCount, readEncodingType, readText } from '../list-parameters.ts';
import { type S3Request, type S3Response, xmlResponse } from '../message.ts';
import { s3Document } from '../xml-writer.ts';
import { writeOwner } from './list-parts.ts';

export interface ListMultipartUploadsInput {
  readonly bucket: string;
  readonly prefix: string;
  readonly delimiter: string | undefined;
  readonly keyMarker: string | undefined;
  /** Counts only together with the key marker. */
  readonly uploadIdMarker: string | undefined;
  readonly limit: number;
}

export interface ListedUpload {
  readonly key: string;
  readonly id: string;
  readonly startedMs: number;
}

export interface ListMultipartUploadsResult {
  readonly owner: { readonly id: string; readonly displayName: string };
  readonly uploads: readonly ListedUpload[];
  readonly prefixes: readonly string[];
  /** Where the next page begins, when there is one. */
  readonly next: { readonly key: string; readonly uploadId: string } | undefined;
}

export function decodeListMultipartUploads({ bucket, query }: S3Request): ListMultipartUploadsInput {
  readEncodingType(query);
  return {
    bucket,
    prefix: query.get('prefix') ?? '',
    delimiter: readText(query, 'delimiter'),
    keyMarker: readText(query, 'key-marker'),
    uploadIdMarker: readText(query, 'upload-id-marker'),
    limit: readCount(query, 'max-uploads', PROTOCOL_LIMITS.listKeys),
  };
}

export function encodeListMultipartUploads(
  result: ListMultipartUploadsResult,
  request: S3Request,
): S3Response {
  const input = decodeListMultipartUploads(request);
  const url = readEncodingType(request.query);
  const document = s3Document('ListMultipartUploadsResult', (xml) => {
    xml.text('Bucket', input.bucket).text('KeyMarker', listedName(input.keyMarker ?? '', url));
    xml.text('UploadIdMarker', input.uploadIdMarker ?? '');
    if (result.next !== undefined) {
      xml.text('NextKeyMarker', listedName(result.next.key, url));
      xml.text('NextUploadIdMarker', result.next.uploadId);
    }
    xml.text('Prefix', listedName(input.prefix, url)).text('Delimiter', input.delimiter);
    xml.text('EncodingType', url ? 'url' : undefined).text('MaxUploads', input.limit);
    xml.text('IsTruncated', result.next !== undefined);
    for (const upload of result.uploads) {
      xml.element('Upload', () => {
        xml.text('Key', listedName(upload.key, url)).text('UploadId', upload.id);
        writeOwner(xml, 'Initiator', result.owner);
        writeOwner(xml, 'Owner', result.owner);
        xml.text('StorageClass', 'STANDARD').text('Initiated', formatIsoDate(upload.startedMs));
      });
    }
    for (const prefix of result.prefixes) {
      xml.element('CommonPrefixes', () => void xml.text('Prefix', listedName(prefix, url)));
    }
  });
  return xmlResponse(document);
}
