/**
 * Inputs for fuzzing: good and bad messages, spoilt a little at a time. Noise alone is refused by the first byte;
 * what breaks parsers is nearly right.
 */
import type { SeededRandom } from '../../core/random/seeded-random.ts';

/** What has confused parsers: line ends, white space, separators, numbers at the edge, the fields that frame. */
const TOKENS = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  '\t',
  '\x0b',
  '\x7f',
  '\x85',
  '\xa0',
  '\xff',
  ':',
  ';',
  ',',
  '=',
  '"',
  '\\',
  '/',
  '*',
  '#',
  '%',
  '%00',
  '%2f',
  '@',
  '[',
  ']',
  '-',
  '+',
  '0',
  '1',
  'f',
  '0x',
  '10',
  '00000000',
  'ffffffff',
  '100000000',
  '9007199254740993',
  '18446744073709551616',
  '\r\n\r\n',
  '0\r\n\r\n',
  '1\r\na\r\n',
  'chunked',
  'identity',
  'close',
  'keep-alive',
  'upgrade',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/1.2',
  '\r\nHost: a',
  '\r\nContent-Length: 1',
  '\r\nContent-Length: 0',
  '\r\nTransfer-Encoding: chunked',
  '\r\nConnection: close',
  '\r\nConnection: upgrade\r\nUpgrade: x',
  '\r\nExpect: 100-continue',
  '\r\n X: folded',
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
] as const;
const MAX_EDITS = 4;
const MAX_SPAN = 16;
/** No finding ever needed more; growth by doubling would only cost time. */
const MAX_LENGTH = 2_048;

/** One of `corpus` with up to four edits, latin1. @param tokens what the format gives a meaning to */
export function mutated(
  random: SeededRandom,
  corpus: readonly string[],
  tokens: readonly string[] = TOKENS,
): string {
  let text = random.pick(corpus);
  for (let edits = random.below(MAX_EDITS + 1); edits > 0; edits--)
    text = edited(random, text, corpus, tokens);
  return text.slice(0, MAX_LENGTH);
}

function edited(
  random: SeededRandom,
  text: string,
  corpus: readonly string[],
  tokens: readonly string[],
): string {
  const at = random.below(text.length + 1);
  const before = text.slice(0, at);
  const span = 1 + random.below(MAX_SPAN);
  switch (random.below(6)) {
    case 0:
      return before + random.pick(tokens) + text.slice(at);
    case 1:
      return before + random.pick(tokens) + text.slice(at + 1);
    case 2:
      return before + text.slice(at + span);
    case 3:
      return before + text.slice(at, at + span) + text.slice(at);
    case 4:
      return before + String.fromCharCode(random.below(256)) + text.slice(at + 1);
    default: {
      const other = random.pick(corpus);
      return before + other.slice(random.below(other.length + 1));
    }
  }
}

/** `bytes` in one to four pieces, none empty. */
export function cutAtRandom(random: SeededRandom, bytes: Buffer): Buffer[] {
  if (bytes.length === 0) return [];
  const ends = Array.from({ length: random.below(4) }, () => 1 + random.below(bytes.length));
  const sorted = [...new Set([...ends, bytes.length])].sort((one, other) => one - other);
  return sorted.map((end, at) => bytes.subarray(at === 0 ? 0 : sorted[at - 1]!, end));
}
