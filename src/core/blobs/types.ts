/**
 * Large immutable byte streams beside a store: object bodies, mail bodies, long messages.
 *
 * The order that makes them safe: write under a generated name → sync → rename → sync the folder →
 * a store commit names the id. A blob that no commit names is an orphan and is swept at the next start.
 */

export interface BlobInfo {
  /** Generated; the only name a blob ever has. 32 lower-case hexadecimal digits. */
  readonly id: string;
  readonly sizeBytes: number;
}

export interface BlobWriter {
  readonly sizeBytes: number;
  /** Takes the next bytes. Await it before the next call: that is the backpressure. */
  write(bytes: Uint8Array): Promise<void>;
  /** Makes the blob durable and readable. @throws BlobError `no-space`, `write-failed` */
  finish(): Promise<BlobInfo>;
  /** Gives up; leaves nothing behind. */
  abort(): Promise<void>;
}

export interface Blobs extends AsyncDisposable {
  create(): Promise<BlobWriter>;
  /** A writer for a blob that has its id already, from a backup. @throws BlobError `write-failed` when it is there */
  recreate(id: string): Promise<BlobWriter>;
  /** The ids of all blobs that are whole at the call; later ones may be among them or not. */
  ids(): AsyncIterable<string>;
  /**
   * The bytes from `start` (default 0) up to `end`, not included (default the size), in chunks of at most
   * 64 KiB whose checksums have been verified.
   * @throws BlobError `missing`, `corrupt` (naming the place); a corrupt chunk is never yielded
   */
  read(id: string, range?: { start?: number; end?: number }): AsyncIterable<Buffer>;
  /** Missing is fine. */
  remove(id: string): Promise<void>;
  /**
   * Until the hold is disposed of nothing is removed: neither by `remove`, which then takes effect, nor by
   * `sweep`, which waits. For who reads blobs that commits may cease to name meanwhile. May be held more than once.
   */
  holdRemovals(): Disposable;
  /** Removes what `isNamed` does not know. @returns how many */
  sweep(isNamed: (id: string) => boolean): Promise<number>;
  close(): Promise<void>;
}
