import { OctetError } from '../errors.ts';

/**
 * Why the store refused or stopped.
 * - `no-space`: the disk is full; nothing was changed, and the same commit may succeed later.
 * - `overloaded`: too many commits wait for the disk; nothing was changed, and the same commit may succeed later.
 * - `outcome-unknown`: the disk failed while it wrote the commit, which may or may not be there after the
 *   next start; the store is read-only from here on.
 * - `read-only`: the disk failed before; nothing was changed.
 * - `too-large`: a key, a tree name or a commit is over its limit; nothing was changed.
 * - `corrupt`: names the file and the position of what is damaged.
 * - `newer-format`: a later release wrote the file; the message names both versions.
 * - `not-empty`: the folder that a copy was to be made in holds something; nothing was changed.
 * - `closed`: used after close(), or a snapshot after its release.
 */
export type StoreCode =
  | 'no-space'
  | 'overloaded'
  | 'outcome-unknown'
  | 'read-only'
  | 'too-large'
  | 'corrupt'
  | 'newer-format'
  | 'not-empty'
  | 'closed';

export class StoreError extends OctetError<StoreCode> {}
