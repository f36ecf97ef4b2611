/** Representations: negotiated, coded, in parts, from files. See ../README.md; for conditions and ranges alone, ../conditional/. */
export { immutableFingerprints } from './cache-policy.ts';
export { type CompressionOptions, compressed } from './compressed.ts';
export { type DecodingLimits, decodedBody } from './decoded-body.ts';
export { chooseCoding, chooseLanguage, chooseMediaType } from './negotiate.ts';
export { type Content, type Representation, respondWith } from './representation.ts';
export { createStaticFiles, type StaticFiles, type StaticFilesOptions } from './static-files.ts';
