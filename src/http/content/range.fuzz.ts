/**
 * Ranges at random, against a model that is slow and obvious: a set of positions.
 *
 * Fields are made of the grammar and then spoilt now and then. Whatever the field: no throw; what is sent lies
 * within the content, in parts that are apart, is together never longer than it, and every part holds the bytes of
 * its place. Where the field is valid and within the bounds: every position asked for is sent, and beyond those
 * only what closes a gap.
 */
import { assert } from '../../core/assert.ts';
import { SeededRandom } from '../../core/random/seeded-random.ts';
import { CONTENT_LIMITS } from '../limits.ts';
import type { HttpResponse } from '../types.ts';
import { Fields } from '../wire/fields.ts';
import { respondWith } from './representation.ts';

const MAX_SIZE = 2_000;
const MAX_ASKED = 20;
const SPOILERS = ['', '-', ',', ' ', '=', 'x', '99999999999999999999', '--', '+', '\t', ';', '0x'];

/**
 * @param seed repeats a run; `count` fields are tried
 * @throws AssertionFailed naming the field and the seed that show the fault
 */
export function fuzzRanges(seed: number, count: number): void {
  const random = new SeededRandom(seed);
  for (let round = 0; round < count; round++) {
    const content = random.bytes(random.below(MAX_SIZE + 1));
    const specs = Array.from({ length: 1 + random.below(MAX_ASKED) }, () =>
      randomSpec(random, content.length),
    );
    const valid = `bytes=${specs.map(({ text }) => text).join(random.pick([',', ', ', ' ,\t']))}`;
    const isSpoilt = random.chance(0.3);
    const field = isSpoilt ? spoil(random, valid) : valid;
    const why = `seed ${seed}, round ${round}: ${JSON.stringify(field)} of ${content.length}`;
    const sent = positionsSent(respond(field, content, random), content, why);
    if (!isSpoilt) checkComplete(specs, sent, content.length, why);
  }
}

export const fuzz = { name: 'ranges', run: fuzzRanges };

interface Spec {
  readonly text: string;
  /** Both ends included, cut to the content; undefined when nothing of it lies within. */
  readonly range: readonly [first: number, last: number] | undefined;
}

function randomSpec(random: SeededRandom, size: number): Spec {
  const near = (): number => random.below(size + 50);
  const first = near();
  switch (random.below(3)) {
    case 0:
      return { text: `${first}-`, range: first < size ? [first, size - 1] : undefined };
    case 1:
      return {
        text: `-${first}`,
        range: first > 0 && size > 0 ? [Math.max(0, size - first), size - 1] : undefined,
      };
    default: {
      const last = first + random.below(random.pick([2, 50, MAX_SIZE]));
      return {
        text: `${first}-${last}`,
        range: first < size ? [first, Math.min(last, size - 1)] : undefined,
      };
    }
  }
}

function spoil(random: SeededRandom, field: string): string {
  const at = random.below(field.length + 1);
  return field.slice(0, at) + random.pick(SPOILERS) + field.slice(at + random.below(3));
}

function respond(field: string, content: Buffer, random: SeededRandom): HttpResponse {
  const request = { method: 'GET', headers: Fields.from([['Range', field]]) };
  return respondWith(request, { sizeBytes: content.length, type: 'text/plain', content }, random);
}

/** Which positions the response carries; undefined for the whole. */
function positionsSent(response: HttpResponse, content: Buffer, why: string): Set<number> | undefined {
  if (response.status === 200) return undefined;
  if (response.status === 416) return new Set();
  assert(response.status === 206, `${why}: status ${response.status}`);
  const body = response.body as Buffer;
  const type = fieldOf(response, 'Content-Type') ?? '';
  const parts = type.startsWith('multipart/')
    ? partsOf(body, type.slice(type.indexOf('=') + 1), why)
    : [{ place: fieldOf(response, 'Content-Range') ?? '', bytes: body }];
  const sent = new Set<number>();
  for (const { place, bytes } of parts) {
    const [first = Number.NaN, last = Number.NaN] = place
      .slice('bytes '.length)
      .split('/')[0]!
      .split('-')
      .map(Number);
    assert(bytes.equals(content.subarray(first, last + 1)), `${why}: ${place} has other bytes`);
    assert(bytes.length === last - first + 1, `${why}: ${place} has another length`);
    for (let at = first; at <= last; at++) {
      assert(!sent.has(at), `${why}: position ${at} is sent twice`);
      sent.add(at);
    }
  }
  return sent;
}

function fieldOf(response: HttpResponse, wanted: string): string | undefined {
  return response.headers?.find(([name]) => name === wanted)?.[1];
}

function partsOf(body: Buffer, boundary: string, why: string): { place: string; bytes: Buffer }[] {
  const parts: { place: string; bytes: Buffer }[] = [];
  let at = body.indexOf(`--${boundary}\r\n`);
  assert(at === 0, `${why}: the body does not begin with the boundary`);
  for (;;) {
    const headEnd = body.indexOf('\r\n\r\n', at) + 4;
    const place = /Content-Range: (.*)\r\n/.exec(body.toString('latin1', at, headEnd))?.[1] ?? '';
    const end = body.indexOf(`\r\n--${boundary}`, headEnd);
    assert(end >= headEnd, `${why}: a part without end`);
    parts.push({ place, bytes: body.subarray(headEnd, end) });
    at = end + 2;
    if (body.toString('latin1', at, at + boundary.length + 6) === `--${boundary}--\r\n`) return parts;
  }
}

function checkComplete(
  specs: readonly Spec[],
  sent: Set<number> | undefined,
  size: number,
  why: string,
): void {
  if (sent === undefined) {
    const isFlood = specs.length > CONTENT_LIMITS.ranges;
    const ofNothing = size === 0 && specs.some(({ text }) => text.startsWith('-') && text !== '-0');
    assert(isFlood || ofNothing, `${why}: the whole, and nobody knows why`);
    return;
  }
  const asked = new Set<number>();
  for (const { range } of specs) {
    if (range === undefined) continue;
    for (let at = range[0]; at <= range[1]; at++) asked.add(at);
  }
  for (const at of asked) assert(sent.has(at), `${why}: position ${at} was asked for`);
  for (const at of sent) {
    if (!asked.has(at)) assert(closesGap(at, asked, sent), `${why}: position ${at} was not asked for`);
  }
}

/** Between two positions that were asked for and are at most the bound apart. */
function closesGap(at: number, asked: ReadonlySet<number>, sent: ReadonlySet<number>): boolean {
  let from = at;
  let to = at;
  while (sent.has(from) && !asked.has(from)) from--;
  while (sent.has(to) && !asked.has(to)) to++;
  return asked.has(from) && asked.has(to) && to - from - 1 <= CONTENT_LIMITS.rangeGapBytes;
}
