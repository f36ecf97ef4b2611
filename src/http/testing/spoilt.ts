/**
 * Field values for fuzzing: good and bad ones, spoilt a little at a time. Noise alone is refused at its first
 * character; what breaks parsers is nearly right.
 */
import type { SeededRandom } from '../../core/random/seeded-random.ts';

const MAX_EDITS = 4;
const MAX_SPAN = 8;
/** Doubling spans must not make inputs whose only finding is that they are long. */
const MAX_LENGTH = 2_048;

/** One of `corpus` with up to four edits, latin1; `pieces` are what the format gives a meaning to. */
export function spoilt(random: SeededRandom, corpus: readonly string[], pieces: readonly string[]): string {
  let text = random.pick(corpus);
  for (let edits = random.below(MAX_EDITS + 1); edits > 0; edits--)
    text = edited(random, text, corpus, pieces);
  return text.slice(0, MAX_LENGTH);
}

function edited(
  random: SeededRandom,
  text: string,
  corpus: readonly string[],
  pieces: readonly string[],
): string {
  const at = random.below(text.length + 1);
  const before = text.slice(0, at);
  const span = 1 + random.below(MAX_SPAN);
  switch (random.below(6)) {
    case 0:
      return before + random.pick(pieces) + text.slice(at);
    case 1:
      return before + random.pick(pieces) + text.slice(at + 1);
    case 2:
      return before + text.slice(at + span);
    case 3:
      return before + text.slice(at, at + span) + text.slice(at);
    case 4:
      return before + String.fromCharCode(random.below(256)) + text.slice(at + 1);
    default:
      return before + random.pick(corpus);
  }
}
