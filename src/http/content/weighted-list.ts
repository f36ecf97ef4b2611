/**
 * What a client would like, each thing with a weight. RFC 9110 sections 12.4.2 and 12.5.
 *
 *   Accept           = #( media-range [ weight ] )        text/html;level=1, text/*;q=0.3
 *   Accept-Encoding  = #( codings [ weight ] )            gzip, identity;q=0.5, *;q=0
 *   Accept-Language  = #( language-range [ weight ] )     da, en-GB;q=0.8, en;q=0.7
 *   weight           = OWS ";" OWS "q=" qvalue
 *   qvalue           = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3( "0" ) ] )
 *
 * A preference is a hint and never a reason to fail a request: a list that breaks the grammar, or has more
 * elements than the bound, counts as absent, whole. Half a list would be worse than none, for the half that is
 * missing may be the `q=0`.
 */
import { CONTENT_LIMITS } from '../limits.ts';
import { COMMA, FieldReader, type Parameter } from './field-reader.ts';

export interface Weighted {
  /** Lower case: `text/html`, `text/*`, `gzip`, `en-gb`, `*`. */
  readonly name: string;
  /** Without `q`. */
  readonly parameters: readonly Parameter[];
  /** In thousandths: 0 is not acceptable, 1,000 is best. */
  readonly weight: number;
}

const SLASH = 0x2f;
const FULL_WEIGHT = 1_000;

/** Undefined when the field is malformed or too long; the list is empty when the field is. */
export function readWeightedList(field: string): readonly Weighted[] | undefined {
  const reader = new FieldReader(field);
  const elements: Weighted[] = [];
  for (let count = 0; ; count++) {
    reader.skipBlanks();
    if (reader.done) return elements;
    if (count >= CONTENT_LIMITS.listElements) return undefined;
    if (reader.take(COMMA)) continue;
    const element = readElement(reader);
    if (element === undefined || !(reader.done || reader.take(COMMA))) return undefined;
    elements.push(element);
  }
}

function readElement(reader: FieldReader): Weighted | undefined {
  const name = readName(reader);
  const parameters = reader.parameters(CONTENT_LIMITS.parameters);
  if (name === undefined || parameters === undefined) return undefined;
  const weight = weightOf(parameters);
  if (weight === undefined) return undefined;
  // Wherever it stands among them: RFC 9110 section 12.5.1.
  return { name, parameters: parameters.filter((parameter) => parameter.name !== 'q'), weight };
}

function readName(reader: FieldReader): string | undefined {
  const first = reader.token();
  if (first === undefined || !reader.take(SLASH)) return first?.toLowerCase();
  const second = reader.token();
  return second === undefined ? undefined : `${first}/${second}`.toLowerCase();
}

function weightOf(parameters: readonly Parameter[]): number | undefined {
  const weights = parameters.filter((parameter) => parameter.name === 'q');
  if (weights.length === 0) return FULL_WEIGHT;
  return weights.length === 1 ? parseWeight(weights[0]!.value) : undefined;
}

/** A qvalue in thousandths; undefined when it is none. */
export function parseWeight(text: string): number | undefined {
  if (text.length > 5 || (text.length > 1 && text[1] !== '.')) return undefined;
  let weight = 0;
  for (const [at, digit] of [...text.padEnd(5, '0')].entries()) {
    if (at === 1) continue;
    if (digit < '0' || digit > '9') return undefined;
    weight = weight * 10 + Number(digit);
  }
  return text === '' || weight > FULL_WEIGHT ? undefined : weight;
}
