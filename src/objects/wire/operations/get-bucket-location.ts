/** GET /bucket?location: empty for us-east-1, as S3 has had it since before regions. */
import { type S3Response, xmlResponse } from '../message.ts';
import { s3Document } from '../xml-writer.ts';

export interface GetBucketLocationResult {
  readonly region: string;
}

export function encodeGetBucketLocation({ region }: GetBucketLocationResult): S3Response {
  const text = region === 'us-east-1' ? '' : region;
  // The one document whose root holds text.
  return xmlResponse(
    s3Document('LocationConstraint', (xml) => {
      xml.content(text);
    }),
  );
}
