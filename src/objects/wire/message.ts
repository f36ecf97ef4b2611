/** One request as the operations see it, after the gate, and one answer. */
import type { Fields } from './fields.ts';
import type { Query } from './query.ts';

export interface S3Request {
  readonly method: string;
  readonly bucket: string;
  readonly key: string;
  readonly query: Query;
  /** For presigned URLs, the `x-amz-*` parameters of the query count as fields. */
  readonly fields: Fields;
  /** The body, for operations that take a document; else empty. */
  readonly document: Buffer;
}

export type ResponseField = readonly [name: string, value: string];

export interface S3Response {
  readonly status: number;
  readonly headers: readonly ResponseField[];
  /** A string is an XML document. */
  readonly body?: string | AsyncIterable<Buffer>;
}

/** 200 with an XML document. */
export function xmlResponse(document: string, headers: readonly ResponseField[] = []): S3Response {
  return { status: 200, headers: [['Content-Type', 'application/xml'], ...headers], body: document };
}
