/** Plans → factories of running queries. Subqueries inside expressions are planned here, when they are met. */
import type { BoundQuery } from '../bind/bound.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { QueryPlan } from '../plan/plan.ts';
import { planQuery } from '../plan/planner.ts';
import type { Value } from '../types/values.ts';
import { DONE, type Frame, PAUSE } from './frame.ts';
import type { SourceCompiler } from './sources.ts';
import { compileTuples, type LockTuple, type TupleFactory } from './tuples.ts';

export function compileQuery(plan: QueryPlan, catalog: Catalog, lock?: LockTuple): TupleFactory {
  return compileTuples(plan, compilerFor(catalog), lock);
}

export function compilerFor(catalog: Catalog): SourceCompiler {
  const compiler: SourceCompiler = {
    tuples: (plan) => compileTuples(plan, compiler),
    compile: (query: BoundQuery) => {
      let factory: TupleFactory | undefined;
      const { length } = query.columns;
      return (frame: Frame, each: (tuple: readonly Value[]) => boolean) => {
        factory ??= compileTuples(planQuery(query, catalog), compiler);
        const tuples = factory(frame);
        for (;;) {
          const step = tuples.next();
          if (step === DONE) return;
          // An expression cannot stop half-way: its query goes on past the end of the turn.
          if (step === PAUSE) continue;
          if (!each(tuples.tuple.length === length ? tuples.tuple : tuples.tuple.slice(0, length))) return;
        }
      };
    },
  };
  return compiler;
}
