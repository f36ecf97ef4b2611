/**
 * Proactive negotiation: the server picks the representation that the client likes best of those it has. RFC 9110
 * section 12.
 *
 * The client's weight decides, and among equals the order in which the server offers. What an answer depends on
 * belongs into its `Vary`, whichever variant it is.
 */

import { CONTENT_LIMITS } from '../limits.ts';
import { FieldReader, type Parameter } from './field-reader.ts';
import { readWeightedList, type Weighted } from './weighted-list.ts';

// ── Media types ─────────────────────────────────────────────────────────────────────────────────────────────

export interface MediaType {
  /** `type/subtype`, lower case. */
  readonly name: string;
  readonly parameters: readonly Parameter[];
}

const SLASH = 0x2f;

/** A Content-Type taken apart; undefined when it is none. RFC 9110 section 8.3.1. */
export function readMediaType(text: string): MediaType | undefined {
  const reader = new FieldReader(text);
  const type = reader.token();
  const subtype = reader.take(SLASH) ? reader.token() : undefined;
  const parameters = reader.parameters(CONTENT_LIMITS.parameters);
  if (type === undefined || subtype === undefined || parameters === undefined || !reader.done)
    return undefined;
  return { name: `${type}/${subtype}`.toLowerCase(), parameters };
}

/**
 * The media type to send, one of `offered`; undefined when none is acceptable: 406, or the first of them all the
 * same, as the standard leaves it. RFC 9110 section 12.5.1.
 * @param offered Content-Type values, best first
 */
export function chooseMediaType(accept: string | undefined, offered: readonly string[]): string | undefined {
  const ranges = accept === undefined ? undefined : readWeightedList(accept);
  if (ranges === undefined || ranges.length === 0 || !ranges.every(isMediaRange)) return offered[0];
  return best(offered, (offer) => mediaWeight(offer, ranges));
}

/** A `*` for the type alone is none. */
function isMediaRange({ name }: Weighted): boolean {
  return name.includes('/') && (!name.startsWith('*/') || name === '*/*');
}

/** The weight of the most specific range that matches. */
function mediaWeight(offer: string, ranges: readonly Weighted[]): number {
  const type = readMediaType(offer);
  if (type === undefined) return 0;
  let specificity = -1;
  let weight = 0;
  for (const range of ranges) {
    const found = specificityOf(range, type);
    if (found <= specificity) continue;
    specificity = found;
    weight = range.weight;
  }
  return weight;
}

/** 0 any, 1 any of the type, 2 exact, and one more for each parameter; -1 when it does not match. */
function specificityOf(range: Weighted, type: MediaType): number {
  if (!range.parameters.every((wanted) => type.parameters.some((own) => sameParameter(wanted, own))))
    return -1;
  if (range.name === type.name) return 2 + range.parameters.length;
  if (range.name === '*/*') return 0;
  return range.name.endsWith('/*') && type.name.startsWith(range.name.slice(0, -1)) ? 1 : -1;
}

/** Charsets ignore case; of other values only their owners know. */
function sameParameter(left: Parameter, right: Parameter): boolean {
  if (left.name !== right.name) return false;
  return left.value === right.value || (left.name === 'charset' && sameText(left.value, right.value));
}

function sameText(left: string, right: string): boolean {
  return left.toLowerCase() === right.toLowerCase();
}

// ── Content codings ─────────────────────────────────────────────────────────────────────────────────────────

/**
 * The content coding to send, `identity` for none; undefined when not even that is acceptable. RFC 9110 section
 * 12.5.3: without the field anything may be sent, and then nothing is coded, for who does not ask may not know how.
 * @param available codings in lower case, best first
 */
export function chooseCoding<Coding extends string>(
  acceptEncoding: string | undefined,
  available: readonly Coding[],
): Coding | 'identity' | undefined {
  const ranges = acceptEncoding === undefined ? undefined : readWeightedList(acceptEncoding);
  if (ranges === undefined) return 'identity';
  const weightOf = (name: string): number | undefined =>
    (ranges.find((range) => canonical(range.name) === name) ?? ranges.find((range) => range.name === '*'))
      ?.weight;
  const coding = best(available, (name) => weightOf(name) ?? 0);
  const identity = weightOf('identity');
  if (coding === undefined) return identity === 0 ? undefined : 'identity';
  // A client that only lists codings would like one of them; uncoded is allowed but not asked for.
  return identity !== undefined && identity > weightOf(coding)! ? 'identity' : coding;
}

/** RFC 9110 section 8.4.1.3: the same by an older name. */
function canonical(name: string): string {
  return name === 'x-gzip' ? 'gzip' : name;
}

// ── Languages ───────────────────────────────────────────────────────────────────────────────────────────────

/**
 * The language to send, one of `available`; undefined when the client names none of them, and then a default is
 * better than a refusal (RFC 9110 section 12.5.4). Lookup of RFC 4647 section 3.4: the ranges from the best down,
 * each shortened from its end until a tag fits; beyond it, a range also finds longer tags (`en` finds `en-GB`).
 * @param available language tags, best first
 */
export function chooseLanguage(
  acceptLanguage: string | undefined,
  available: readonly string[],
): string | undefined {
  const ranges = acceptLanguage === undefined ? undefined : readWeightedList(acceptLanguage);
  if (ranges === undefined) return undefined;
  const refused = ranges.filter((range) => range.weight === 0);
  const open = available.filter((tag) => !refused.some((range) => covers(range.name, tag.toLowerCase())));
  for (const range of ranges.filter(({ weight }) => weight > 0).toSorted((a, b) => b.weight - a.weight)) {
    const found = range.name === '*' ? open[0] : lookUp(range.name, open);
    if (found !== undefined) return found;
  }
  return undefined;
}

function lookUp(range: string, available: readonly string[]): string | undefined {
  for (let wanted = range; wanted !== ''; wanted = shortened(wanted)) {
    const found =
      available.find((tag) => tag.toLowerCase() === wanted) ??
      available.find((tag) => covers(wanted, tag.toLowerCase()));
    if (found !== undefined) return found;
  }
  return undefined;
}

function covers(range: string, tag: string): boolean {
  return range === tag || tag.startsWith(`${range}-`);
}

/** Without the last subtag, and without a single letter before it, which only introduces what is cut off. */
function shortened(range: string): string {
  const end = range.lastIndexOf('-');
  if (end < 0) return '';
  const rest = range.slice(0, end);
  return rest.at(-2) === '-' ? rest.slice(0, -2) : rest;
}

/** The first of the heaviest, if it weighs anything. */
function best<Offer extends string>(
  offers: readonly Offer[],
  weightOf: (offer: Offer) => number,
): Offer | undefined {
  let chosen: Offer | undefined;
  let heaviest = 0;
  for (const offer of offers) {
    const weight = weightOf(offer);
    if (weight <= heaviest) continue;
    heaviest = weight;
    chosen = offer;
  }
  return chosen;
}
