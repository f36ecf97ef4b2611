/** What each suite here exports as `run`: the cases of others, read in place, against one of our rooms. */
export interface ConformanceResult {
  readonly passed: number;
  readonly total: number;
  /** `<name>: <what is different>`, one line each; a single `skipped: …` when the data is not there. */
  readonly failures: readonly string[];
  /** Names of the cases that passed wholly; several cases may have one name. */
  readonly passes: readonly string[];
}

export type Suite = () => Promise<ConformanceResult>;
