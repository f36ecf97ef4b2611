/** Names ⇄ OIDs, for the reg* types: `'t'::regclass`, and OIDs printed as names. */
import { DatabaseError } from '../../errors.ts';
import { quoteName } from '../bind/deparse.ts';
import { FUNCTIONS } from '../functions/registry.ts';
import { formatType, type RegisteredKind, TYPES, typeByName } from '../types/types.ts';
import type { Catalog } from './catalog.ts';
import { systemTable, systemTableByOid } from './system-catalog.ts';

export interface NameContext {
  readonly catalog: Catalog;
  readonly searchPath: readonly string[];
  readonly user: string;
}

export const SUPERUSER_OID = 10;

/** `a.b`, `"A".b` → parts. @throws DatabaseError 42602 */
export function splitName(text: string): string[] {
  const parts: string[] = [];
  const pattern = /\s*(?:"((?:[^"]|"")+)"|([^\s".]+))\s*(\.|$)/y;
  let end = 0;
  do {
    pattern.lastIndex = end;
    const found = pattern.exec(text);
    if (found === null) throw new DatabaseError('42602', 'invalid name syntax');
    parts.push(found[1]?.replaceAll('""', '"') ?? found[2]!.toLowerCase());
    end = pattern.lastIndex;
    if (found[3] === '') return parts;
  } while (end <= text.length);
  return parts;
}

export function lookupObject(kind: RegisteredKind, text: string, c: NameContext): number {
  switch (kind) {
    case 'class':
      return lookupRelation(text, c);
    case 'type':
      return lookupType(text);
    case 'proc':
      return (
        FUNCTIONS.find(({ name }) => name === splitName(text).at(-1))?.oid ??
        fail('42883', `function "${text}" does not exist`)
      );
    case 'role':
      return splitName(text)[0] === c.user ? SUPERUSER_OID : fail('42704', `role "${text}" does not exist`);
    case 'namespace':
      return c.catalog.schema(splitName(text)[0]!)?.oid ?? fail('3F000', `schema "${text}" does not exist`);
  }
}

function fail(code: '42883' | '42704' | '3F000' | '42P01', message: string): never {
  throw new DatabaseError(code, message);
}

export function relationOid(text: string, c: NameContext): number | undefined {
  const parts = splitName(text);
  const name = parts.at(-1)!;
  for (const candidate of parts.length > 1 ? [parts.at(-2)!] : c.searchPath) {
    const virtual = systemTable(candidate, name);
    if (virtual !== undefined) return virtual.oid;
    const schema = c.catalog.schema(candidate);
    const relation = schema === undefined ? undefined : c.catalog.relation(schema.oid, name);
    if (relation !== undefined) return relation.oid;
  }
  return undefined;
}

function lookupRelation(text: string, c: NameContext): number {
  return relationOid(text, c) ?? fail('42P01', `relation "${text}" does not exist`);
}

function lookupType(text: string): number {
  const array = /\[\]$/.test(text);
  const base = text
    .replace(/\[\]$/, '')
    .replace(/^pg_catalog\./, '')
    .replace(/\(.*\)$/, '')
    .trim();
  const found =
    typeByName(base) ??
    [...TYPES.values()].find(({ sqlName }) => sqlName === base.toLowerCase()) ??
    typeByName({ int: 'int4', timestamp: 'timestamp', decimal: 'numeric' }[base] ?? '');
  const oid = array ? found?.arrayOid : found?.oid;
  return oid === undefined || oid === 0 ? fail('42704', `type "${text}" does not exist`) : oid;
}

export function describeObject(kind: RegisteredKind, oid: number, c: NameContext): string | undefined {
  switch (kind) {
    case 'class':
      return describeRelation(oid, c);
    case 'type':
      return TYPES.has(oid) ? formatType({ oid, modifier: -1 }) : undefined;
    case 'proc':
      return FUNCTIONS.find((definition) => definition.oid === oid)?.name;
    case 'role':
      return oid === SUPERUSER_OID ? quoteName(c.user) : undefined;
    case 'namespace': {
      const schema = c.catalog.get(oid);
      return schema?.kind === 'schema' ? quoteName(schema.name) : undefined;
    }
  }
}

/** With its schema unless the search path leads to it. */
function describeRelation(oid: number, c: NameContext): string | undefined {
  const virtual = systemTableByOid(oid);
  if (virtual !== undefined) return virtual.name;
  const relation = c.catalog.get(oid);
  if (relation === undefined || relation.kind === 'schema') return undefined;
  const schema = c.catalog.get(relation.schema);
  if (relationOid(quoteName(relation.name), c) === oid || schema?.kind !== 'schema')
    return quoteName(relation.name);
  return `${quoteName(schema.name)}.${quoteName(relation.name)}`;
}
