/** POST /bucket?delete: up to 1,000 keys, each with its own outcome. */
import { type S3Code, S3Error } from '../../errors.ts';
import { PROTOCOL_LIMITS } from '../../limits.ts';
import { unquoteEtag } from '../conditions.ts';
import { type S3Request, type S3Response, xmlResponse } from '../message.ts';
import { childText, readXml, requireOnly, type XmlNode } from '../xml-reader.ts';
import { s3Document } from '../xml-writer.ts';

export interface DeleteRequest {
  readonly key: string;
  readonly versionId: string | undefined;
  /** Only if the object has it. */
  readonly etag: string | undefined;
}

export interface DeleteObjectsInput {
  readonly bucket: string;
  readonly objects: readonly DeleteRequest[];
  /** Only failures are reported. */
  readonly quiet: boolean;
}

export type DeleteOutcome =
  | { readonly key: string; readonly versionId: string | undefined; readonly error?: undefined }
  | {
      readonly key: string;
      readonly versionId: string | undefined;
      readonly error: { readonly code: S3Code; readonly message: string };
    };

export interface DeleteObjectsResult {
  readonly outcomes: readonly DeleteOutcome[];
  readonly quiet: boolean;
}

export function decodeDeleteObjects({ bucket, document }: S3Request): DeleteObjectsInput {
  const root = readXml(document, 'Delete');
  requireOnly(root, ['Object', 'Quiet']);
  const objects = root.children.filter(({ name }) => name === 'Object').map(readDeleteRequest);
  if (objects.length === 0 || objects.length > PROTOCOL_LIMITS.deleteKeys) throw new S3Error('MalformedXML');
  return { bucket, objects, quiet: readQuiet(childText(root, 'Quiet')) };
}

function readDeleteRequest(node: XmlNode): DeleteRequest {
  requireOnly(node, ['Key', 'VersionId', 'ETag']);
  const key = childText(node, 'Key');
  const etag = childText(node, 'ETag');
  if (key === undefined || key === '') throw new S3Error('MalformedXML');
  return {
    key,
    versionId: childText(node, 'VersionId') || undefined,
    etag: etag === undefined ? undefined : unquoteEtag(etag),
  };
}

function readQuiet(text: string | undefined): boolean {
  if (text === undefined || text === 'false') return false;
  if (text === 'true') return true;
  throw new S3Error('MalformedXML');
}

export function encodeDeleteObjects({ outcomes, quiet }: DeleteObjectsResult): S3Response {
  const document = s3Document('DeleteResult', (xml) => {
    for (const { key, versionId, error } of outcomes) {
      if (error === undefined && quiet) continue;
      xml.element(error === undefined ? 'Deleted' : 'Error', () => {
        xml.text('Key', key).text('VersionId', versionId);
        if (error !== undefined) xml.text('Code', error.code).text('Message', error.message);
      });
    }
  });
  return xmlResponse(document);
}
