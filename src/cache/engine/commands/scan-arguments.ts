/** Cursor, MATCH, COUNT, TYPE and NOVALUES of the four SCAN commands. */
import { failure, syntaxError } from '../../errors.ts';
import { globMatches } from '../glob.ts';
import { count, parseInteger } from '../numbers.ts';

export interface ScanArguments {
  readonly cursor: number;
  readonly count: number;
  readonly type: string | undefined;
  readonly matches: (name: string) => boolean;
}

const DEFAULT_COUNT = 10;

/** @throws ERR */
export function parseScan(args: readonly string[], cursorAt: number, allowType = false): ScanArguments {
  const cursor = cursorOf(args[cursorAt]!);
  let pattern: string | undefined;
  let wanted = DEFAULT_COUNT;
  let type: string | undefined;
  for (let i = cursorAt + 1; i < args.length; i += 2) {
    const word = args[i]!.toLowerCase();
    const operand = args[i + 1];
    if (operand === undefined) throw syntaxError();
    if (word === 'match') pattern = operand;
    else if (word === 'count') wanted = count(operand);
    else if (word === 'type' && allowType) type = operand.toLowerCase();
    else throw syntaxError();
  }
  if (wanted < 1) throw syntaxError();
  const matches = pattern === undefined ? () => true : (name: string) => globMatches(pattern, name);
  return { cursor, count: wanted, type, matches };
}

function cursorOf(text: string): number {
  const cursor = parseInteger(text);
  if (cursor === undefined || cursor < 0) throw failure('invalid cursor');
  return Number(cursor);
}
