import { OctetError } from '../errors.ts';

/**
 * - `no-space`: the disk is full; nothing was stored, and the same call may succeed later.
 * - `overloaded`: too much is waiting for the disk already; nothing was stored, and the same call may succeed later.
 * - `too-large`: more than the journal takes in one record or batch; nothing was stored.
 * - `read-only`: an earlier write or sync failed, or this writer was fenced; nothing was stored, and nothing
 *   will be until the journal is opened again.
 * - `fenced`: another writer owns the position; this one stops.
 * - `outcome-unknown`: the record may or may not be stored; the writer is read-only from here on.
 * - `unavailable`: the engine did not answer a question; nothing is known, and the same may be asked again.
 * - `corrupt`: a stored batch is damaged or missing; the message names the file and the offset.
 * - `newer-format`: written by a later release; the message names both versions.
 * - `trimmed`: the position asked for has been let go of.
 * - `closed`: used after close().
 */
export type JournalCode =
  | 'no-space'
  | 'overloaded'
  | 'too-large'
  | 'read-only'
  | 'fenced'
  | 'outcome-unknown'
  | 'unavailable'
  | 'corrupt'
  | 'newer-format'
  | 'trimmed'
  | 'closed';

export class JournalError extends OctetError<JournalCode> {}
