/**
 * Commits on their way to the disk.
 *
 *   commit ─▶ ┌ gathering ┐ ─▶ ┌ sealed ┐ ─▶ ┌ under way ┐ ─▶ durable: every commit of the group resolves
 *             └───────────┘    └────────┘    └───────────┘
 *
 * A group is one record of the journal. It remembers how the state can go back to before its first commit when the
 * record is refused: a version of it, or a log of what undoes each change (undo.ts). One group is under way at a time;
 * commits made meanwhile gather in the next.
 */
import type { JournalWriter, Mark } from '../journal/types.ts';
import { GROUP_BYTES } from './limits.ts';
import type { Inverse } from './undo.ts';
import type { Version } from './versions.ts';

export class Group {
  /** The state before the first commit of this group, or what takes its changes back. */
  readonly before: Version | Inverse[];
  readonly #commits: Buffer[] = [];
  readonly #durable = Promise.withResolvers<void>();
  /** Set when a checkpoint describes the state after this group. */
  #mark: PromiseWithResolvers<Mark> | undefined;
  bytes = 0;
  sealed = false;
  /** The journal has been given the record. */
  proposed = false;

  constructor(before: Version | Inverse[]) {
    this.before = before;
    // Who commits may wait for `settled()` instead of each promise: a refusal nobody listens to is no crash.
    this.#durable.promise.catch(unheard);
  }

  get durable(): Promise<void> {
    return this.#durable.promise;
  }

  /** Where in the journal the state after this group lies; asked for before the record is proposed. */
  mark(): Promise<Mark> {
    if (this.#mark === undefined) {
      this.#mark = Promise.withResolvers<Mark>();
      this.#mark.promise.catch(unheard);
    }
    return this.#mark.promise;
  }

  get isShared(): boolean {
    return this.#commits.length > 1;
  }

  /** What takes the changes back; undefined when a version does. */
  get undo(): Inverse[] | undefined {
    return Array.isArray(this.before) ? this.before : undefined;
  }

  /** @param byLog whether the commit can be taken back by a log */
  takes(bytes: number, byLog: boolean): boolean {
    if (!byLog && this.undo !== undefined) return false;
    return !this.sealed && (this.bytes === 0 || this.bytes + bytes <= GROUP_BYTES);
  }

  add(commit: Buffer): void {
    this.#commits.push(commit);
    this.bytes += commit.length;
  }

  /** Gives the record to the journal. Resolves when it is durable. */
  propose(writer: JournalWriter): Promise<unknown> {
    this.sealed = true;
    this.proposed = true;
    const record = this.#commits.length === 1 ? this.#commits[0]! : Buffer.concat(this.#commits);
    const durable = writer.propose(record);
    // Drawn in the same turn: nothing can come between this record and the line.
    if (this.#mark !== undefined) writer.cut().then(this.#mark.resolve, this.#mark.reject);
    return durable;
  }

  resolve(): void {
    this.#durable.resolve();
  }

  reject(error: unknown): void {
    this.#durable.reject(error);
    this.#mark?.reject(error);
  }
}

function unheard(): void {}
