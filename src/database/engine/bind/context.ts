/** What binding needs to know besides the tree: the catalogue, the path of schemas, the types of parameters. */
import type { Catalog, Relation } from '../catalog/catalog.ts';
import type { VirtualTable } from '../catalog/virtual-table.ts';
import type { AggregateDefinition } from '../functions/aggregates.ts';
import type { FunctionDefinition } from '../functions/implementation.ts';
import type { Query } from '../sql/ast.ts';
import type { ConversionContext } from '../types/types.ts';
import type { BoundQuery } from './bound.ts';
import type { ParameterTypes } from './coerce.ts';
import type { Scope } from './scope.ts';

export interface BindContext {
  readonly catalog: Catalog;
  /** Schemas searched for names without one, pg_catalog first. */
  readonly searchPath: readonly string[];
  readonly conversion: ConversionContext;
  readonly parameters: ParameterTypes;
  readonly functions: (name: string) => readonly FunctionDefinition[];
  readonly aggregates: (name: string) => readonly AggregateDefinition[];
  readonly virtualTable: (schema: string, name: string) => VirtualTable | undefined;
  /** Ties expressions to queries, which hold each other. */
  readonly bindQuery: (query: Query, outer: Scope | undefined, c: BindContext) => BoundQuery;
  /** Parses a stored default or check. */
  readonly maxNesting: number;
}

export function findRelation(c: BindContext, schema: string | undefined, name: string): Relation | undefined {
  for (const candidate of schema === undefined ? c.searchPath : [schema]) {
    const found = c.catalog.schema(candidate);
    const relation = found === undefined ? undefined : c.catalog.relation(found.oid, name);
    if (relation !== undefined) return relation;
  }
  return undefined;
}

export function findVirtual(
  c: BindContext,
  schema: string | undefined,
  name: string,
): VirtualTable | undefined {
  if (schema !== undefined) return c.virtualTable(schema, name);
  return c.virtualTable('pg_catalog', name);
}
