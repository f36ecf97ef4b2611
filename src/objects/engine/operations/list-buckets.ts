import type { ListBucketsInput, ListBucketsResult } from '../../wire/operations/list-buckets.ts';
import type { Engine } from '../engine.ts';

export function listBuckets(engine: Engine, input: ListBucketsInput): ListBucketsResult {
  const here = input.region === undefined || input.region === engine.region;
  const found = engine.storage
    .buckets()
    .filter(({ name }) => here && name.startsWith(input.prefix))
    .filter(({ name }) => input.after === undefined || name > input.after);
  return {
    owner: engine.owner,
    region: engine.region,
    buckets: found.slice(0, input.limit),
    truncated: found.length > input.limit,
  };
}
