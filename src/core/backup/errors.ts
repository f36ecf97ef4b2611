import { OctetError } from '../errors.ts';

/**
 * Why a backup was not made, or not restored.
 * - `damaged`: a part is missing, is not what the manifest says, or cannot be understood; the message names it.
 *   Nothing was restored.
 * - `exists`: there is another backup under this name; it was left as it is.
 * - `not-empty`: the target of a restore holds something; nothing was changed.
 * - `newer-format`: a later release wrote it; the message names both versions.
 * - `no-space`: the disk is full; nothing was left behind.
 */
export type BackupCode = 'damaged' | 'exists' | 'not-empty' | 'newer-format' | 'no-space';

export class BackupError extends OctetError<BackupCode> {}
