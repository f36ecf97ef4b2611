/** LCS: the longest common subsequence of two strings, by the usual table of lengths. */
import { failure, syntaxError } from '../../errors.ts';
import type { Call, Command } from '../command.ts';
import { count } from '../numbers.ts';
import { ByteString } from '../values/byte-string.ts';
import { textOf } from '../values/value.ts';

/** Cells of the table; four bytes each. */
const MAX_CELLS = 64 * 1024 * 1024;

interface LcsOptions {
  readonly wants: 'text' | 'length' | 'places';
  readonly minLength: number;
  readonly withLength: boolean;
}

function parse(args: readonly string[]): LcsOptions {
  const words = new Set<string>();
  let minLength = 0;
  for (let i = 3; i < args.length; i++) {
    const word = args[i]!.toLowerCase();
    if (word === 'minmatchlen' && i + 1 < args.length) minLength = Math.max(0, count(args[++i]!));
    else if (word === 'idx' || word === 'len' || word === 'withmatchlen') words.add(word);
    else throw syntaxError();
  }
  if (words.has('idx') && words.has('len')) {
    throw failure('If you want both the length and indexes, please just use IDX.');
  }
  const wants = words.has('idx') ? 'places' : words.has('len') ? 'length' : 'text';
  return { wants, minLength, withLength: words.has('withmatchlen') };
}

/** A run of equal bytes in both strings, bounds inclusive. */
interface Match {
  readonly a: readonly [number, number];
  readonly b: readonly [number, number];
}

function stringAt({ db }: Call, key: string): string {
  const value = db.read(key)?.value;
  if (value === undefined) return '';
  if (typeof value === 'string' || value instanceof ByteString) return textOf(value);
  throw failure('The specified keys must contain string values');
}

/** `table[i][j]`: the length for the first i and the first j bytes. */
function lengths(a: string, b: string): Uint32Array {
  const width = b.length + 1;
  const table = new Uint32Array((a.length + 1) * width);
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const at = i * width + j;
      table[at] =
        a.charCodeAt(i - 1) === b.charCodeAt(j - 1)
          ? table[at - width - 1]! + 1
          : Math.max(table[at - width]!, table[at - 1]!);
    }
  }
  return table;
}

/** Walks back from the end; matches come last first. */
function matchesOf(a: string, b: string, table: Uint32Array): Match[] {
  const width = b.length + 1;
  const matches: Match[] = [];
  let i = a.length;
  let j = b.length;
  while (i > 0 && j > 0) {
    if (a.charCodeAt(i - 1) !== b.charCodeAt(j - 1)) {
      if (table[(i - 1) * width + j]! > table[i * width + j - 1]!) i--;
      else j--;
      continue;
    }
    const [endA, endB] = [i - 1, j - 1];
    while (i > 0 && j > 0 && a.charCodeAt(i - 1) === b.charCodeAt(j - 1)) {
      i--;
      j--;
    }
    matches.push({ a: [i, endA], b: [j, endB] });
  }
  return matches;
}

function lcs(call: Call): void {
  const { args, reply } = call;
  const { wants, minLength, withLength } = parse(args);
  const a = stringAt(call, args[1]!);
  const b = stringAt(call, args[2]!);
  if ((a.length + 1) * (b.length + 1) > MAX_CELLS) {
    throw failure('Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len');
  }
  const table = lengths(a, b);
  const length = table.at(-1)!;
  if (wants === 'length') {
    reply.integer(length);
    return;
  }
  const matches = matchesOf(a, b, table);
  if (wants === 'text') {
    reply.bulk(
      matches
        .map((match) => a.slice(match.a[0], match.a[1] + 1))
        .reverse()
        .join(''),
    );
    return;
  }
  const long = matches.filter((match) => match.a[1] - match.a[0] + 1 >= minLength);
  reply.map(2);
  reply.bulk('matches');
  reply.array(long.length);
  for (const match of long) {
    reply.array(withLength ? 3 : 2);
    for (const [first, last] of [match.a, match.b]) {
      reply.array(2);
      reply.integer(first);
      reply.integer(last);
    }
    if (withLength) reply.integer(match.a[1] - match.a[0] + 1);
  }
  reply.bulk('len');
  reply.integer(length);
}

export const LCS_COMMANDS: readonly Command[] = [
  {
    name: 'lcs',
    arity: -3,
    flags: ['readonly'],
    group: 'string',
    since: '7.0.0',
    keys: [1, 2, 1],
    summary: 'Finds the longest common subsequence of two strings.',
    run: lcs,
  },
];
