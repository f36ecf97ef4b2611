/** Uploads that nobody completed in time are aborted, so that forgotten parts do not fill the disk. */
import type { Engine } from './engine.ts';

/** @returns how many were aborted */
export async function expireUploads(engine: Engine): Promise<number> {
  const before = engine.now() - engine.limits.uploadLifetimeMs;
  const expired = engine.storage
    .buckets()
    .flatMap(({ name }) => engine.storage.uploads(name))
    .filter(({ startedMs }) => startedMs < before);
  for (const { bucket, id } of expired) {
    // Since the list was made it may have been completed.
    const upload = engine.storage.upload(bucket, id);
    if (upload !== undefined) await engine.storage.commit([{ kind: 'delete-upload', upload }]);
  }
  return expired.length;
}
