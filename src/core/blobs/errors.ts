import { OctetError } from '../errors.ts';

export type BlobCode = 'missing' | 'corrupt' | 'no-space' | 'write-failed';

export class BlobError extends OctetError<BlobCode> {}
