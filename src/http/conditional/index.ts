/**
 * Conditional requests and ranges: entity tags, dates, and what a client asks for with them. RFC 9110 sections 13, 14.
 * Pure, so that the messages of a protocol over HTTP may use it.
 */

export { formatDate, parseDate } from '../wire/date.ts';
export {
  type ConditionalRequest,
  evaluateConditions,
  type FieldLookup,
  ifRangeHolds,
  type Validators,
} from './conditional.ts';
export { type ByteRange, contentRange, parseRange, type RangeRequest, unsatisfiedRange } from './range.ts';
