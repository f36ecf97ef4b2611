/** Every built-in function by name. */
import type { FunctionDefinition } from './implementation.ts';
import { SCALAR_FUNCTIONS } from './scalar.ts';
import { SYSTEM_FUNCTIONS } from './system.ts';

export const FUNCTIONS: readonly FunctionDefinition[] = [...SCALAR_FUNCTIONS, ...SYSTEM_FUNCTIONS];

const BY_NAME: ReadonlyMap<string, readonly FunctionDefinition[]> = Map.groupBy(
  FUNCTIONS,
  (definition) => definition.name,
);

export function functionsNamed(name: string): readonly FunctionDefinition[] {
  return BY_NAME.get(name) ?? [];
}
