import type { ListPartsInput, ListPartsResult } from '../../wire/operations/list-parts.ts';
import type { Engine } from '../engine.ts';
import { requireUpload } from './upload-part.ts';

export function listParts(engine: Engine, input: ListPartsInput): ListPartsResult {
  const { algorithm, checksumType, algorithmChosen } = requireUpload(
    engine,
    input.bucket,
    input.key,
    input.uploadId,
  );
  const found = engine.storage.parts(input.uploadId, input.after, input.limit + 1);
  return {
    owner: engine.owner,
    algorithm,
    checksumType,
    algorithmChosen,
    parts: found.slice(0, input.limit),
    truncated: input.limit > 0 && found.length > input.limit,
  };
}
