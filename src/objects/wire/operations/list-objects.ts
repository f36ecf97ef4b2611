/**
 * The three listings of a bucket, which differ in how a page is continued and in names of elements:
 *
 *   GET /bucket                  ListObjects         marker              → NextMarker
 *   GET /bucket?list-type=2      ListObjectsV2       continuation-token  → NextContinuationToken
 *   GET /bucket?versions         ListObjectVersions  key-marker          → NextKeyMarker
 */

import { S3Error } from '../../errors.ts';
import { PROTOCOL_LIMITS } from '../../limits.ts';
import type { Checksum } from '../checksums.ts';
import { formatIsoDate } from '../dates.ts';
import {
  decodeToken,
  encodeToken,
  listedName,
  type Position,
  readCount,
  readEncodingType,
  readText,
} from '../list-parameters.ts';
import { type S3Request, type S3Response, xmlResponse } from '../message.ts';
import { s3Document, type XmlWriter } from '../xml-writer.ts';

export interface ListObjectsInput {
  readonly bucket: string;
  readonly prefix: string;
  readonly delimiter: string | undefined;
  /** Where a continuation token says the page begins. */
  readonly position: Position | undefined;
  /** A key of the client's choice, which may be a common prefix of the page before. */
  readonly marker: string | undefined;
  /** A key of the client's choice, which is only a key. */
  readonly startAfter: string | undefined;
  readonly limit: number;
}

export interface ListObjectsResult {
  readonly owner: { readonly id: string; readonly displayName: string };
  readonly objects: readonly {
    readonly key: Buffer;
    readonly etag: string;
    readonly sizeBytes: number;
    readonly modifiedMs: number;
    readonly checksum?: Checksum;
  }[];
  readonly prefixes: readonly string[];
  readonly truncated: boolean;
  readonly last: Position | undefined;
}

const NO_START = { position: undefined, marker: undefined, startAfter: undefined } as const;

function decodeShared({ bucket, query }: S3Request): Omit<ListObjectsInput, keyof typeof NO_START> {
  readEncodingType(query);
  return {
    bucket,
    prefix: query.get('prefix') ?? '',
    delimiter: readText(query, 'delimiter'),
    limit: readCount(query, 'max-keys', PROTOCOL_LIMITS.listKeys),
  };
}

export function decodeListObjects(request: S3Request): ListObjectsInput {
  return { ...NO_START, ...decodeShared(request), marker: readText(request.query, 'marker') };
}

export function decodeListObjectsV2(request: S3Request): ListObjectsInput {
  const token = readText(request.query, 'continuation-token');
  return {
    ...NO_START,
    ...decodeShared(request),
    position: token === undefined ? undefined : decodeToken(token),
    startAfter: token === undefined ? readText(request.query, 'start-after') : undefined,
  };
}

export function decodeListObjectVersions(request: S3Request): ListObjectsInput {
  const marker = readText(request.query, 'key-marker');
  if (marker === undefined && readText(request.query, 'version-id-marker') !== undefined) {
    throw new S3Error('InvalidArgument', 'A version-id marker cannot be specified without a key marker.');
  }
  return { ...NO_START, ...decodeShared(request), marker };
}

export function encodeListObjects(result: ListObjectsResult, request: S3Request): S3Response {
  const { query } = request;
  const url = readEncodingType(query);
  return listing('ListBucketResult', result, request, (xml) => {
    xml.text('Marker', listedName(query.get('marker') ?? '', url));
    if (result.truncated && query.get('delimiter') && result.last !== undefined) {
      xml.text('NextMarker', listedName(result.last.name, url));
    }
    writeObjects(xml, 'Contents', result, url, true);
  });
}

export function encodeListObjectsV2(result: ListObjectsResult, request: S3Request): S3Response {
  const { query } = request;
  const url = readEncodingType(query);
  const startAfter = query.get('start-after');
  return listing('ListBucketResult', result, request, (xml) => {
    xml.text('ContinuationToken', query.get('continuation-token'));
    if (result.truncated && result.last !== undefined) {
      xml.text('NextContinuationToken', encodeToken(result.last));
    }
    xml.text('KeyCount', result.objects.length + result.prefixes.length);
    xml.text('StartAfter', startAfter === undefined ? undefined : listedName(startAfter, url));
    writeObjects(xml, 'Contents', result, url, query.get('fetch-owner') === 'true');
  });
}

export function encodeListObjectVersions(result: ListObjectsResult, request: S3Request): S3Response {
  const { query } = request;
  const url = readEncodingType(query);
  return listing('ListVersionsResult', result, request, (xml) => {
    xml.text('KeyMarker', listedName(query.get('key-marker') ?? '', url));
    xml.text('VersionIdMarker', query.get('version-id-marker') ?? '');
    if (result.truncated && result.last !== undefined) {
      xml.text('NextKeyMarker', listedName(result.last.name, url));
      if (result.last.kind === 'key') xml.text('NextVersionIdMarker', 'null');
    }
    writeObjects(xml, 'Version', result, url, true);
  });
}

function listing(
  root: string,
  result: ListObjectsResult,
  { bucket, query }: S3Request,
  content: (xml: XmlWriter) => void,
): S3Response {
  const url = readEncodingType(query);
  const document = s3Document(root, (xml) => {
    xml.text('Name', bucket).text('Prefix', listedName(query.get('prefix') ?? '', url));
    const delimiter = readText(query, 'delimiter');
    xml.text('Delimiter', delimiter === undefined ? undefined : listedName(delimiter, url));
    xml.text('MaxKeys', readCount(query, 'max-keys', PROTOCOL_LIMITS.listKeys));
    xml.text('EncodingType', url ? 'url' : undefined).text('IsTruncated', result.truncated);
    content(xml);
    for (const prefix of result.prefixes) {
      xml.element('CommonPrefixes', () => void xml.text('Prefix', listedName(prefix, url)));
    }
  });
  return xmlResponse(document);
}

function writeObjects(
  xml: XmlWriter,
  element: 'Contents' | 'Version',
  result: ListObjectsResult,
  url: boolean,
  withOwner: boolean,
): void {
  for (const object of result.objects) {
    xml.element(element, () => {
      xml.text('Key', listedName(object.key.toString('utf8'), url));
      if (element === 'Version') xml.text('VersionId', 'null').text('IsLatest', true);
      xml.text('LastModified', formatIsoDate(object.modifiedMs)).text('ETag', `"${object.etag}"`);
      xml.text('ChecksumAlgorithm', object.checksum?.algorithm).text('ChecksumType', object.checksum?.type);
      xml.text('Size', object.sizeBytes).text('StorageClass', 'STANDARD');
      if (withOwner) {
        xml.element('Owner', () => {
          xml.text('ID', result.owner.id).text('DisplayName', result.owner.displayName);
        });
      }
    });
  }
}
