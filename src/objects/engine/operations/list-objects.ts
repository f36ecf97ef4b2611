import type { Position } from '../../wire/list-parameters.ts';
import type { ListObjectsInput, ListObjectsResult } from '../../wire/operations/list-objects.ts';
import { type Engine, requireBucket } from '../engine.ts';
import { listPage, positionOfMarker } from '../listing.ts';

export function listObjects(engine: Engine, input: ListObjectsInput): ListObjectsResult {
  requireBucket(engine, input.bucket);
  const page = listPage(engine.storage, { ...input, after: startOf(input) });
  return { owner: engine.owner, ...page };
}

function startOf(input: ListObjectsInput): Position | undefined {
  if (input.position !== undefined) return input.position;
  if (input.startAfter !== undefined) return { kind: 'key', name: input.startAfter };
  return positionOfMarker(input.marker, input.prefix, input.delimiter);
}
