/**
 * Seeded mutations of conversations against the session. What must hold for any bytes:
 *
 *   nothing is thrown; however the bytes are cut, the same comes of them; behind an ending there is nothing more;
 *   every write is frames of ours; what is held does not exceed the bound of a message
 *
 * A failure is thrown with the seed of its conversation, which repeats it alone.
 */
import { assert } from '../../core/assert.ts';
import { SeededRandom } from '../../core/random/seeded-random.ts';
import { CATALOGUE } from './testing/catalogue.ts';
import { testFrames } from './testing/frames.ts';
import { type Played, play } from './testing/played.ts';

export interface FuzzOptions {
  /** The first; each conversation has the next one. */
  readonly seed: number;
  readonly conversations: number;
}

export interface FuzzReport {
  readonly conversations: number;
  /** Messages told in all. */
  readonly messages: number;
  /** Conversations that ended with a broken rule. */
  readonly failed: number;
  /** Conversations that ended as both ends wished. */
  readonly closed: number;
}

const MESSAGE_BYTES = 2_048;
/** Longer cases of the catalogue only take time. */
const CASE_BYTES = 300;

/** For `npm run fuzz`: an input is a conversation. */
export const fuzz = {
  name: 'websocket',
  run: (seed: number, inputs: number): void => void fuzzSession({ seed, conversations: inputs }),
};

/** @throws AssertionFailed naming the seed */
export function fuzzSession({ seed, conversations }: FuzzOptions): FuzzReport {
  const corpus = CATALOGUE.map(({ frames }) => frames).filter(
    (frames) => testFrames(frames, 'server').length <= CASE_BYTES,
  );
  const report = { conversations: 0, messages: 0, failed: 0, closed: 0 };
  for (let n = 0; n < conversations; n++) {
    const random = new SeededRandom(seed + n);
    const role = random.chance(0.5) ? 'server' : 'client';
    const from = role === 'server' ? 'client' : 'server';
    const cases = Array.from({ length: 1 + random.below(4) }, () => testFrames(random.pick(corpus), from));
    const bytes = mutate(Buffer.concat(cases), random);
    const options = {
      role,
      compression: random.chance(0.5),
      limits: { messageBytes: MESSAGE_BYTES },
    } as const;
    try {
      const whole = play([bytes], options);
      const pieces = play(cut(bytes, random), options);
      check(whole, pieces, role);
      report.messages += whole.messages.length;
      if (whole.session.state === 'failed') report.failed++;
      if (whole.session.state === 'closed') report.closed++;
    } catch (thrown) {
      throw new Error(`seed ${seed + n}, ${role}, bytes ${bytes.toString('hex')}`, { cause: thrown });
    }
    report.conversations++;
  }
  return report;
}

function mutate(bytes: Buffer, random: SeededRandom): Buffer {
  let mutated = bytes;
  for (let count = random.below(4); count > 0; count--) {
    const at = random.below(mutated.length + 1);
    const to = Math.min(mutated.length, at + random.below(8));
    switch (random.below(5)) {
      case 0:
        if (at < mutated.length) mutated[at] = mutated[at]! ^ (1 << random.below(8));
        break;
      case 1:
        mutated = Buffer.concat([mutated.subarray(0, at), mutated.subarray(to)]);
        break;
      case 2:
        mutated = Buffer.concat([
          mutated.subarray(0, at),
          random.bytes(random.below(8)),
          mutated.subarray(at),
        ]);
        break;
      case 3:
        mutated = Buffer.concat([mutated.subarray(0, to), mutated.subarray(at)]);
        break;
      default:
        mutated = Buffer.from(mutated.subarray(0, at));
    }
  }
  return mutated;
}

function cut(bytes: Buffer, random: SeededRandom): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + random.below(9);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

function check(whole: Played, pieces: Played, role: 'client' | 'server'): void {
  assert(outcome(whole) === outcome(pieces), `whole ${outcome(whole)}, in pieces ${outcome(pieces)}`);
  assert(whole.session.next(0).kind === 'need-data', 'nothing comes behind the last event');
  assert(isFrames(whole.output, role), 'what is written is frames');
  for (const message of whole.messages)
    assert(message.length <= MESSAGE_BYTES, 'a message is within its bound');
}

function outcome({ messages, output, ending }: Played): string {
  return JSON.stringify({ messages, output: output.toString('hex'), ending });
}

/** All that a session says by itself is short control frames. */
function isFrames(output: Buffer, role: 'client' | 'server'): boolean {
  let at = 0;
  while (at < output.length) {
    const [first = 0, second = 0] = output.subarray(at);
    const isControl = first === 0x88 || first === 0x8a;
    if (!isControl || second >= 0x80 !== (role === 'client') || (second & 0x7f) > 125) return false;
    at += 2 + (role === 'client' ? 4 : 0) + (second & 0x7f);
  }
  return at === output.length;
}
