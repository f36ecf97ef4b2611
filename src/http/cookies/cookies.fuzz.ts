/**
 * Cookies at random, in both directions. Any Cookie field is read or refused with 431; what is read has a name, and
 * nothing in it that ends a pair. What may be set comes back as it went, beside any others, in one line.
 */
import { assert } from '../../core/assert.ts';
import { SeededRandom } from '../../core/random/seeded-random.ts';
import { HttpError } from '../errors.ts';
import { mutated } from '../testing/mutate.ts';
import { UnsendableError } from '../wire/encode-head.ts';
import { Fields } from '../wire/fields.ts';
import { isFieldValue, isToken } from '../wire/grammar.ts';
import { type Cookies, readCookies } from './read.ts';
import { type SetCookie, setCookie } from './set-cookie.ts';
import { createCookieSigner } from './signer.ts';

const CORPUS = [
  'a=1',
  'sid=31d4d96e407aad42; lang=en-US; theme="dark"',
  '__Host-sid=a; __Secure-b=c; __proto__=d; constructor=e',
  '$Version=1; a="x; sid=secret; b=y"',
  '=nameless; nameless; =__Host-sid=x;; ;',
  'a=b=c; a=d; A=e; a b=c d; f[0]=g, h=i',
];
const PIECES = [
  ';',
  '; ',
  '=',
  '"',
  ',',
  ' ',
  '\t',
  '\\',
  '$Version=1',
  '__Host-',
  '__host-',
  '\r\n',
  '\0',
  '\xa0',
  '\x85',
];
const NAMES = [
  'a',
  'sid',
  '__Host-sid',
  '__secure-x',
  '__Http-y',
  '__Host-Http-z',
  '__proto__',
  '',
  'a b',
  'a=b',
  'é',
  'a;',
];
const VALUES = [
  '',
  '1',
  '"x"',
  '"',
  'a=b',
  'a;b',
  'a,b',
  'a b',
  'x\r\nSet-Cookie: y=z',
  'é',
  'x'.repeat(4_095),
  '%3B',
];
const DOMAINS = ['example.com', 'a', '.example.com', 'a..b', '-a.b', 'a.b; Path=/', 'a\r\nb', 'é.de'];
const PATHS = ['/', '/a b', '', 'a', '/;x', '/\r\n', '/é', `/${'p'.repeat(1_024)}`];
const SAME_SITES = ['Strict', 'Lax', 'None'] as const;
const signer = createCookieSigner([Buffer.alloc(32, 1)]);

export const fuzz = {
  name: 'cookies',
  /** @throws AssertionFailed naming what repeats the fault */
  run(seed: number, inputs: number): void {
    const random = new SeededRandom(seed);
    for (let round = 0; round < inputs; round++) {
      const why = `seed ${seed}, round ${round}`;
      const lines = Array.from({ length: 1 + random.below(2) }, () => mutated(random, CORPUS, PIECES));
      checkRead(lines, `${why}: ${JSON.stringify(lines)}`);
      checkSet(anyCookie(random), random, why);
    }
  },
};

function checkRead(lines: readonly string[], why: string): void {
  const cookies = read(lines);
  if (cookies === undefined) return;
  for (const [name, value] of cookies) {
    assert(name !== '' && !name.includes('='), `${why}: a name of ${JSON.stringify(name)}`);
    assert(!`${name}${value}`.includes(';'), `${why}: ${name} has a semicolon`);
    assert(
      cookies.getAll(name).includes(value) && cookies.get(name) !== undefined,
      `${why}: ${name} is lost`,
    );
    assert(
      lines.some((line) => line.includes(name) && line.includes(value)),
      `${why}: ${name} is made up`,
    );
  }
  const again = read([[...cookies].map(([name, value]) => `${name}=${value}`).join('; ')]);
  assert(JSON.stringify([...(again ?? [])]) === JSON.stringify([...cookies]), `${why} reads otherwise again`);
}

function read(lines: readonly string[]): Cookies | undefined {
  try {
    return readCookies(Fields.from(lines.map((line) => ['Cookie', line])));
  } catch (thrown) {
    assert(thrown instanceof HttpError && thrown.status === 431, `thrown: ${thrown}`);
    return undefined;
  }
}

function checkSet(cookie: SetCookie, random: SeededRandom, why: string): void {
  const what = `${why}: ${JSON.stringify(cookie)}`;
  const field = sent(cookie);
  if (field === undefined) return;
  assert(isFieldValue(field) && isToken(cookie.name), `${what} is sent as ${JSON.stringify(field)}`);
  const [pair = '', ...attributes] = field.split('; ');
  const names = attributes.map((attribute) => attribute.split('=')[0]);
  assert(new Set(names).size === names.length, `${what} has an attribute twice: ${field}`);
  if (/^__(host|secure|http)-/i.test(cookie.name)) assert(names.includes('Secure'), `${what} is open`);
  const cookies = read([`${random.pick(CORPUS)}; ${pair}`]);
  assert(cookies?.getAll(cookie.name).at(-1) === cookie.value, `${what} comes back otherwise`);
  checkSigned(cookie, what);
}

function sent(cookie: SetCookie): string | undefined {
  try {
    return setCookie(cookie);
  } catch (thrown) {
    if (thrown instanceof UnsendableError) return undefined;
    throw thrown;
  }
}

function checkSigned({ name, value }: SetCookie, what: string): void {
  const signed = signer.sign(name, value);
  assert(signer.verify(name, signed) === value, `${what} is not known again`);
  assert(signer.verify(`${name}x`, signed) === undefined, `${what} is valid under another name`);
  assert(signer.verify(name, `x${signed}`) === undefined, `${what} is valid with another value`);
}

function anyCookie(random: SeededRandom): SetCookie {
  const rarely = <Value>(make: () => Value): Value | undefined => (random.chance(0.3) ? make() : undefined);
  const parts = {
    maxAgeSeconds: rarely(() => random.pick([1, 60, 0, -1, 1.5, 34_560_000, 34_560_001, Number.NaN])),
    expiresMs: rarely(() => random.pick([0, 1.5, -1e13, 1e12, 9e15, Number.NaN])),
    domain: rarely(() => random.pick(DOMAINS)),
    path: rarely(() => random.pick(PATHS)),
    secure: rarely(() => random.chance(0.5)),
    httpOnly: rarely(() => random.chance(0.5)),
    sameSite: rarely(() => random.pick(SAME_SITES)),
    partitioned: rarely(() => random.chance(0.5)),
  };
  const given = Object.fromEntries(Object.entries(parts).filter(([, part]) => part !== undefined));
  return { name: random.pick(NAMES), value: random.pick(VALUES), ...given };
}
