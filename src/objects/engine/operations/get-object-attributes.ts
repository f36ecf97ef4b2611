import type {
  GetObjectAttributesInput,
  GetObjectAttributesResult,
} from '../../wire/operations/get-object-attributes.ts';
import type { Engine } from '../engine.ts';
import { requireObject } from './get-object.ts';

export function getObjectAttributes(
  engine: Engine,
  input: GetObjectAttributesInput,
): GetObjectAttributesResult {
  const { etag, sizeBytes, modifiedMs, checksum, parts } = requireObject(engine, input.bucket, input.key);
  return { etag, sizeBytes, modifiedMs, checksum, parts };
}
