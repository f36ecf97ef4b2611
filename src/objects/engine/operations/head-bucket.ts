import type { HeadBucketInput, HeadBucketResult } from '../../wire/operations/head-bucket.ts';
import { type Engine, requireBucket } from '../engine.ts';

export function headBucket(engine: Engine, input: HeadBucketInput): HeadBucketResult {
  requireBucket(engine, input.bucket);
  return { region: engine.region };
}
