/**
 * Drawing members at random, for HRANDFIELD, ZRANDMEMBER and SRANDMEMBER: without a count one; with a positive
 * count so many different ones, at most all; with a negative count exactly so many, each drawn anew.
 */
import type { Random } from '../../../core/random/random.ts';
import { failure, syntaxError } from '../../errors.ts';
import { integer } from '../numbers.ts';

export interface Draw {
  /** WITHVALUES or WITHSCORES was given. */
  readonly withMore: boolean;
  readonly places: (size: number, random: Random) => number[];
}

/** So many a reply may hold; more is out of range. */
const MAX_DRAWN = 2 ** 24;

/** @throws ERR; undefined when no count was given */
export function parseDraw(args: readonly string[], countAt: number, moreWord: string): Draw | undefined {
  if (args.length === countAt) return undefined;
  const wanted = integer(args[countAt]!);
  const more = args[countAt + 1];
  if (args.length > countAt + 2 || (more !== undefined && more.toLowerCase() !== moreWord))
    throw syntaxError();
  if (wanted < -MAX_DRAWN) throw failure('value is out of range');
  const count = Number(wanted);
  return {
    withMore: more !== undefined,
    places: (size, random) =>
      count < 0 ? drawAnew(size, -count, random) : drawDistinct(size, count, random),
  };
}

function drawAnew(size: number, count: number, random: Random): number[] {
  if (size === 0) return [];
  return Array.from({ length: count }, () => random.below(size));
}

/** Floyd's sampling: `count` distinct numbers below `size` with `count` draws. */
export function drawDistinct(size: number, count: number, random: Random): number[] {
  if (count >= size) return Array.from({ length: size }, (_, i) => i);
  const drawn = new Set<number>();
  for (let bound = size - count; bound < size; bound++) {
    const place = random.below(bound + 1);
    drawn.add(drawn.has(place) ? bound : place);
  }
  return [...drawn];
}
