/**
 * Choosing one of several functions or operators of a name (manual sections 10.2 and 10.3): an exact match,
 * else the candidate that takes the arguments with the fewest conversions, preferred types winning, and
 * literals without a type taking the others' type.
 */
import { canCast } from '../functions/casts.ts';
import { OID } from '../types/oids.ts';
import { TYPES, typeOf } from '../types/types.ts';

export interface Candidate {
  readonly args: readonly number[];
  readonly variadic?: boolean;
}

export type Choice<C> =
  | { readonly kind: 'found'; readonly candidate: C }
  | { readonly kind: 'none' | 'ambiguous' };

/** The parameter types of a candidate for `count` arguments; undefined when it does not take so many. */
export function parametersFor(candidate: Candidate, count: number): readonly number[] | undefined {
  const { args, variadic } = candidate;
  if (args.length === count) return args;
  if (variadic !== true || count < args.length) return undefined;
  return [...args, ...Array.from({ length: count - args.length }, () => args.at(-1)!)];
}

const POLYMORPHIC: ReadonlySet<number> = new Set([OID.any, OID.anyelement, OID.anyarray]);

export function choose<C extends Candidate>(candidates: readonly C[], given: readonly number[]): Choice<C> {
  const fitting = candidates.filter((candidate) => parametersFor(candidate, given.length) !== undefined);
  const exact = fitting.find((candidate) => same(parametersFor(candidate, given.length)!, given));
  if (exact !== undefined) return { kind: 'found', candidate: exact };
  const guessed = byOneKnownType(fitting, given);
  if (guessed !== undefined) return { kind: 'found', candidate: guessed };
  let left = fitting.filter((candidate) => accepts(parametersFor(candidate, given.length)!, given));
  if (left.length > 1) left = mostMatches(left, given, (parameter, type) => parameter === type);
  if (left.length > 1)
    left = mostMatches(
      left,
      given,
      (parameter, type) => parameter === type || (type !== OID.unknown && isPreferred(parameter, type)),
    );
  if (left.length > 1) left = byUnknownCategories(left, given);
  if (left.length > 1) left = byKnownTypes(left, given);
  if (left.length === 1) return { kind: 'found', candidate: left[0]! };
  return { kind: left.length === 0 ? 'none' : 'ambiguous' };
}

function same(parameters: readonly number[], given: readonly number[]): boolean {
  return parameters.every((parameter, i) => parameter === given[i]);
}

/** `x = 'literal'`: the literal is taken for x's type if there is such an operator. */
function byOneKnownType<C extends Candidate>(
  candidates: readonly C[],
  given: readonly number[],
): C | undefined {
  if (given.length !== 2) return undefined;
  const [a, b] = given as [number, number];
  if ((a === OID.unknown) === (b === OID.unknown)) return undefined;
  const known = a === OID.unknown ? b : a;
  return candidates.find((candidate) => same(parametersFor(candidate, 2)!, [known, known]));
}

function accepts(parameters: readonly number[], given: readonly number[]): boolean {
  let element: number | undefined;
  return parameters.every((parameter, i) => {
    const type = given[i]!;
    if (parameter === OID.anyarray) {
      if (type === OID.unknown) return true;
      const inner = TYPES.get(type)?.elementOid ?? 0;
      if (inner === 0 || (element !== undefined && element !== inner)) return false;
      element = inner;
      return true;
    }
    if (parameter === OID.anyelement) {
      if (type === OID.unknown || parameters.length === 1 || !parameters.includes(OID.anyarray)) return true;
      const array = given[parameters.indexOf(OID.anyarray)]!;
      const inner = TYPES.get(array)?.elementOid ?? 0;
      return inner === 0 ? array === OID.unknown : canCast(type, inner, 'implicit');
    }
    return parameter === OID.any || type === OID.unknown || canCast(type, parameter, 'implicit');
  });
}

function isPreferred(parameter: number, type: number): boolean {
  if (POLYMORPHIC.has(parameter)) return false;
  const info = typeOf(parameter);
  return info.preferred && info.category === typeOf(type).category;
}

function mostMatches<C extends Candidate>(
  candidates: readonly C[],
  given: readonly number[],
  matches: (parameter: number, type: number) => boolean,
): C[] {
  const counts = candidates.map(
    (candidate) =>
      parametersFor(candidate, given.length)!.filter((parameter, i) => matches(parameter, given[i]!)).length,
  );
  const best = Math.max(...counts);
  return candidates.filter((_, i) => counts[i] === best);
}

/** A literal is taken for a string where any candidate takes one there, else for the one category they share. */
function byUnknownCategories<C extends Candidate>(candidates: readonly C[], given: readonly number[]): C[] {
  let left = [...candidates];
  given.forEach((type, i) => {
    if (type !== OID.unknown || left.length <= 1) return;
    const parameters = left.map((candidate) => parametersFor(candidate, given.length)![i]!);
    const categories = new Set(parameters.map((parameter) => typeOf(parameter).category));
    const category = categories.has('S') ? 'S' : categories.size === 1 ? [...categories][0]! : undefined;
    if (category === undefined) return;
    const inCategory = left.filter((_, n) => typeOf(parameters[n]!).category === category);
    const preferred = inCategory.filter(
      (candidate) => typeOf(parametersFor(candidate, given.length)![i]!).preferred,
    );
    left = preferred.length > 0 ? preferred : inCategory;
  });
  return left;
}

/** If all typed arguments have one type, the untyped ones are taken for it too. */
function byKnownTypes<C extends Candidate>(candidates: readonly C[], given: readonly number[]): C[] {
  const known = new Set(given.filter((type) => type !== OID.unknown));
  if (known.size !== 1) return [...candidates];
  const [type] = [...known] as [number];
  const left = candidates.filter((candidate) =>
    accepts(
      parametersFor(candidate, given.length)!,
      given.map(() => type),
    ),
  );
  return left.length === 1 ? left : [...candidates];
}
