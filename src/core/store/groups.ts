/**
 * Commits on their way to the disk.
 *
 *   commit ─▶ ┌ gathering ┐ ─▶ ┌ sealed ┐ ─▶ ┌ under way ┐ ─▶ durable: every commit of the group resolves
 *             └───────────┘    └────────┘    └───────────┘
 *
 * A group is one record of the journal. It remembers the version from before its first commit, so that the
 * state can go back to that when the record is refused. One group is under way at a time; commits made
 * meanwhile gather in the next.
 */
import type { JournalWriter, Mark } from '../journal/types.ts';
import { GROUP_BYTES } from './limits.ts';
import type { Version } from './versions.ts';

export class Group {
  /** The state before the first commit of this group. */
  readonly before: Version;
  readonly #commits: Buffer[] = [];
  readonly #durable = Promise.withResolvers<void>();
  readonly #mark = Promise.withResolvers<Mark>();
  bytes = 0;
  sealed = false;
  /** The journal has been given the record. */
  proposed = false;
  /** A checkpoint describes the state after this group. */
  marked = false;

  constructor(before: Version) {
    this.before = before;
    // Who commits may wait for `settled()` instead of each promise: a refusal nobody listens to is no crash.
    this.#durable.promise.catch(() => undefined);
    this.#mark.promise.catch(() => undefined);
  }

  get durable(): Promise<void> {
    return this.#durable.promise;
  }

  /** Where in the journal the state after this group lies; asked for by setting `marked`. */
  get mark(): Promise<Mark> {
    return this.#mark.promise;
  }

  get isShared(): boolean {
    return this.#commits.length > 1;
  }

  takes(bytes: number): boolean {
    return !this.sealed && (this.bytes === 0 || this.bytes + bytes <= GROUP_BYTES);
  }

  add(commit: Buffer): void {
    this.#commits.push(commit);
    this.bytes += commit.length;
  }

  /** Gives the record to the journal. Resolves when it is durable. */
  async propose(writer: JournalWriter): Promise<void> {
    this.sealed = true;
    this.proposed = true;
    const record = this.#commits.length === 1 ? this.#commits[0]! : Buffer.concat(this.#commits);
    const durable = writer.propose(record);
    // Drawn in the same turn: nothing can come between this record and the line.
    if (this.marked) writer.cut().then(this.#mark.resolve, this.#mark.reject);
    await durable;
  }

  resolve(): void {
    this.#durable.resolve();
  }

  reject(error: unknown): void {
    this.#durable.reject(error);
    this.#mark.reject(error);
  }
}
