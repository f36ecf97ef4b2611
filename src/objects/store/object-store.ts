/**
 * The durable state: an ordered store of records beside blobs.
 *
 *   tree               key                          value
 *   buckets            name                         bucket
 *   objects/<bucket>   key, UTF-8                   object, see records.ts
 *   uploads            (bucket, upload id)          upload
 *   parts              (upload id, part number)     part
 *   bodies             body id                      see bodies.ts
 *
 * Order of a PUT: blob durable → commit of object and count durable → 200. Of a DELETE: commit durable →
 * blob removed → 204. A crash between leaves a blob without a name, which the next start sweeps.
 */

import { openBlobs } from '../../core/blobs/blobs.ts';
import type { Blobs } from '../../core/blobs/types.ts';
import { codeOf } from '../../core/errors.ts';
import type { ServiceState } from '../../core/lifecycle.ts';
import type { StoreCode } from '../../core/store/errors.ts';
import { openServiceStore, type StoreHost } from '../../core/store/service-store.ts';
import { encodeKey, prefixRange } from '../../core/store/tuple.ts';
import type { Change, Store, StoreHealth, StoreStats } from '../../core/store/types.ts';
import type { Bucket, Content, Part, StoredObject, Upload } from '../engine/model.ts';
import type { BodyReader, BodyWriter, ListedObject, Mutation, ObjectStorage } from '../engine/storage.ts';
import { Bodies } from './bodies.ts';
import {
  decodeContentHead,
  decodeContentRecord,
  decodeRecord,
  encodeContentRecord,
  encodeRecord,
} from './records.ts';

const BUCKETS = 'buckets';
const UPLOADS = 'uploads';
const PARTS = 'parts';
/** Failures of a commit after which nobody will ever see it; any other leaves that open. */
const CHANGED_NOTHING: ReadonlySet<string> = new Set<StoreCode>([
  'no-space',
  'overloaded',
  'read-only',
  'too-large',
  'closed',
]);

export interface ObjectStoreOptions extends StoreHost {
  readonly folder: string;
  readonly inlineBytes: number;
  readonly removalFailed: (thrown: unknown) => void;
}

const STORE_FOLDER = 'metadata';
const BLOBS_FOLDER = 'blobs';

/** Opens or makes the state in `folder`; orphaned blobs are gone when it resolves. */
export async function openObjectStore(options: ObjectStoreOptions): Promise<ObjectStore> {
  const { files, folder, random } = options;
  await files.makeFolder(folder);
  await using opened = new AsyncDisposableStack();
  const store = opened.use(await openServiceStore(options, `${folder}/${STORE_FOLDER}`));
  const blobs = opened.use(await openBlobs({ files, folder: `${folder}/${BLOBS_FOLDER}`, random }));
  const objectStore = new ObjectStore(store, blobs, options);
  await objectStore.sweep();
  opened.move();
  return objectStore;
}

export class ObjectStore implements ObjectStorage {
  readonly #store: Store;
  readonly #blobs: Blobs;
  readonly #bodies: Bodies;

  constructor(store: Store, blobs: Blobs, options: ObjectStoreOptions) {
    this.#store = store;
    this.#blobs = blobs;
    this.#bodies = new Bodies({ ...options, reader: store, blobs });
  }

  /** What a backup of it consists of. */
  get state(): ServiceState {
    const folders = { storeFolder: STORE_FOLDER, blobsFolder: BLOBS_FOLDER };
    return { store: this.#store, blobs: this.#blobs, ...folders };
  }

  sweep(): Promise<number> {
    return this.#bodies.sweep();
  }

  // ── Reads ─────────────────────────────────────────────────────────────────────────────────────────────

  buckets(): Bucket[] {
    return Array.from(this.#store.range(BUCKETS), ({ value }) => decodeRecord<Bucket>(value));
  }

  bucket(name: string): Bucket | undefined {
    const value = this.#store.get(BUCKETS, Buffer.from(name, 'utf8'));
    return value === undefined ? undefined : decodeRecord<Bucket>(value);
  }

  object(bucket: string, key: string): StoredObject | undefined {
    const value = this.#store.get(treeOf(bucket), Buffer.from(key, 'utf8'));
    return value === undefined ? undefined : decodeContentRecord<StoredObject>(value);
  }

  *objects(bucket: string, from: Buffer): IterableIterator<ListedObject> {
    for (const { key, value } of this.#store.range(treeOf(bucket), { from })) {
      yield { ...decodeContentHead<StoredObject>(value), key };
    }
  }

  upload(bucket: string, id: string): Upload | undefined {
    const value = this.#store.get(UPLOADS, encodeKey([bucket, id]));
    return value === undefined ? undefined : decodeRecord<Upload>(value);
  }

  uploads(bucket: string): Upload[] {
    return Array.from(this.#store.range(UPLOADS, prefixRange([bucket])), ({ value }) =>
      decodeRecord<Upload>(value),
    );
  }

  part(uploadId: string, number: number): Part | undefined {
    const value = this.#store.get(PARTS, encodeKey([uploadId, number]));
    return value === undefined ? undefined : decodeContentRecord<Part>(value);
  }

  parts(uploadId: string, after: number, limit: number): Part[] {
    const { to } = prefixRange([uploadId]);
    const range = { from: encodeKey([uploadId, after + 1]), to, limit };
    return Array.from(this.#store.range(PARTS, range), ({ value }) => decodeContentRecord<Part>(value));
  }

  /** Undefined when everything that reads have seen is durable. */
  settled(): Promise<void> | undefined {
    return this.#store.settled();
  }

  // ── Writes ────────────────────────────────────────────────────────────────────────────────────────────

  /** Nothing is awaited before the store has the commit: whoever read in this turn commits in this turn. */
  async commit(mutations: readonly Mutation[]): Promise<void> {
    const deltas = new Map<string, number>();
    const changes = mutations.flatMap((mutation) => this.#changesOf(mutation, deltas));
    const counted = this.#bodies.count(deltas);
    try {
      await this.#store.commit([...changes, ...counted.changes]);
    } catch (thrown) {
      // The next start may find the commit, so its bodies must not be discarded.
      if (!CHANGED_NOTHING.has(codeOf(thrown) ?? '')) this.#bodies.keep(counted);
      throw thrown;
    }
    this.#bodies.committed(counted);
  }

  #changesOf(mutation: Mutation, deltas: Map<string, number>): Change[] {
    switch (mutation.kind) {
      case 'put-bucket': {
        const { bucket } = mutation;
        return [{ kind: 'put', tree: BUCKETS, key: Buffer.from(bucket.name), value: encodeRecord(bucket) }];
      }
      case 'delete-bucket':
        return [{ kind: 'delete', tree: BUCKETS, key: Buffer.from(mutation.name) }];
      case 'put-object':
      case 'delete-object':
        return [this.#changeOfObject(mutation, deltas)];
      case 'put-upload': {
        const { upload } = mutation;
        const key = encodeKey([upload.bucket, upload.id]);
        return [{ kind: 'put', tree: UPLOADS, key, value: encodeRecord(upload) }];
      }
      case 'delete-upload':
        return this.#removalOfUpload(mutation.upload, deltas);
      case 'put-part':
        return [this.#changeOfPart(mutation.uploadId, mutation.part, deltas)];
    }
  }

  #changeOfObject(
    mutation: Mutation & { readonly kind: 'put-object' | 'delete-object' },
    deltas: Map<string, number>,
  ): Change {
    const { bucket } = mutation;
    const tree = treeOf(bucket);
    const key = Buffer.from(mutation.key, 'utf8');
    countNames(deltas, this.object(bucket, mutation.key)?.content ?? [], -1);
    if (mutation.kind === 'delete-object') return { kind: 'delete', tree, key };
    countNames(deltas, mutation.object.content, 1);
    return { kind: 'put', tree, key, value: encodeContentRecord(mutation.object) };
  }

  #removalOfUpload(upload: Upload, deltas: Map<string, number>): Change[] {
    const range = prefixRange([upload.id]);
    for (const { value } of this.#store.range(PARTS, range)) {
      countNames(deltas, decodeContentRecord<Part>(value).content, -1);
    }
    return [
      { kind: 'delete', tree: UPLOADS, key: encodeKey([upload.bucket, upload.id]) },
      { kind: 'delete-range', tree: PARTS, from: range.from, to: range.to },
    ];
  }

  #changeOfPart(uploadId: string, part: Part, deltas: Map<string, number>): Change {
    countNames(deltas, this.part(uploadId, part.number)?.content ?? [], -1);
    countNames(deltas, part.content, 1);
    const key = encodeKey([uploadId, part.number]);
    return { kind: 'put', tree: PARTS, key, value: encodeContentRecord(part) };
  }

  newBody(): BodyWriter {
    return this.#bodies.newBody();
  }

  discard(content: Content): Promise<void> {
    return this.#bodies.discard(content);
  }

  openBody(content: Content): BodyReader {
    return this.#bodies.open(content);
  }

  // ── The whole ─────────────────────────────────────────────────────────────────────────────────────────

  health(): StoreHealth {
    return this.#store.health();
  }

  stats(): StoreStats {
    return this.#store.stats();
  }

  check(): Promise<string[]> {
    return this.#store.check();
  }

  async close(): Promise<void> {
    await this.#store.close();
    await this.#blobs.close();
  }
}

function treeOf(bucket: string): string {
  return `objects/${bucket}`;
}

function countNames(deltas: Map<string, number>, content: Content, by: 1 | -1): void {
  for (const { bodyId } of content) deltas.set(bodyId, (deltas.get(bodyId) ?? 0) + by);
}
