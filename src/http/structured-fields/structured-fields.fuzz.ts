/**
 * Structured fields at random, in both directions. Text is read or refused by value; what was read is written in a
 * form that is read as the same value, and written the same again. Values from a program that knows no rule are
 * written so that they are read back, or not at all.
 */
import { assert } from '../../core/assert.ts';
import { SeededRandom } from '../../core/random/seeded-random.ts';
import { mutated } from '../testing/mutate.ts';
import { UnsendableError } from '../wire/encode-head.ts';
import {
  type BareItem,
  type Dictionary,
  type Item,
  type List,
  type Member,
  type Parsed,
  parseDictionary,
  parseItem,
  parseList,
  serialiseDictionary,
  serialiseItem,
  serialiseList,
} from './index.ts';

const CORPUS = [
  '',
  '42',
  '-999999999999999;a;b=?0',
  '4.5, 0.125, -0, -0.0',
  'sugar;q=0.5, "tea \\"\\\\", (a "b" 1.5;x);y=:aGk=:, @1659578233, %"t%c3%a9"',
  'en="Tea", da, n=(2 3);p, __proto__=1, constructor',
  'a=1, b;c;d="e", a=2',
  ':dGVh:, :dGVhcw:, ::, ?1',
  '*a/b:c#d;*k_-.*=tok',
  '"default";q=100;w=60;pk=:cHNzdA==:',
];
const PIECES = [
  '"',
  '\\',
  '(',
  ')',
  ',',
  ', ',
  ' ',
  '\t',
  ';',
  '=',
  ':',
  '?1',
  '?',
  '@',
  '%',
  '%"',
  '%c3',
  '%C3',
  '%00',
  '*',
  '-',
  '.',
  '0',
  '1',
  '999999999999999',
  '9999999999999999',
  '0.0005',
  'a',
  'A',
  '__proto__',
  '\r\n',
  '\0',
  'é',
];
const KEYS = ['a', '*', 'k-1_.*', '__proto__', 'constructor', '', 'A', 'a b', '1'];
const TEXTS = ['', 'tea', '"\\', 'a/b:*', '\r\nSet-Cookie: a=b', 'té', '\ud800', '\0', '%c3', '🫖', 'a, b;c'];
const NUMBERS = [
  0,
  -0,
  1,
  -1.5,
  0.0005,
  0.0015,
  1e-7,
  1e21,
  1e12,
  999_999_999_999.9996,
  1e15,
  Number.NaN,
  -1 / 3,
];
const TYPES = [
  'integer',
  'decimal',
  'string',
  'token',
  'bytes',
  'boolean',
  'date',
  'display-string',
] as const;
const MAX_MEMBERS = 4;

type Structure =
  | { readonly parse: (text: string) => Parsed<Item>; readonly write: (value: Item) => string }
  | { readonly parse: (text: string) => Parsed<List>; readonly write: (value: List) => string }
  | { readonly parse: (text: string) => Parsed<Dictionary>; readonly write: (value: Dictionary) => string };

const STRUCTURES: readonly Structure[] = [
  { parse: parseItem, write: serialiseItem },
  { parse: parseList, write: serialiseList },
  { parse: parseDictionary, write: serialiseDictionary },
];

export const fuzz = {
  name: 'structured fields',
  /** @throws AssertionFailed naming what repeats the fault */
  run(seed: number, inputs: number): void {
    const random = new SeededRandom(seed);
    for (let round = 0; round < inputs; round++) {
      const why = `seed ${seed}, round ${round}`;
      const text = mutated(random, CORPUS, PIECES);
      for (const structure of STRUCTURES) readText(structure, text, why);
      const list = Array.from({ length: random.below(MAX_MEMBERS) }, () => anyMember(random));
      writeValue(() => serialiseList(list), parseList, serialiseList, why);
      const dictionary = new Map(list.map((member) => [random.pick(KEYS), member]));
      writeValue(() => serialiseDictionary(dictionary), parseDictionary, serialiseDictionary, why);
    }
  },
};

function readText({ parse, write }: Structure, text: string, why: string): void {
  const parsed = parse(text);
  const what = `${why}: ${JSON.stringify(text)}`;
  if (parsed.kind === 'malformed') {
    assert(parsed.offset >= 0 && parsed.offset <= text.length, `${what} is refused outside of itself`);
    assert(parsed.message !== '', `${what} is refused without a word`);
    return;
  }
  const writeAny = write as (value: unknown) => string;
  checkCanonical(writeAny(parsed.value), parse, writeAny, what);
}

function writeValue<Value>(
  writeIt: () => string,
  parse: (text: string) => Parsed<Value>,
  write: (value: Value) => string,
  why: string,
): void {
  let text: string;
  try {
    text = writeIt();
  } catch (thrown) {
    if (thrown instanceof UnsendableError) return;
    throw thrown;
  }
  checkCanonical(text, parse, write, why);
}

function checkCanonical<Value>(
  text: string,
  parse: (text: string) => Parsed<Value>,
  write: (value: Value) => string,
  why: string,
): void {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    assert(code >= 0x20 && code < 0x7f, `${why} writes ${JSON.stringify(text)}`);
  }
  const again = parse(text);
  assert(again.kind === 'parsed', `${why} writes ${JSON.stringify(text)}, which is refused`);
  const rewritten = write(again.value);
  assert(rewritten === text, `${why} writes ${JSON.stringify(text)}, then ${JSON.stringify(rewritten)}`);
}

function anyMember(random: SeededRandom): Member {
  if (random.chance(0.7)) return anyItem(random);
  const items = Array.from({ length: random.below(MAX_MEMBERS) }, () => anyItem(random));
  return { kind: 'inner-list', items, parameters: anyParameters(random) };
}

function anyItem(random: SeededRandom): Item {
  return { kind: 'item', bare: anyBareItem(random), parameters: anyParameters(random) };
}

function anyParameters(random: SeededRandom): Map<string, BareItem> {
  const count = random.chance(0.5) ? 0 : random.below(MAX_MEMBERS);
  return new Map(Array.from({ length: count }, () => [random.pick(KEYS), anyBareItem(random)]));
}

function anyBareItem(random: SeededRandom): BareItem {
  const type = random.pick(TYPES);
  switch (type) {
    case 'integer':
    case 'date':
      return { type, value: random.chance(0.5) ? random.below(2 ** 48) : random.pick(NUMBERS) };
    case 'decimal':
      return { type, value: random.chance(0.5) ? random.next() / 4_096 : random.pick(NUMBERS) };
    case 'bytes':
      return { type, value: random.bytes(random.below(9)) };
    case 'boolean':
      return { type, value: random.chance(0.5) };
    default:
      return { type, value: random.pick(TEXTS) };
  }
}
