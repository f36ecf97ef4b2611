/** Answers as a client reads them. Elements that a client does not need are passed over, for servers differ. */
import { isS3Code, S3Error } from '../errors.ts';
import { childText, readXml, type XmlNode } from './xml-reader.ts';

export interface ListedBucket {
  readonly name: string;
  readonly createdMs: number;
}

export interface ListedKey {
  readonly key: string;
  readonly sizeBytes: number;
  /** Without quotes. */
  readonly etag: string;
  readonly modifiedMs: number;
}

export interface ObjectsPage {
  readonly objects: readonly ListedKey[];
  readonly prefixes: readonly string[];
  /** Gives the next page; undefined on the last. */
  readonly continuationToken: string | undefined;
}

/** @throws S3Error MalformedXML */
export function readBuckets(document: Uint8Array): ListedBucket[] {
  const root = readXml(document, 'ListAllMyBucketsResult');
  const buckets = root.children.find(({ name }) => name === 'Buckets')?.children ?? [];
  return buckets.map((bucket) => ({
    name: childText(bucket, 'Name') ?? '',
    createdMs: Date.parse(childText(bucket, 'CreationDate') ?? ''),
  }));
}

/** @param decode undoes `encoding-type=url`. @throws S3Error MalformedXML */
export function readObjectsPage(document: Uint8Array, decode: (text: string) => string): ObjectsPage {
  const root = readXml(document, 'ListBucketResult');
  const named = (name: string): XmlNode[] => root.children.filter((child) => child.name === name);
  const truncated = childText(root, 'IsTruncated') === 'true';
  return {
    objects: named('Contents').map((node) => readListedKey(node, decode)),
    prefixes: named('CommonPrefixes').map((node) => decode(childText(node, 'Prefix') ?? '')),
    continuationToken: truncated ? childText(root, 'NextContinuationToken') : undefined,
  };
}

function readListedKey(node: XmlNode, decode: (text: string) => string): ListedKey {
  return {
    key: decode(childText(node, 'Key') ?? ''),
    sizeBytes: Number(childText(node, 'Size')),
    etag: (childText(node, 'ETag') ?? '').replaceAll('"', ''),
    modifiedMs: Date.parse(childText(node, 'LastModified') ?? ''),
  };
}

/** The error of an answer; from the status alone where there is no document, as for HEAD. */
export function readError(status: number, document: Uint8Array): S3Error {
  const sent = readErrorDocument(document);
  const code = sent?.code ?? codeOfStatus(status);
  if (isS3Code(code)) return new S3Error(code, sent?.message, { status });
  return new S3Error('InternalError', `${code}: ${sent?.message ?? `status ${status}`}`, { status });
}

function readErrorDocument(document: Uint8Array): { code: string; message: string } | undefined {
  try {
    const root = readXml(document, 'Error');
    return { code: childText(root, 'Code') ?? '', message: childText(root, 'Message') ?? '' };
  } catch {
    return undefined;
  }
}

function codeOfStatus(status: number): string {
  switch (status) {
    case 403:
      return 'AccessDenied';
    case 404:
      return 'NoSuchKey';
    case 412:
      return 'PreconditionFailed';
    case 416:
      return 'InvalidRange';
    case 503:
      return 'ServiceUnavailable';
    default:
      return 'Unknown';
  }
}
