/** Exit codes, stable for scripts. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notRunning: 3,
  timedOut: 4,
  portInUse: 5,
  locked: 6,
  corrupt: 65,
  badConfig: 78,
  /** 128 + the signal's number, as shells report one. */
  interrupted: 130,
  terminated: 143,
} as const;

/** A failure that has been said in words a person can act on. */
export class CliError extends Error {
  readonly exitCode: number;
  /** What to do next. */
  readonly hint: string | undefined;

  constructor(exitCode: number, message: string, hint?: string) {
    super(message);
    this.exitCode = exitCode;
    this.hint = hint;
  }
}
