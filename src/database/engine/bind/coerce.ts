/**
 * Making an expression have a type: literals without a type are read as it, parameters without a type become
 * it, other expressions are cast by `functions/casts.ts` or refused.
 */
import { DatabaseError } from '../../errors.ts';
import { type CastContext, findCast } from '../functions/casts.ts';
import { OID } from '../types/oids.ts';
import { applyModifier, type ConversionContext, formatType, typeOf } from '../types/types.ts';
import type { TypeRef, Value } from '../types/values.ts';
import type { Bound } from './bound.ts';

export const BOOLEAN: TypeRef = { oid: OID.bool, modifier: -1 };
export const TEXT: TypeRef = { oid: OID.text, modifier: -1 };

/** The types of $1, $2 …: given by Parse, or found while binding; 0 while unknown. */
export class ParameterTypes {
  readonly oids: number[];

  constructor(given: readonly number[]) {
    this.oids = given.map((oid) => (oid === OID.unknown ? 0 : oid));
  }

  typeOf(index: number): number {
    while (this.oids.length < index) this.oids.push(0);
    return this.oids[index - 1]!;
  }

  decide(index: number, oid: number): void {
    this.oids[index - 1] = oid;
  }
}

export interface CoerceContext {
  readonly conversion: ConversionContext;
  readonly parameters: ParameterTypes;
}

export function isUnknown(bound: Bound): boolean {
  return bound.type.oid === OID.unknown;
}

/** @throws DatabaseError 42804 or 42846 when there is no way in this context, 22P02 and the like for literals */
export function coerce(
  bound: Bound,
  type: TypeRef,
  context: CastContext,
  c: CoerceContext,
  at?: number,
): Bound {
  const made = tryCoerce(bound, type, context, c, at);
  if (made !== undefined) return made;
  throw new DatabaseError('42846', `cannot cast type ${formatType(bound.type)} to ${formatType(type)}`, {
    at,
  });
}

/** Undefined when there is no way. */
export function tryCoerce(
  bound: Bound,
  type: TypeRef,
  context: CastContext,
  c: CoerceContext,
  at?: number,
): Bound | undefined {
  if (type.oid === OID.any || type.oid === OID.anyelement || type.oid === OID.anyarray) return bound;
  if (bound.kind === 'const' && isUnknown(bound))
    return readLiteral(bound.value, type, context, c, bound.at ?? at);
  if (bound.kind === 'param' && isUnknown(bound)) return decideParameter(bound.index, type, context, c, at);
  if (bound.kind === 'array' && context === 'explicit' && typeOf(type.oid).elementOid !== 0)
    return coerceElements(bound.elements, type, c, at);
  const cast = findCast(bound.type.oid, type.oid, context);
  if (cast === undefined) return undefined;
  const { convert } = cast;
  const form = context === 'explicit' ? 'cast' : 'implicit-cast';
  const converted: Bound =
    convert === undefined && form === 'implicit-cast'
      ? ({
          ...bound,
          type: { oid: type.oid, modifier: bound.type.oid === type.oid ? bound.type.modifier : -1 },
        } as Bound)
      : {
          kind: 'call',
          form,
          name: typeOf(type.oid).name,
          args: [bound],
          strict: true,
          volatility: 'immutable',
          implementation: convert ?? ((value) => value as Value),
          type: { oid: type.oid, modifier: -1 },
        };
  return withModifier(converted, type, context);
}

function coerceElements(elements: readonly Bound[], type: TypeRef, c: CoerceContext, at?: number): Bound {
  const element = { oid: typeOf(type.oid).elementOid, modifier: type.modifier };
  return { kind: 'array', elements: elements.map((item) => coerce(item, element, 'explicit', c, at)), type };
}

function readLiteral(
  value: Value,
  type: TypeRef,
  context: CastContext,
  c: CoerceContext,
  at?: number,
): Bound {
  if (value === null) return { kind: 'const', value: null, type };
  try {
    const parsed = typeOf(type.oid).parse(value as string, c.conversion);
    // A column's own length is checked when the row is stored, so that the error can be counted there.
    const fitted = parsed === null ? null : applyModifier(parsed, type, context === 'explicit');
    return { kind: 'const', value: fitted, type };
  } catch (thrown) {
    throw thrown instanceof DatabaseError ? thrown.positioned(at) : thrown;
  }
}

function decideParameter(
  index: number,
  type: TypeRef,
  context: CastContext,
  c: CoerceContext,
  at?: number,
): Bound | undefined {
  const known = c.parameters.typeOf(index);
  if (known === 0) {
    const oid = type.oid === OID.unknown ? OID.text : type.oid;
    c.parameters.decide(index, oid);
    return withModifier({ kind: 'param', index, type: { oid, modifier: -1 } }, type, context);
  }
  return tryCoerce({ kind: 'param', index, type: { oid: known, modifier: -1 } }, type, context, c, at);
}

function withModifier(bound: Bound, type: TypeRef, context: CastContext): Bound {
  if (type.modifier < 0 || (bound.type.oid === type.oid && bound.type.modifier === type.modifier))
    return bound;
  const explicit = context === 'explicit';
  return {
    kind: 'call',
    form: explicit ? 'cast' : 'implicit-cast',
    name: typeOf(type.oid).name,
    args: [bound],
    strict: true,
    volatility: 'immutable',
    implementation: (value) => applyModifier(value as NonNullable<Value>, type, explicit),
    type,
  };
}

/** Untyped expressions that nothing gave a type to are text. */
export function settle(bound: Bound, c: CoerceContext): Bound {
  return isUnknown(bound) ? coerce(bound, TEXT, 'implicit', c) : bound;
}

/** A condition. @throws DatabaseError 42804 */
export function toBoolean(bound: Bound, what: string, c: CoerceContext, at?: number): Bound {
  const made = tryCoerce(bound, BOOLEAN, 'implicit', c, at);
  if (made !== undefined) return made;
  throw new DatabaseError(
    '42804',
    `argument of ${what} must be type boolean, not type ${formatType(bound.type)}`,
    { at },
  );
}

/**
 * The type that UNION, CASE, COALESCE, ARRAY and VALUES give their parts (manual section 10.5).
 * @throws DatabaseError 42804 when the parts do not match
 */
export function commonType(parts: readonly Bound[], what: string, at?: number): TypeRef {
  const known = parts.filter((part) => !isUnknown(part));
  const first = known[0];
  if (first === undefined) return TEXT;
  let chosen = first.type;
  for (const { type } of known.slice(1)) {
    if (type.oid === chosen.oid) {
      if (type.modifier !== chosen.modifier) chosen = { oid: chosen.oid, modifier: -1 };
      continue;
    }
    const a = typeOf(chosen.oid);
    const b = typeOf(type.oid);
    if (a.category !== b.category)
      throw new DatabaseError(
        '42804',
        `${what} types ${formatType(chosen)} and ${formatType(type)} cannot be matched`,
        { at },
      );
    if (
      !a.preferred &&
      findCast(chosen.oid, type.oid, 'implicit') &&
      !(findCast(type.oid, chosen.oid, 'implicit') && !b.preferred)
    )
      chosen = { oid: type.oid, modifier: -1 };
    else chosen = { oid: chosen.oid, modifier: -1 };
  }
  return chosen;
}

export function coerceAll(
  parts: readonly Bound[],
  type: TypeRef,
  c: CoerceContext,
  what: string,
  at?: number,
): Bound[] {
  return parts.map((part) => {
    const made = tryCoerce(part, type, 'implicit', c, at);
    if (made !== undefined) return made;
    throw new DatabaseError(
      '42846',
      `${what} could not convert type ${formatType(part.type)} to ${formatType(type)}`,
      { at },
    );
  });
}
