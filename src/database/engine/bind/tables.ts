/** The base tables a bound statement reads, in subqueries too: what SERIALIZABLE locks. */
import type { BoundStatement } from './bound.ts';

/** Walks the whole tree by its shape: whatever holds a table as the source of a relation. */
export function tablesOf(statement: BoundStatement): number[] {
  const found = new Set<number>();
  const seen = new Set<object>();
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null || seen.has(node) || Buffer.isBuffer(node)) return;
    seen.add(node);
    const { source } = node as { source?: { kind?: string; table?: { oid: number } } };
    if (source?.kind === 'table' && source.table !== undefined) found.add(source.table.oid);
    for (const child of Array.isArray(node) ? node : Object.values(node)) visit(child);
  };
  visit(statement);
  return [...found];
}
