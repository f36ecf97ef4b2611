/** GET / : all buckets of the owner. */
import { PROTOCOL_LIMITS } from '../../limits.ts';
import { formatIsoDate } from '../dates.ts';
import { decodeToken, encodeToken, readCount, readText } from '../list-parameters.ts';
import { type S3Request, type S3Response, xmlResponse } from '../message.ts';
import { s3Document } from '../xml-writer.ts';

export interface ListBucketsInput {
  readonly prefix: string;
  /** Names after this one. */
  readonly after: string | undefined;
  readonly limit: number;
  readonly region: string | undefined;
}

export interface ListBucketsResult {
  readonly owner: { readonly id: string; readonly displayName: string };
  readonly region: string;
  readonly buckets: readonly { readonly name: string; readonly createdMs: number }[];
  readonly truncated: boolean;
}

export function decodeListBuckets({ query }: S3Request): ListBucketsInput {
  const token = readText(query, 'continuation-token');
  return {
    prefix: query.get('prefix') ?? '',
    after: token === undefined ? undefined : decodeToken(token).name,
    limit: readCount(query, 'max-buckets', PROTOCOL_LIMITS.listBuckets),
    region: readText(query, 'bucket-region'),
  };
}

export function encodeListBuckets(result: ListBucketsResult, { query }: S3Request): S3Response {
  const last = result.buckets.at(-1);
  const document = s3Document('ListAllMyBucketsResult', (xml) => {
    xml.element('Owner', () => {
      xml.text('ID', result.owner.id).text('DisplayName', result.owner.displayName);
    });
    xml.element('Buckets', () => {
      for (const bucket of result.buckets) {
        xml.element('Bucket', () => {
          xml.text('Name', bucket.name).text('CreationDate', formatIsoDate(bucket.createdMs));
          xml.text('BucketRegion', result.region);
        });
      }
    });
    if (query.has('prefix')) xml.text('Prefix', query.get('prefix'));
    if (result.truncated && last !== undefined) {
      xml.text('ContinuationToken', encodeToken({ kind: 'key', name: last.name }));
    }
  });
  return xmlResponse(document);
}
