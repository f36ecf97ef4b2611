import type {
  ListMultipartUploadsInput,
  ListMultipartUploadsResult,
} from '../../wire/operations/list-multipart-uploads.ts';
import { type Engine, requireBucket } from '../engine.ts';
import type { Upload } from '../model.ts';

/** By key, then by start. A bucket has a bounded number of open uploads, so all of them are sorted. */
export function listMultipartUploads(
  engine: Engine,
  input: ListMultipartUploadsInput,
): ListMultipartUploadsResult {
  requireBucket(engine, input.bucket);
  const ordered = engine.storage
    .uploads(input.bucket)
    .filter(({ key }) => key.startsWith(input.prefix))
    .sort(compareUploads);
  const uploads: Upload[] = [];
  const prefixes: string[] = [];
  let next: ListMultipartUploadsResult['next'];
  for (const upload of ordered.slice(startIndex(ordered, input))) {
    const common = commonPrefix(upload.key, input);
    if (common !== undefined && (common === prefixes.at(-1) || common === input.keyMarker)) continue;
    if (uploads.length + prefixes.length === input.limit) {
      return { owner: engine.owner, uploads, prefixes, next: input.limit === 0 ? undefined : next };
    }
    if (common === undefined) uploads.push(upload);
    else prefixes.push(common);
    next = common === undefined ? { key: upload.key, uploadId: upload.id } : { key: common, uploadId: '' };
  }
  return { owner: engine.owner, uploads, prefixes, next: undefined };
}

function compareUploads(left: Upload, right: Upload): number {
  const byKey = Buffer.compare(Buffer.from(left.key), Buffer.from(right.key));
  return byKey || left.startedMs - right.startedMs || (left.id < right.id ? -1 : 1);
}

/** After the marked upload; after all of the marked key when no upload is marked, or it is gone. */
function startIndex(
  ordered: readonly Upload[],
  { keyMarker, uploadIdMarker }: ListMultipartUploadsInput,
): number {
  if (keyMarker === undefined) return 0;
  const marked = ordered.findIndex(({ key, id }) => key === keyMarker && id === uploadIdMarker);
  if (marked >= 0) return marked + 1;
  const marker = Buffer.from(keyMarker);
  const after = ordered.findIndex(({ key }) => Buffer.compare(Buffer.from(key), marker) > 0);
  return after < 0 ? ordered.length : after;
}

function commonPrefix(key: string, { prefix, delimiter }: ListMultipartUploadsInput): string | undefined {
  if (delimiter === undefined) return undefined;
  const at = key.indexOf(delimiter, prefix.length);
  return at < 0 ? undefined : key.slice(0, at + delimiter.length);
}
