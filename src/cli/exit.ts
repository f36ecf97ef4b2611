/** Exit codes, stable for scripts. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notRunning: 3,
  portInUse: 5,
  locked: 6,
  badConfig: 78,
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
