/**
 * The names that an expression may use: the relations of its query, then those of the queries around it.
 * A scope also deals out the slots of its query's row.
 */
import { DatabaseError } from '../../errors.ts';
import type { FunctionDefinition } from '../functions/implementation.ts';
import type { Bound, BoundAggregate, BoundColumn, BoundQuery, BoundRelation } from './bound.ts';

/** A column as `*` shows it; `value` reads it at level 0. */
export interface VisibleColumn {
  readonly name: string;
  readonly qualifier: string;
  readonly value: Bound;
  readonly origin: BoundColumn;
}

export interface CommonTableBinding {
  readonly query: BoundQuery;
  readonly columns: readonly BoundColumn[];
}

/** What aggregates are worth where an expression stands. */
export type AggregateUse =
  | { readonly kind: 'collected'; readonly into: BoundAggregate[] }
  | { readonly kind: 'refused'; readonly where: string };

export interface SetUse {
  readonly definition: FunctionDefinition;
  readonly args: readonly Bound[];
  readonly slot: number;
}

export class Scope {
  readonly outer: Scope | undefined;
  readonly relations: BoundRelation[] = [];
  visible: VisibleColumn[] = [];
  readonly common = new Map<string, CommonTableBinding>();
  aggregates: AggregateUse = { kind: 'refused', where: 'this clause' };
  /** Set-returning functions met in the select list; undefined where they are not allowed. */
  sets: SetUse[] | undefined;
  /** The next free slot. */
  width = 0;
  /** How many levels out the query reaches; 0 when it stands alone. */
  reach = 0;
  /** False while a FROM item that must not see its neighbours is bound. */
  open = true;

  constructor(outer: Scope | undefined) {
    this.outer = outer;
  }

  take(slots: number): number {
    const base = this.width;
    this.width += slots;
    return base;
  }

  addRelation(relation: BoundRelation, at: number): void {
    if (this.relations.some(({ alias }) => alias === relation.alias))
      throw new DatabaseError('42712', `table name "${relation.alias}" specified more than once`, { at });
    this.relations.push(relation);
  }

  commonTable(name: string): CommonTableBinding | undefined {
    return this.common.get(name) ?? this.outer?.commonTable(name);
  }

  /** @throws DatabaseError 42703, 42702, 42P01 */
  column(path: readonly string[], at: number): Bound {
    for (let scope: Scope | undefined = this, level = 0; scope !== undefined; scope = scope.outer, level++) {
      const found = scope.open ? scope.#own(path, at) : undefined;
      if (found === undefined) continue;
      this.#reachOut(level);
      return level === 0 ? found : raise(found, level);
    }
    throw this.#unknownColumn(path, at);
  }

  /** Every query between here and the one that owns the column depends on it. */
  #reachOut(level: number): void {
    let scope: Scope | undefined = this;
    for (let out = level; out > 0 && scope !== undefined; out--) {
      scope.reach = Math.max(scope.reach, out);
      scope = scope.outer;
    }
  }

  #own(path: readonly string[], at: number): Bound | undefined {
    const name = path.at(-1)!;
    if (path.length === 1) {
      const matches = this.visible.filter((column) => column.name === name);
      if (matches.length > 1)
        throw new DatabaseError('42702', `column reference "${name}" is ambiguous`, { at });
      return matches[0]?.value;
    }
    const relation = this.relation(path.at(-2)!);
    if (relation === undefined) return undefined;
    const index = relation.columns.findIndex((column) => column.name === name);
    if (index < 0)
      throw new DatabaseError('42703', `column ${path.at(-2)}.${name} does not exist`, {
        at,
        routine: 'errorMissingColumn',
      });
    return slotOf(relation, index);
  }

  relation(alias: string): BoundRelation | undefined {
    return this.relations.find((relation) => relation.alias === alias);
  }

  #unknownColumn(path: readonly string[], at: number): DatabaseError {
    if (path.length > 1)
      return new DatabaseError('42P01', `missing FROM-clause entry for table "${path.at(-2)}"`, {
        at,
        routine: 'errorMissingRTE',
      });
    return new DatabaseError('42703', `column "${path[0]}" does not exist`, {
      at,
      routine: 'errorMissingColumn',
    });
  }
}

export function slotOf(relation: BoundRelation, index: number): Bound {
  const { name, type } = relation.columns[index]!;
  return { kind: 'slot', level: 0, slot: relation.base + index, type, name };
}

/** The same value seen from `levels` queries further in. Merged columns of outer joins are small trees. */
function raise(bound: Bound, levels: number): Bound {
  if (bound.kind === 'slot') return { ...bound, level: bound.level + levels };
  if (bound.kind === 'coalesce') return { ...bound, args: bound.args.map((arg) => raise(arg, levels)) };
  if (bound.kind === 'call') return { ...bound, args: bound.args.map((arg) => raise(arg, levels)) };
  return bound;
}
