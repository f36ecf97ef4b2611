/**
 * How commits that the journal refuses are taken back.
 *
 *   by a version   (versions.ts) of the state before: holds for any change, but while the version is held the first
 *                  change to a page copies the page, and a small commit would copy its whole path
 *   by a log       of what undoes each change, applied last first: small commits change their pages in place
 *
 * The log needs two things. Taking back must not fail: what a change has touched is in memory until it is durable,
 * for a checkpoint writes no page before the journal has what is in it. And a change that fails must not have begun:
 * `tree.ts` reads all that it needs before it changes anything. Changes for which that does not hold, or whose
 * inverse would be large, ask for a version instead.
 */

/** What undoes a put or a delete: the value that `key` had. */
export interface Inverse {
  readonly tree: string;
  /** A copy of the key that was changed. */
  readonly key: Uint8Array;
  /** Undefined: the key was not there. */
  value: Buffer | undefined;
}

/** Thrown before anything has changed: this change can be taken back by a version only. */
export class NeedsVersion extends Error {}
