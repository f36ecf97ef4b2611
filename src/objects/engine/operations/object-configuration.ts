import type { OwnerResult } from '../../wire/operations/bucket-configuration.ts';
import type { ObjectConfigurationInput } from '../../wire/operations/object-configuration.ts';
import type { Engine } from '../engine.ts';
import { requireObject } from './get-object.ts';

export function getObjectConfiguration(engine: Engine, input: ObjectConfigurationInput): OwnerResult {
  requireObject(engine, input.bucket, input.key);
  return { owner: engine.owner };
}
