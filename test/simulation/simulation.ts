import { createHash } from 'node:crypto';
import { codeOf, messageOf, OctetError } from '../../src/core/errors.ts';
import { FilesError } from '../../src/core/files/errors.ts';

/**
 * One world from one seed. @returns what was promised and not kept; empty when all was
 * @param digest takes in all that happens, in order: two runs of a seed give the same
 */
export type Simulation = (seed: number, digest?: Digest) => Promise<string[]>;

/** A hash over all that a world did. */
export class Digest {
  readonly #hash = createHash('sha256');

  readonly add = (what: string): void => {
    this.#hash.update(what).update('\n');
  };

  /** Ends it. */
  toString(): string {
    return this.#hash.digest('hex');
  }
}

/** Codes with which our code may answer a disk that fails. `corrupt` is not one of them. */
const ANSWERS = new Set(['no-space', 'read-only', 'outcome-unknown', 'overloaded', 'write-failed']);
const DISK = new Set(['EIO', 'ENOSPC']);

export class Violations {
  readonly list: string[] = [];

  add(what: string): void {
    this.list.push(what);
  }

  check(holds: boolean, what: () => string): void {
    if (!holds) this.list.push(what());
  }

  /** An error that the disk's failures do not explain is a violation. */
  unlessDisk(error: unknown): void {
    const code = codeOf(error) ?? '';
    if (DISK.has(code)) return;
    if (error instanceof OctetError && !(error instanceof FilesError) && ANSWERS.has(code)) return;
    const trace = error instanceof Error ? error.stack : undefined;
    this.list.push(`unexpected: ${code} ${messageOf(error)}\n${trace}`);
  }
}
