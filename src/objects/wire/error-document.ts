/** The one place where an error becomes an answer. HEAD, 304 and 204 have no body (RFC 9110 section 9.3.2); 416 tells the size (section 15.5.17). */
import { unsatisfiedRange } from '../../http/conditional/index.ts';
import type { S3Error } from '../errors.ts';
import type { ResponseField, S3Response } from './message.ts';
import { plainDocument } from './xml-writer.ts';

export interface ErrorContext {
  /** The path of the request. */
  readonly resource: string;
  readonly requestId: string;
  readonly hostId: string;
  readonly withBody: boolean;
}

export function errorResponse(error: S3Error, context: ErrorContext): S3Response {
  const sizeBytes = error.elements['ActualObjectSize'];
  const range: ResponseField[] =
    sizeBytes === undefined ? [] : [['Content-Range', unsatisfiedRange(Number(sizeBytes))]];
  if (!context.withBody) return { status: error.status, headers: range };
  const document = plainDocument('Error', (xml) => {
    xml.text('Code', error.code).text('Message', error.message);
    for (const [name, value] of Object.entries(error.elements)) xml.text(name, value);
    xml
      .text('Resource', context.resource)
      .text('RequestId', context.requestId)
      .text('HostId', context.hostId);
  });
  return { status: error.status, headers: [['Content-Type', 'application/xml'], ...range], body: document };
}
