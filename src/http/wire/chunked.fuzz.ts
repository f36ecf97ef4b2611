/**
 * Chunked content at random: the same content, refusal and rest however the bytes are cut; and what is taken is
 * what a slow and obvious reader takes, too.
 */
import { assert } from '../../core/assert.ts';
import { SeededRandom } from '../../core/random/seeded-random.ts';
import { DEFAULT_HTTP_LIMITS } from '../limits.ts';
import { cutAtRandom, mutated } from '../testing/mutate.ts';
import { ChunkedDecoder } from './chunked.ts';
import { Input } from './input.ts';

const CORPUS = [
  '0\r\n\r\n',
  '3\r\nabc\r\n0\r\n\r\n',
  '3;a;b=c;d="e\\" ;"\r\nabc\r\n00A\r\n0123456789\r\n0\r\nX-Sum: 1\r\nHost: b\r\n\r\nrest',
  '1;a="\\\\";b\r\na\r\n1\r\nb\r\n1\r\nc\r\n0;z\r\nX: y\r\n\r\n',
  '10\r\n0123456789abcdef\r\n0000\r\n\r\n0\r\n\r\n',
];

interface Read {
  readonly outcome: string;
  readonly content: string;
  readonly restBytes: number;
}

export const fuzz = {
  name: 'chunked',
  /** @throws AssertionFailed naming what repeats the fault */
  run(seed: number, inputs: number): void {
    const random = new SeededRandom(seed);
    for (let round = 0; round < inputs; round++) {
      const text = mutated(random, CORPUS);
      const bytes = Buffer.from(text, 'latin1');
      const why = `seed ${seed}, round ${round}: ${JSON.stringify(text)}`;
      const whole = decode([bytes]);
      const pieces = decode(cutAtRandom(random, bytes));
      assert(JSON.stringify(pieces) === JSON.stringify(whole), why);
      if (whole.outcome === 'end') assert(whole.content === obvious(text), why);
    }
  },
};

function decode(pieces: readonly Buffer[]): Read {
  const decoder = new ChunkedDecoder(DEFAULT_HTTP_LIMITS);
  const input = new Input();
  let content = '';
  let outcome = '';
  let restBytes = 0;
  for (const piece of pieces) {
    if (outcome !== '') {
      restBytes += piece.length;
      continue;
    }
    input.append(piece);
    for (;;) {
      const part = decoder.next(input);
      if (part.kind === 'data') content += part.bytes.toString('latin1');
      else if (part.kind === 'need-data') break;
      else {
        outcome = part.kind === 'malformed' ? part.code : 'end';
        restBytes = input.length;
        break;
      }
    }
  }
  // Of a refusal the place in the input is nobody's business.
  return { outcome, content, restBytes: outcome === 'end' ? restBytes : 0 };
}

/** Only for what is known to be good. */
function obvious(text: string): string {
  let content = '';
  for (let at = 0; ; ) {
    const lineEnd = text.indexOf('\r\n', at);
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    if (size === 0) return content;
    content += text.slice(lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 2 + size + 2;
  }
}
