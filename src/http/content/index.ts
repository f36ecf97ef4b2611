/** Representations: negotiated, coded, in parts, on conditions, from files. See ../README.md. */
export { immutableFingerprints } from './cache-policy.ts';
export { type CompressionOptions, compressed } from './compressed.ts';
export { type ConditionalRequest, evaluateConditions, ifRangeHolds, type Validators } from './conditional.ts';
export { type DecodingLimits, decodedBody } from './decoded-body.ts';
export { chooseCoding, chooseLanguage, chooseMediaType } from './negotiate.ts';
export { type ByteRange, contentRange, parseRange, type RangeRequest, unsatisfiedRange } from './range.ts';
export { type Content, type Representation, respondWith } from './representation.ts';
export { createStaticFiles, type StaticFiles, type StaticFilesOptions } from './static-files.ts';
