/**
 * Where snapshots of journalled state are kept: a folder, or any object store. A snapshot is a row of parts,
 * stored under the hash of their content, and a manifest that names them, stored last: without it there is no
 * snapshot. So a snapshot is whole or not there, parts that two have in common are stored once, and what is read
 * is what was written or an error.
 */
import type { Epoch, Position } from '../journal/types.ts';

export interface SnapshotPart {
  readonly key: string;
  readonly bytes: number;
  /** Of the content, 64 hexadecimal digits. */
  readonly sha256: string;
}

/** What a snapshot is the state of, and what it consists of. */
export interface SnapshotManifest {
  /** The journal, and the mark in it. */
  readonly incarnation: string;
  readonly position: Position;
  readonly epoch: Epoch;
  /** Hexadecimal. */
  readonly chain: string;
  /** Of the content of the parts. */
  readonly format: number;
  readonly parts: readonly SnapshotPart[];
}

export interface SnapshotStore {
  /** The complete ones, newest first: by position, which goes on from journal to journal. */
  list(): Promise<SnapshotManifest[]>;
  /**
   * Stores `body`, each chunk of which becomes a part, and then the manifest. Durable when it resolves; when it
   * rejects, there is no such snapshot. A snapshot that is there already, the same, is not written again.
   * @throws BackupError `exists` for another snapshot of the same place in the same journal, `no-space`
   */
  write(
    snapshot: Omit<SnapshotManifest, 'parts'>,
    body: AsyncIterable<Uint8Array>,
  ): Promise<SnapshotManifest>;
  /** The parts, in order, each verified before it is given out. @throws BackupError `damaged` */
  read(manifest: SnapshotManifest): AsyncIterable<Buffer>;
  /** Removes the manifest, then the parts that no other names. Missing is fine. */
  delete(manifest: SnapshotManifest): Promise<void>;
}
