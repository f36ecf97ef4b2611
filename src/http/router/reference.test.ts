/** The tree beside a matcher that tries every route in turn, on random tables and paths. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createRouter } from './index.ts';

/** A pattern as its segments; each a list of what is in it, parameters as `:`, the wildcard as `*`. */
type Segment = readonly string[];

const part = fc.constantFrom('a', 'b', 'ab', '-', '.', 'a-');
const segment: fc.Arbitrary<Segment> = fc.oneof(
  { weight: 4, arbitrary: fc.array(part, { maxLength: 2 }) },
  { weight: 4, arbitrary: fc.constant([':']) },
  { weight: 2, arbitrary: fc.tuple(part, fc.constant(':')) },
  { weight: 2, arbitrary: fc.tuple(fc.constant(':'), part) },
  { weight: 1, arbitrary: fc.tuple(fc.constant(':'), part, fc.constant(':'), part) },
);
const pattern = fc
  .tuple(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([segments, wild]) => (wild ? [...segments, ['*']] : segments))
  .filter((segments) => segments.every((parts) => !['.', '..'].includes(parts.join(''))));
const character = fc.constantFrom('a', 'b', '-', '.', '%2F', '%61', '%2d');
const path = fc
  .array(
    fc.array(character, { maxLength: 4 }).map((characters) => characters.join('')),
    { minLength: 1, maxLength: 5 },
  )
  .map((segments) => `/${segments.join('/')}`);

/** The pattern as it is added: a letter behind a parameter is escaped, for it would belong to the name. */
function textOf(segments: readonly Segment[]): string {
  let names = 0;
  const written = (sign: string, at: number, parts: Segment): string => {
    if (':*'.includes(sign)) return `${sign}p${names++}`;
    if (parts[at - 1] !== ':' || !'ab'.includes(sign[0]!)) return sign;
    return `%${sign.charCodeAt(0).toString(16)}${sign.slice(1)}`;
  };
  return `/${segments.map((parts) => parts.map(written).join('')).join('/')}`;
}

/** The values of the parameters, or undefined when the route is not for the path. */
function values(segments: readonly Segment[], path: readonly string[]): string[] | undefined {
  if (segments[0]?.[0] === '*') return path.length > 0 ? [path.join('/')] : undefined;
  if (segments.length === 0 || path.length === 0) return segments.length === path.length ? [] : undefined;
  const own = segmentValues(segments[0]!, path[0]!);
  const rest = own && values(segments.slice(1), path.slice(1));
  return rest && [...own, ...rest];
}

function segmentValues(parts: Segment, text: string): string[] | undefined {
  if (parts.length === 0) return text === '' ? [] : undefined;
  const [first, ...others] = parts as [string, ...string[]];
  if (first !== ':')
    return text.startsWith(first) ? segmentValues(others, text.slice(first.length)) : undefined;
  const more = others.includes(':');
  for (let length = 1; length <= text.length; length++) {
    const behind = text.slice(length);
    // With another parameter to come the first place where the text between stands decides.
    if (more && !behind.startsWith(others[0]!)) continue;
    const rest = segmentValues(others, behind);
    if (rest !== undefined || more) return rest && [text.slice(0, length), ...rest];
  }
  return undefined;
}

/** What a search passes on its way: characters, whole templates, the wildcard. */
function steps(segments: readonly Segment[]): string[] {
  return segments.flatMap((parts) => {
    const at = parts.indexOf(':');
    if (at < 0) return ['/', ...parts.join('')];
    const template = parts.slice(at);
    return ['/', ...parts.slice(0, at).join(''), `${template.join('')}`];
  });
}

function rank(step: string | undefined): number {
  if (step === undefined) return -1;
  if (step === '*') return 1e6;
  return step.includes(':') ? 1_000 - step.replaceAll(':', '').length : 0;
}

/** The better of two routes that both are for the path; `all` decides who was there first. */
function better(
  one: readonly Segment[],
  other: readonly Segment[],
  all: readonly (readonly Segment[])[],
): boolean {
  const [mine, theirs] = [steps(one), steps(other)];
  let at = 0;
  while (mine[at] === theirs[at]) at++;
  const difference = rank(mine[at]) - rank(theirs[at]);
  if (difference !== 0) return difference < 0;
  const firstWith = (own: string[]): number =>
    all.findIndex(
      (route) =>
        steps(route)
          .slice(0, at + 1)
          .join('\n') === own.slice(0, at + 1).join('\n'),
    );
  return firstWith(mine) < firstWith(theirs);
}

const same = (one: readonly Segment[], other: readonly Segment[]): boolean =>
  steps(one).join('\n') === steps(other).join('\n');

test('on random tables and paths the tree finds what trying every route finds', () => {
  let hits = 0;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(pattern, fc.constantFrom('GET', 'PUT')), { minLength: 1, maxLength: 14 }),
      fc.array(path, { minLength: 1, maxLength: 12 }),
      (drawn, paths) => {
        const routes = drawn.filter(
          ([one, method], at) =>
            !drawn.slice(0, at).some(([other, its]) => its === method && same(one, other)),
        );
        const router = createRouter();
        for (const [segments, method] of routes)
          router.add(method, textOf(segments), () => ({ status: 204 }));
        for (const each of paths) {
          const pieces = each.slice(1).split('/').map(decodeURIComponent);
          if (pieces.some((piece) => piece.split('/').some((dots) => dots === '.' || dots === '..'))) {
            assert.equal(router.find('GET', each).kind, 'bad-path');
            continue;
          }
          const fitting = routes.filter(([segments]) => values(segments, pieces) !== undefined);
          const chosen = fitting
            .filter(([, method]) => method === 'GET')
            .map(([segments]) => segments)
            .reduce<readonly Segment[] | undefined>(
              (best, next) =>
                best === undefined ||
                better(
                  next,
                  best,
                  routes.map(([segments]) => segments),
                )
                  ? next
                  : best,
              undefined,
            );
          const match = router.find('GET', each);
          if (chosen === undefined) {
            assert.equal(match.kind, fitting.length > 0 ? 'wrong-method' : 'not-found', each);
            continue;
          }
          hits++;
          assert.ok(match.kind === 'found', `${each} is ${textOf(chosen)}`);
          assert.equal(match.route.pattern, textOf(chosen), each);
          assert.deepEqual(Object.values(match.params), values(chosen, pieces), `${each} ${textOf(chosen)}`);
        }
      },
    ),
    { numRuns: 1_500 },
  );
  assert.ok(hits > 1_000, 'the property is about routes that are found');
});

test('a table made to go back everywhere costs no more than its size', () => {
  const router = createRouter();
  let visited = 0;
  const depth = 10;
  // All 2^10 ways through ten segments of `a` or a parameter end in `x`; a path that ends in `y` fails in each.
  const counting = createRouter({
    constraints: {
      counted: () => {
        visited++;
        return true;
      },
    },
  });
  for (let way = 0; way < 2 ** depth; way++) {
    const segments = Array.from({ length: depth }, (_, at) => ((way >> at) & 1 ? 'a' : `:p${at}<counted>`));
    counting.add('GET', `/${segments.join('/')}/x`, () => ({ status: 204 }));
  }
  assert.equal(counting.find('GET', `${'/a'.repeat(depth)}/y`).kind, 'not-found');
  assert.ok(visited <= 2 ** (depth + 1), `${visited} parameters looked at, one for each in the tree`);
  // Few routes and a long path: nothing multiplies.
  visited = 0;
  router.add('GET', '/:a/:b/:c/*rest', () => ({ status: 204 }));
  assert.equal(router.find('GET', `/${'a/'.repeat(4_000)}`).kind, 'found');
});
