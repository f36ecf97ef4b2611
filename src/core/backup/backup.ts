/**
 * Backs up a store that is in use, with the blobs beside it, as of one moment:
 *
 *   1. hold     from here on no blob is removed (writing, and naming new ones, goes on)
 *   2. capture  a snapshot of the store, and the mark in its journal; resolves when that is durable
 *   3. copy     the entries of the snapshot, then every blob that there is; whatever the snapshot names is among
 *               them, for a blob is whole before a commit names it, and none has gone since 1
 *   4. seal     the manifest, last
 *
 * Blobs that the snapshot does not name, being newer or orphans, are copied too and swept by the first start
 * after a restore: only the service knows which trees name blobs, and this way nobody has to ask it.
 *
 * Memory: one part, one portion of the store and one chunk of a blob, whatever the size of all. A blob that is
 * damaged ends the backup with its name.
 */
import type { Blobs } from '../blobs/types.ts';
import { portionsOf } from '../store/portions.ts';
import type { Capture, Store } from '../store/types.ts';
import type { SnapshotManifest, SnapshotStore } from './snapshot-store.ts';
import { FORMAT, PartWriter } from './stream.ts';

/** A store with what lies beside it: together they are the state of a service. */
export interface Durable {
  readonly store: Store;
  /** Named by commits of the store. */
  readonly blobs?: Blobs | undefined;
}

/** A state that stays as it is, blobs included, until it is disposed of. */
export class HeldState implements Disposable {
  readonly #capture: Capture;
  readonly #blobs: Blobs | undefined;
  readonly #hold: Disposable | undefined;

  constructor(capture: Capture, blobs: Blobs | undefined, hold: Disposable | undefined) {
    this.#capture = capture;
    this.#blobs = blobs;
    this.#hold = hold;
  }

  /** Copies the state. @throws as `SnapshotStore.write` does; BlobError, StoreError `corrupt`; the signal's reason */
  copyTo(snapshots: SnapshotStore, signal?: AbortSignal): Promise<SnapshotManifest> {
    const { incarnation, mark } = this.#capture;
    const { position, epoch } = mark;
    const chain = Buffer.from(mark.chain).toString('hex');
    return snapshots.write({ incarnation, position, epoch, chain, format: FORMAT }, this.#parts(signal));
  }

  async *#parts(signal: AbortSignal | undefined): AsyncGenerator<Buffer, void> {
    const writer = new PartWriter();
    for await (const { tree, entries } of portionsOf(this.#capture.snapshot)) {
      signal?.throwIfAborted();
      for (const entry of entries) {
        const part = writer.entry(tree, entry);
        if (part !== undefined) yield part;
      }
    }
    if (this.#blobs !== undefined) yield* this.#blobParts(writer, this.#blobs, signal);
    yield writer.end();
  }

  async *#blobParts(
    writer: PartWriter,
    blobs: Blobs,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Buffer, void> {
    for await (const id of blobs.ids()) {
      let offset = 0;
      for await (const bytes of blobs.read(id)) {
        signal?.throwIfAborted();
        const part = writer.blob(id, offset, bytes);
        if (part !== undefined) yield part;
        offset += bytes.length;
      }
      const part = writer.whole(id, offset);
      if (part !== undefined) yield part;
    }
  }

  [Symbol.dispose](): void {
    this.#capture.snapshot.release();
    this.#hold?.[Symbol.dispose]();
  }
}

/**
 * Holds the state as it is at the call. States held in one turn of the event loop are of one moment.
 * @throws as `Store.capture` does
 */
export async function holdState({ store, blobs }: Durable): Promise<HeldState> {
  const hold = blobs?.holdRemovals();
  try {
    return new HeldState(await store.capture(), blobs, hold);
  } catch (error) {
    hold?.[Symbol.dispose]();
    throw error;
  }
}

/**
 * Backs up what `durable` holds at the call.
 * @throws as `holdState` and `HeldState.copyTo` do; there is no backup then
 */
export async function backUp(
  durable: Durable,
  snapshots: SnapshotStore,
  signal?: AbortSignal,
): Promise<SnapshotManifest> {
  using held = await holdState(durable);
  return await held.copyTo(snapshots, signal);
}
