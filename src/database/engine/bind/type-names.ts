/** Names of types in SQL → types with their modifiers. */
import { DatabaseError, notSupported } from '../../errors.ts';
import type { TypeName } from '../sql/ast.ts';
import { OID } from '../types/oids.ts';
import { type TypeInfo, typeByName, typeOf } from '../types/types.ts';
import type { TypeRef } from '../types/values.ts';

/** Types PostgreSQL has and this service has not. */
const KNOWN: ReadonlySet<string> = new Set(
  `bit varbit box cidr circle inet line lseg macaddr macaddr8 money path point polygon timetz tsquery tsvector
  txid_snapshot pg_lsn xml int4range int8range numrange tsrange tstzrange daterange cstring hstore citext
  jsonpath refcursor regprocedure regoper regoperator regconfig regdictionary regcollation tid cid vector`.split(
    /\s+/,
  ),
);

/** @throws DatabaseError 42704, 0A000, 22023 */
export function resolveType(name: TypeName): TypeRef {
  const base = findType(name);
  const modifier = packModifier(base, name);
  if (!name.array) return { oid: base.oid, modifier };
  if (base.arrayOid === 0)
    throw new DatabaseError('42704', `type "${name.name}[]" does not exist`, { at: name.at });
  return { oid: base.arrayOid, modifier };
}

function findType(name: TypeName): TypeInfo {
  const shown = name.schema === undefined ? name.name : `${name.schema}.${name.name}`;
  const type = name.schema === undefined || name.schema === 'pg_catalog' ? typeByName(name.name) : undefined;
  if (type !== undefined) return type;
  if (KNOWN.has(name.name)) throw notSupported(`type ${name.name}`, name.at);
  throw new DatabaseError('42704', `type "${shown}" does not exist`, { at: name.at });
}

function packModifier({ oid, sqlName }: TypeInfo, { modifiers, at }: TypeName): number {
  if (modifiers.length === 0) return -1;
  const [first = 0, second = 0] = modifiers;
  const bad = (message: string): DatabaseError => new DatabaseError('22023', message, { at });
  switch (oid) {
    case OID.varchar:
    case OID.bpchar:
      if (first < 1)
        throw bad(`length for type ${oid === OID.varchar ? 'varchar' : 'char'} must be at least 1`);
      if (first > 10_485_760) throw bad(`length for type ${sqlName} cannot exceed 10485760`);
      return first + 4;
    case OID.numeric:
      if (first < 1 || first > 1000) throw bad(`NUMERIC precision ${first} must be between 1 and 1000`);
      if (second < 0 || second > first)
        throw notSupported('a numeric scale below 0 or above the precision', at);
      return ((first << 16) | second) + 4;
    case OID.time:
      throw notSupported('a precision of time', at);
    case OID.interval:
      throw notSupported('a precision of interval', at);
    case OID.timestamp:
    case OID.timestamptz:
      return Math.min(first, 6);
    default:
      throw new DatabaseError('42601', `type modifier is not allowed for type "${typeOf(oid).name}"`, { at });
  }
}
