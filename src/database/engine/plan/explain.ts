/** EXPLAIN's text: the tree of a plan, indented. Without costs, for rules choose here and not estimates. */
import type { BoundStatement } from '../bind/bound.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { QueryPlan, SourcePlan } from './plan.ts';
import { conjunctsOf, planFrom, planQuery } from './planner.ts';

export function describePlan(statement: BoundStatement, catalog: Catalog): string[] {
  if (statement.kind === 'select') return describeQuery(planQuery(statement.query, catalog), 0);
  const head = `${statement.kind[0]!.toUpperCase()}${statement.kind.slice(1)} on ${statement.target.table.name}`;
  const below =
    statement.kind === 'insert'
      ? describeQuery(planQuery(statement.query, catalog), 1)
      : describeSource(planFrom(statement.from, conjunctsOf(statement.where), [], catalog).source, 1);
  return [head, ...below];
}

function line(depth: number, text: string): string {
  return depth === 0 ? text : `${' '.repeat(depth * 6 - 4)}->  ${text}`;
}

function describeQuery(plan: QueryPlan, depth: number): string[] {
  const lines: string[] = [];
  let at = depth;
  const wrap = (text: string): void => {
    lines.push(line(at++, text));
  };
  if (plan.limit !== undefined || plan.offset !== undefined) wrap('Limit');
  if (plan.locks.length > 0) wrap('LockRows');
  if (plan.sort.length > 0) wrap('Sort');
  if (plan.distinct !== undefined) wrap('Unique');
  const { tuples } = plan;
  if (tuples.kind === 'values')
    return [...lines, line(at, tuples.rows.length === 1 ? 'Result' : 'Values Scan')];
  if (tuples.kind === 'select') return [...lines, ...describeSource(tuples.source, at)];
  const name = `${tuples.operation === 'union' ? 'Append' : `SetOp ${tuples.operation}`}${tuples.all ? ' All' : ''}`;
  return [
    ...lines,
    line(at, name),
    ...describeQuery(tuples.left, at + 1),
    ...describeQuery(tuples.right, at + 1),
  ];
}

function describeSource(plan: SourcePlan, depth: number): string[] {
  switch (plan.kind) {
    case 'one-row':
      return [line(depth, 'Result')];
    case 'scan':
      return [line(depth, describeScan(plan))];
    case 'virtual':
      return [line(depth, `Catalog Scan on ${plan.relation.alias}`)];
    case 'subquery':
      return [
        line(depth, `Subquery Scan on ${plan.relation.alias}`),
        ...describeQuery(plan.query, depth + 1),
      ];
    case 'function':
      return [line(depth, `Function Scan on ${plan.relation.alias}`)];
    case 'nested-loop':
      return [
        line(depth, `Nested Loop${plan.type === 'left' ? ' Left Join' : ''}`),
        ...describeSource(plan.left, depth + 1),
        ...describeSource(plan.right, depth + 1),
      ];
    case 'hash-join': {
      const type = { inner: '', left: ' Left', full: ' Full' }[plan.type];
      const name = plan.leftKeys.length === 0 ? `Nested Loop${type}` : `Hash${type} Join`;
      return [
        line(depth, name),
        ...describeSource(plan.left, depth + 1),
        ...describeSource(plan.right, depth + 1),
      ];
    }
    case 'filter':
      return [line(depth, 'Filter'), ...describeSource(plan.input, depth + 1)];
    case 'group':
      return [
        line(depth, plan.keys.length === 0 ? 'Aggregate' : 'HashAggregate'),
        ...describeSource(plan.input, depth + 1),
      ];
    case 'expand':
      return [line(depth, 'ProjectSet'), ...describeSource(plan.input, depth + 1)];
  }
}

function describeScan({ relation, access, filter }: Extract<SourcePlan, { kind: 'scan' }>): string {
  const table = relation.source.kind === 'table' ? relation.source.table.name : '';
  const named = relation.alias === table ? table : `${table} ${relation.alias}`;
  const suffix = filter === undefined ? '' : ' (filtered)';
  if (access === undefined) return `Seq Scan on ${named}${suffix}`;
  return `Index Scan${access.reverse ? ' Backward' : ''} using ${access.index.name} on ${named}${suffix}`;
}
