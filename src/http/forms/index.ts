/** Forms: urlencoded, and multipart as a stream of parts. WHATWG URL section 5, RFC 7578. */

export { isBoundary } from './boundary.ts';
export { FormFields } from './form-fields.ts';
export { type MultipartEvent, type MultipartLimits, MultipartParser } from './multipart-parser.ts';
export { type FormPart, readMultipart } from './multipart-reader.ts';
export type { PartHead } from './part-head.ts';
export type { FormRefusal, FormRefusalCode } from './refusal.ts';
export { formatUrlencoded, parseUrlencoded, readUrlencoded, type UrlencodedLimits } from './urlencoded.ts';
