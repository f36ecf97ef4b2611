/**
 * What the engine needs of the world below it. Reads are synchronous and see every commit begun before;
 * so an operation that reads and commits without waiting in between is atomic.
 */
import type { Bucket, Content, ObjectSummary, Part, StoredObject, Upload } from './model.ts';

export type Mutation =
  | { readonly kind: 'put-bucket'; readonly bucket: Bucket }
  /** The bucket must hold no object; its open uploads go with it. */
  | { readonly kind: 'delete-bucket'; readonly name: string }
  | {
      readonly kind: 'put-object';
      readonly bucket: string;
      readonly key: string;
      readonly object: StoredObject;
    }
  | { readonly kind: 'delete-object'; readonly bucket: string; readonly key: string }
  | { readonly kind: 'put-upload'; readonly upload: Upload }
  /** With all its parts. */
  | { readonly kind: 'delete-upload'; readonly upload: Upload }
  | { readonly kind: 'put-part'; readonly uploadId: string; readonly part: Part };

export interface ListedObject extends ObjectSummary {
  /** UTF-8. */
  readonly key: Buffer;
}

export interface BodyWriter {
  /** Await it before the next call: that is the backpressure. */
  write(bytes: Buffer): Promise<void>;
  /** Makes the bytes durable, where their commit does not. What is never committed must be discarded. */
  finish(): Promise<Content>;
  /** Gives up before `finish`. */
  abort(): Promise<void>;
}

/** Keeps the bodies of `content` alive, whatever happens to their object, until released. */
export interface BodyReader extends AsyncIterable<Buffer> {
  release(): void;
}

export interface ObjectStorage {
  /** In the order of their names. */
  buckets(): Bucket[];
  bucket(name: string): Bucket | undefined;
  object(bucket: string, key: string): StoredObject | undefined;
  /** From key `from` on, in UTF-8 order. Finish or leave the loop before the next commit. */
  objects(bucket: string, from: Buffer): Iterable<ListedObject>;
  upload(bucket: string, id: string): Upload | undefined;
  uploads(bucket: string): Upload[];
  part(uploadId: string, number: number): Part | undefined;
  /** With numbers above `after`, ascending, at most `limit`. */
  parts(uploadId: string, after: number, limit: number): Part[];
  /** All of it or nothing; visible at once, durable when it resolves. At most one mutation per key. */
  commit(mutations: readonly Mutation[]): Promise<void>;
  newBody(): BodyWriter;
  /** Lets go of finished bodies that no commit named. */
  discard(content: Content): Promise<void>;
  openBody(content: Content): BodyReader;
}
