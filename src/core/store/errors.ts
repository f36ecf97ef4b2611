import { OctetError } from '../errors.ts';

export type StoreCode = 'no-space' | 'read-only' | 'too-large' | 'corrupt' | 'newer-format' | 'closed';

/** Why the store refused or stopped. `corrupt` names the file and the position. */
export class StoreError extends OctetError<StoreCode> {}
