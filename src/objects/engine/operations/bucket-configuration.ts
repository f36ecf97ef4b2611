import type { BucketConfigurationInput, OwnerResult } from '../../wire/operations/bucket-configuration.ts';
import { type Engine, requireBucket } from '../engine.ts';

export function getBucketConfiguration(engine: Engine, input: BucketConfigurationInput): OwnerResult {
  requireBucket(engine, input.bucket);
  return { owner: engine.owner };
}
