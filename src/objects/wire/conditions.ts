/**
 * The conditions of RFC 9110 section 13, as S3 has them. What they mean and the order in which they decide is HTTP's
 * (http/conditional); S3 spells them otherwise, which is undone here:
 *   - a tag may come without quotes, and `W/` says nothing: an ETag of S3 is never weak;
 *   - a date may be in ISO 8601 too.
 *
 * CopyObject has the same four about its source, as `x-amz-copy-source-if-…`, and fails with 412 always. Writes know
 * If-Match and If-None-Match alone, and If-Match of an object that is not there is 404 (engine/write-conditions.ts),
 * where RFC 9110 has 412.
 */
import { evaluateConditions as evaluate, formatDate, ifRangeHolds } from '../../http/conditional/index.ts';
import { parseHttpDate } from './dates.ts';
import type { Fields } from './fields.ts';

/** Lower-case name, without prefix → value as RFC 9110 spells it; a date that is none is left out. */
export type Conditions = ReadonlyMap<string, string>;

/** What a condition is about. */
export interface Validator {
  readonly etag: string;
  readonly modifiedMs: number;
}

const WITH_TAGS = ['if-match', 'if-none-match'] as const;
const WITH_DATE = ['if-modified-since', 'if-unmodified-since'] as const;

/** @param prefix '' or `x-amz-copy-source-` */
export function readConditions(fields: Fields, prefix = ''): Conditions {
  const conditions = new Map<string, string>();
  for (const name of WITH_TAGS) {
    const value = fields.get(prefix + name);
    if (value !== undefined) conditions.set(name, standardTags(value));
  }
  for (const name of WITH_DATE) {
    const value = standardDate(fields.get(prefix + name));
    if (value !== undefined) conditions.set(name, value);
  }
  const ifRange = fields.get(`${prefix}if-range`);
  if (ifRange !== undefined) conditions.set('if-range', standardDate(ifRange) ?? standardTag(ifRange));
  return conditions;
}

/** That the object has this tag still. */
export function ifMatch(etag: string): Conditions {
  return new Map([['if-match', quoteEtag(etag)]]);
}

function standardDate(text: string | undefined): string | undefined {
  const timeMs = text === undefined ? undefined : parseHttpDate(text);
  return timeMs === undefined ? undefined : formatDate(timeMs);
}

/**
 * A list with `*` in it is `*`, also in quotes: no object has that tag, and who writes so means to overwrite nothing.
 * What cannot be a tag matches nothing, and is left out.
 */
function standardTags(text: string): string {
  const tags = text
    .split(',')
    .map((tag) => tag.trim())
    .map((tag) => standardTag(tag.startsWith('W/') ? tag.slice(2) : tag));
  return tags.includes('"*"') ? '*' : tags.filter(isTag).join(', ');
}

function standardTag(tag: string): string {
  return tag.startsWith('W/') ? tag : quoteEtag(unquoteEtag(tag));
}

/** At least one character that ends neither the tag nor the list. */
function isTag(quoted: string): boolean {
  const opaque = quoted.slice(1, -1);
  return opaque !== '' && !opaque.includes('"') && !opaque.includes(' ') && !opaque.includes('\t');
}

export function quoteEtag(etag: string): string {
  return `"${etag}"`;
}

export function unquoteEtag(tag: string): string {
  return tag.length >= 2 && tag.startsWith('"') && tag.endsWith('"') ? tag.slice(1, -1) : tag;
}

/** Of a read. */
export function evaluateConditions(conditions: Conditions, current: Validator): 'proceed' | 304 | 412 {
  return evaluate({ method: 'GET', headers: conditions }, validatorsOf(current));
}

/** Whether the range that was asked for still counts. */
export function rangeHolds(conditions: Conditions, current: Validator, nowMs: number): boolean {
  return ifRangeHolds(conditions, { ...validatorsOf(current), nowMs });
}

/** The condition that forbids a write over `current`, or over nothing. */
export function failedWriteCondition(
  conditions: Conditions,
  current: Pick<Validator, 'etag'> | undefined,
): 'If-Match' | 'If-None-Match' | undefined {
  const now = current === undefined ? { exists: false } : { etag: quoteEtag(current.etag) };
  for (const field of ['If-Match', 'If-None-Match'] as const) {
    const name = field.toLowerCase();
    const value = conditions.get(name);
    const headers = new Map(value === undefined ? [] : [[name, value]]);
    if (evaluate({ method: 'PUT', headers }, now) === 412) return field;
  }
  return undefined;
}

function validatorsOf({ etag, modifiedMs }: Validator) {
  return { etag: quoteEtag(etag), lastModifiedMs: modifiedMs };
}
