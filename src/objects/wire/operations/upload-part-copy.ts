/** PUT /bucket/key?partNumber=n&uploadId=… with x-amz-copy-source: one part, from an object or a range of it. */
import { S3Error } from '../../errors.ts';
import { parseCopyRange, type Span } from '../byte-range.ts';
import type { Conditions } from '../conditions.ts';
import type { CopySource } from '../copy-source.ts';
import { type S3Request, type S3Response, xmlResponse } from '../message.ts';
import { type CopyResult, copyDocument, readCopySource } from './copy-object.ts';
import { decodeUploadPart, type PartAddress } from './upload-part.ts';

export interface UploadPartCopyInput extends PartAddress {
  readonly source: CopySource;
  readonly sourceConditions: Conditions;
  /** Both ends given, as S3 demands. */
  readonly span: Span | undefined;
}

export function decodeUploadPartCopy(request: S3Request): UploadPartCopyInput {
  return {
    ...decodeUploadPart(request),
    ...readCopySource(request.fields),
    span: readSpan(request.fields.get('x-amz-copy-source-range')),
  };
}

function readSpan(text: string | undefined): Span | undefined {
  if (text === undefined) return undefined;
  const span = parseCopyRange(text);
  if (span !== undefined) return span;
  throw new S3Error(
    'InvalidArgument',
    'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the ' +
      'zero-based offsets of the first and last bytes to copy',
    { elements: { ArgumentName: 'x-amz-copy-source-range', ArgumentValue: text } },
  );
}

export function encodeUploadPartCopy(result: CopyResult): S3Response {
  return xmlResponse(copyDocument('CopyPartResult', result));
}
