/**
 * GET and HEAD /bucket/key: bytes, or a range of them, or a part; conditions; `response-*` overrides.
 * HEAD is the same answer without the body.
 */
import { contentRange, formatDate } from '../../../http/conditional/index.ts';
import { S3Error } from '../../errors.ts';
import type { Span } from '../byte-range.ts';
import { checksumFields } from '../checksum-output.ts';
import type { Checksum } from '../checksums.ts';
import { type Conditions, quoteEtag, readConditions } from '../conditions.ts';
import type { ResponseField, S3Request, S3Response } from '../message.ts';
import { type ObjectFields, requirePrintable, writeObjectFields } from '../object-fields.ts';
import type { Query } from '../query.ts';
import { requireCurrentVersion } from '../version-id.ts';

export interface ReadObjectInput {
  readonly bucket: string;
  readonly key: string;
  readonly conditions: Conditions;
  /** As it came: what it means depends on the object's size. */
  readonly range: string | undefined;
  readonly partNumber: number | undefined;
}

export type ReadObjectResult =
  | { readonly kind: 'not-modified'; readonly etag: string; readonly modifiedMs: number }
  | {
      readonly kind: 'object';
      readonly etag: string;
      readonly modifiedMs: number;
      readonly sizeBytes: number;
      readonly fields: ObjectFields;
      /** Of what is sent, where there is one. */
      readonly checksum: Checksum | undefined;
      /** What is sent; undefined for the whole. */
      readonly span: Span | undefined;
      /** Given when a part was asked for. */
      readonly partsCount: number | undefined;
      readonly body: AsyncIterable<Buffer> | undefined;
    };

const OVERRIDES: Readonly<Record<string, string>> = {
  'response-cache-control': 'cache-control',
  'response-content-disposition': 'content-disposition',
  'response-content-encoding': 'content-encoding',
  'response-content-language': 'content-language',
  'response-content-type': 'content-type',
  'response-expires': 'expires',
};

export function isOverride(name: string): boolean {
  return Object.hasOwn(OVERRIDES, name);
}

export function decodeReadObject({ bucket, key, query, fields }: S3Request): ReadObjectInput {
  requireCurrentVersion(query.get('versionId'));
  const partNumber = readPartNumber(query);
  if (partNumber !== undefined && fields.has('range')) {
    throw new S3Error('InvalidRequest', 'Cannot specify both Range header and partNumber query parameter');
  }
  return {
    bucket,
    key,
    conditions: readConditions(fields),
    range: fields.get('range'),
    partNumber,
  };
}

function readPartNumber(query: Query): number | undefined {
  const text = query.get('partNumber');
  if (text === undefined) return undefined;
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= 10_000) return number;
  throw new S3Error('InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive');
}

export function encodeReadObject(result: ReadObjectResult, request: S3Request): S3Response {
  const validators: ResponseField[] = [
    ['ETag', quoteEtag(result.etag)],
    ['Last-Modified', formatDate(result.modifiedMs)],
  ];
  if (result.kind === 'not-modified') return { status: 304, headers: validators };
  const { span, sizeBytes, partsCount } = result;
  const length = span === undefined ? sizeBytes : span.end - span.start;
  const headers: ResponseField[] = [
    ...validators,
    ['Accept-Ranges', 'bytes'],
    ['Content-Length', String(length)],
    ...writeObjectFields(result.fields, readOverrides(request.query)),
  ];
  if (span !== undefined) {
    const range = { first: span.start, last: span.end - 1 };
    headers.push(['Content-Range', contentRange(range, sizeBytes)]);
  }
  if (partsCount !== undefined) headers.push(['x-amz-mp-parts-count', String(partsCount)]);
  const wantsChecksum = request.fields.get('x-amz-checksum-mode')?.toUpperCase() === 'ENABLED';
  if (wantsChecksum) headers.push(...checksumFields(result.checksum));
  return {
    status: span === undefined ? 200 : 206,
    headers,
    ...(result.body === undefined ? {} : { body: result.body }),
  };
}

/** @throws S3Error InvalidArgument for a control character, which would end the field */
function readOverrides(query: Query): Record<string, string> {
  const overrides: Record<string, string> = {};
  for (const [parameter, name] of Object.entries(OVERRIDES)) {
    const value = query.get(parameter);
    if (value !== undefined) {
      overrides[name] = requirePrintable(parameter, Buffer.from(value, 'utf8').toString('latin1'));
    }
  }
  return overrides;
}
