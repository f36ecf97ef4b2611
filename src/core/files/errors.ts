import { OctetError } from '../errors.ts';

/** `locked`: another process, `holderPid`, has the folder. */
export class FilesError extends OctetError<'locked'> {
  readonly holderPid: number | undefined;

  constructor(message: string, holderPid: number | undefined) {
    super('locked', message);
    this.holderPid = holderPid;
  }
}
