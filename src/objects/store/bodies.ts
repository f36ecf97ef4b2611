/**
 * The bytes of objects. A body is short and lies in the store, or is a blob; either way the store counts how
 * many slices name it, and a body that nothing names any more goes.
 *
 *   tree `bodies`: id → 00 <count u32>               a blob of that id
 *                       01 <count u32> <bytes …>     short: the bytes themselves
 *
 * A blob is removed after the commit that dropped its last name is durable, and after its last reader.
 */
import { assert } from '../../core/assert.ts';
import type { Blobs, BlobWriter } from '../../core/blobs/types.ts';
import type { Random } from '../../core/random/random.ts';
import type { Change, Reader } from '../../core/store/types.ts';
import type { Content, Slice } from '../engine/model.ts';
import type { BodyReader, BodyWriter } from '../engine/storage.ts';

const TREE = 'bodies';
const BLOB = 0;
const INLINE = 1;
const HEAD_BYTES = 5;

export interface BodiesOptions {
  readonly reader: Reader;
  readonly blobs: Blobs;
  readonly random: Random;
  readonly inlineBytes: number;
  /** Told what went wrong when a blob could not be removed; the next start sweeps it. */
  readonly removalFailed: (thrown: unknown) => void;
}

/** How a commit changes the counts. */
export interface CountedChanges {
  readonly changes: readonly Change[];
  /** Blobs that nothing names once the commit is durable. */
  readonly unnamed: readonly string[];
  /** Bodies that have their first name now. */
  readonly named: readonly string[];
}

export class Bodies {
  readonly #options: BodiesOptions;
  /** Finished and not yet named: short ones with their bytes. */
  readonly #pending = new Map<string, Buffer | undefined>();
  readonly #readers = new Map<string, number>();
  /** Unnamed blobs that somebody still reads. */
  readonly #retired = new Set<string>();

  constructor(options: BodiesOptions) {
    this.#options = options;
  }

  /** Removes blobs that a crash left without a name. @returns how many */
  sweep(): Promise<number> {
    const { reader, blobs } = this.#options;
    return blobs.sweep((id) => reader.has(TREE, idBytes(id)));
  }

  newBody(): BodyWriter {
    return new StoredBodyWriter(this.#options, (id, inline) => this.#pending.set(id, inline));
  }

  async discard(content: Content): Promise<void> {
    for (const { bodyId } of content) {
      const inline = this.#pending.get(bodyId);
      if (this.#pending.delete(bodyId) && inline === undefined) await this.#options.blobs.remove(bodyId);
    }
  }

  /** @param deltas body id → how many more slices name it after the commit */
  count(deltas: ReadonlyMap<string, number>): CountedChanges {
    const changes: Change[] = [];
    const unnamed: string[] = [];
    const named: string[] = [];
    for (const [id, delta] of deltas) {
      if (delta === 0) continue;
      const key = idBytes(id);
      const stored = this.#options.reader.get(TREE, key);
      if (stored === undefined) named.push(id);
      const before = stored ?? this.#firstRecord(id);
      const count = before.readUInt32BE(1) + delta;
      assert(count >= 0, `body ${id} would have ${count} names`);
      if (count > 0) {
        const value = Buffer.from(before);
        value.writeUInt32BE(count, 1);
        changes.push({ kind: 'put', tree: TREE, key, value });
      } else {
        changes.push({ kind: 'delete', tree: TREE, key });
        if (before[0] === BLOB) unnamed.push(id);
      }
    }
    return { changes, unnamed, named };
  }

  #firstRecord(id: string): Buffer {
    assert(this.#pending.has(id), `body ${id} was never written`);
    const inline = this.#pending.get(id);
    const head = Buffer.alloc(HEAD_BYTES);
    head[0] = inline === undefined ? BLOB : INLINE;
    return inline === undefined ? head : Buffer.concat([head, inline]);
  }

  /** Nobody knows whether the commit is durable: its bodies stay, and the next start sweeps what it left unnamed. */
  keep({ named }: CountedChanges): void {
    for (const id of named) this.#pending.delete(id);
  }

  /** The commit is durable. */
  committed({ unnamed, named }: CountedChanges): void {
    for (const id of named) this.#pending.delete(id);
    for (const id of unnamed) {
      if (this.#readers.has(id)) this.#retired.add(id);
      else this.#remove(id);
    }
  }

  #remove(id: string): void {
    this.#options.blobs.remove(id).catch(this.#options.removalFailed);
  }

  /** Short bodies are taken now; blobs are held until the reader is released. */
  open(content: Content): BodyReader {
    const pieces = content.map((slice) => this.#pieceOf(slice));
    const held = content.filter((_, index) => pieces[index] === undefined).map(({ bodyId }) => bodyId);
    for (const id of held) this.#readers.set(id, (this.#readers.get(id) ?? 0) + 1);
    return new HeldContent(this.#options.blobs, content, pieces, () => {
      for (const id of held) this.#release(id);
    });
  }

  /** The bytes of a slice of a short body; undefined for a blob. */
  #pieceOf({ bodyId, start, sizeBytes }: Slice): Buffer | undefined {
    const stored = this.#options.reader.get(TREE, idBytes(bodyId));
    assert(stored !== undefined, `body ${bodyId} is named and missing`);
    if (stored[0] === BLOB) return undefined;
    return Buffer.from(stored.subarray(HEAD_BYTES + start, HEAD_BYTES + start + sizeBytes));
  }

  #release(id: string): void {
    const left = (this.#readers.get(id) ?? 0) - 1;
    if (left > 0) {
      this.#readers.set(id, left);
      return;
    }
    this.#readers.delete(id);
    if (this.#retired.delete(id)) this.#remove(id);
  }
}

function idBytes(id: string): Buffer {
  return Buffer.from(id, 'hex');
}

/** Gathers a short body in memory; past the bound it becomes a blob. */
class StoredBodyWriter implements BodyWriter {
  readonly #options: BodiesOptions;
  readonly #finished: (id: string, inline: Buffer | undefined) => void;
  #gathered: Buffer[] = [];
  #sizeBytes = 0;
  #blob: BlobWriter | undefined;

  constructor(options: BodiesOptions, finished: (id: string, inline: Buffer | undefined) => void) {
    this.#options = options;
    this.#finished = finished;
  }

  async write(bytes: Buffer): Promise<void> {
    this.#sizeBytes += bytes.length;
    if (this.#blob !== undefined) return this.#blob.write(bytes);
    this.#gathered.push(bytes);
    if (this.#sizeBytes <= this.#options.inlineBytes) return;
    this.#blob = await this.#options.blobs.create();
    const gathered = this.#gathered;
    this.#gathered = [];
    for (const piece of gathered) await this.#blob.write(piece);
  }

  async finish(): Promise<Content> {
    if (this.#sizeBytes === 0) return [];
    const id = await this.#finish();
    return [{ bodyId: id, start: 0, sizeBytes: this.#sizeBytes }];
  }

  async #finish(): Promise<string> {
    if (this.#blob === undefined) {
      const id = this.#options.random.bytes(16).toString('hex');
      this.#finished(id, Buffer.concat(this.#gathered));
      return id;
    }
    const { id } = await this.#blob.finish();
    this.#finished(id, undefined);
    return id;
  }

  async abort(): Promise<void> {
    this.#gathered = [];
    await this.#blob?.abort();
  }
}

/** Iterating it to its end, breaking out, or `release` lets go of the blobs, once. */
class HeldContent implements BodyReader {
  readonly #blobs: Blobs;
  readonly #content: Content;
  readonly #pieces: readonly (Buffer | undefined)[];
  readonly #letGo: () => void;
  #released = false;

  constructor(blobs: Blobs, content: Content, pieces: readonly (Buffer | undefined)[], letGo: () => void) {
    this.#blobs = blobs;
    this.#content = content;
    this.#pieces = pieces;
    this.#letGo = letGo;
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#letGo();
  }

  [Symbol.asyncIterator](): AsyncIterator<Buffer> {
    const bytes = this.#read();
    return {
      next: () => bytes.next(),
      // A generator that never began runs no `finally`.
      return: async () => {
        await bytes.return();
        this.release();
        return { done: true, value: undefined };
      },
    };
  }

  async *#read(): AsyncGenerator<Buffer, void> {
    try {
      for (const [index, { bodyId, start, sizeBytes }] of this.#content.entries()) {
        const piece = this.#pieces[index];
        if (piece !== undefined) yield piece;
        else yield* this.#blobs.read(bodyId, { start, end: start + sizeBytes });
      }
    } finally {
      this.release();
    }
  }
}
