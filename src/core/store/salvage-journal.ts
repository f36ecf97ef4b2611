/**
 * What of a damaged journal can be applied to what is left of the pages.
 *
 *   positions      F ─────── older ──────── newest ─────── end        F: the first batch that is still there
 *                  └─────────────── one run ────────────────┘
 *
 * A run is a row of batches each of which is proven to follow the one before. What a record says depends on
 * nothing but keys: so whatever state of a moment at or after the batch before a run the run is applied to, the
 * result is the state at its end, key by key, even when parts of the state are of different moments. That is
 * what salvage lives on: one range of keys may come from the newest root and the next from the older one, and a
 * run that reaches back to the older one makes them one state. A run from position 1 on needs no pages at all.
 */
import type { Damage } from '../files/damage.ts';
import type { Files } from '../files/files.ts';
import { isSameMark, markOf, type Sighting, surveyJournal } from '../journal/survey.ts';
import type { Mark, Position, StoredBatch } from '../journal/types.ts';
import { FINDINGS_MAX } from './limits.ts';
import type { Root } from './root.ts';

export interface Run {
  readonly from: Position;
  to: Position;
}

export interface JournalPlan {
  readonly runs: readonly Run[];
  /** The run that continues each root, by its generation; none when what followed the root is damaged. */
  readonly continuing: ReadonlyMap<number, Run>;
  /** Where the journal has nothing more; 0 when there is none at all. */
  readonly last: Position;
  /** It is the journal of another store. */
  readonly isForeign: boolean;
  readonly damages: readonly Damage[];
  /** Bad bytes at its end. */
  readonly unfinished: Damage | undefined;
}

/** Reads the whole journal in `folder` once. Memory: one batch, and a few words for each run. */
export async function planJournal(
  files: Files,
  folder: string,
  roots: readonly Root[],
  progress: (bytes: number) => void,
): Promise<JournalPlan> {
  const planner = new Planner(roots);
  for await (const sighting of surveyJournal(files, folder, remembered(roots))) {
    if (sighting.kind === 'batch') progress(sighting.frameBytes);
    planner.see(sighting);
  }
  return planner.plan();
}

function remembered(roots: readonly Root[]) {
  return { incarnation: roots[0]?.incarnation, marks: roots.map(({ mark }) => mark) };
}

class Planner {
  readonly #roots: readonly Root[];
  readonly #runs: Run[] = [];
  readonly #continuing = new Map<number, Run>();
  readonly #damages: Damage[] = [];
  #last: Mark | undefined;
  #isForeign = false;
  #unfinished: Damage | undefined;

  constructor(roots: readonly Root[]) {
    this.#roots = roots;
  }

  see(sighting: Sighting): void {
    if (sighting.kind === 'damage') this.#seeDamage(sighting.damage);
    else if (sighting.kind === 'unfinished') this.#unfinished = sighting.damage;
    else if (sighting.kind === 'batch') this.#seeBatch(sighting.batch, sighting.after);
    else this.#seeSegment(sighting.incarnation, sighting.before);
  }

  #seeDamage(damage: Damage): void {
    if (this.#damages.length < FINDINGS_MAX) this.#damages.push(damage);
  }

  #seeSegment(incarnation: string | undefined, before: Mark | undefined): void {
    const own = this.#roots[0]?.incarnation;
    if (own !== undefined && incarnation !== undefined && incarnation !== own) this.#isForeign = true;
    // Even without a batch behind it, it says where the journal stands.
    if (before !== undefined && !(this.#last !== undefined && isSameMark(this.#last, before)))
      this.#begin(before);
  }

  #begin(before: Mark): void {
    this.#last = before;
    this.#runs.push({ from: before.position + 1, to: before.position });
    this.#prove(before);
  }

  #seeBatch(batch: StoredBatch, after: Mark | undefined): void {
    const follows = after !== undefined && this.#last !== undefined && isSameMark(after, this.#last);
    if (!follows) this.#runs.push({ from: batch.position, to: batch.position });
    if (!follows && after !== undefined) this.#prove(after);
    this.#last = markOf(batch);
    this.#runs.at(-1)!.to = batch.position;
    this.#prove(this.#last);
  }

  /** The present run holds, or begins after, this batch. */
  #prove(found: Mark): void {
    for (const { generation, mark } of this.#roots) {
      if (isSameMark(mark, found)) this.#continuing.set(generation, this.#runs.at(-1)!);
    }
  }

  plan(): JournalPlan {
    return {
      runs: this.#runs,
      continuing: this.#continuing,
      last: this.#runs.at(-1)?.to ?? 0,
      isForeign: this.#isForeign,
      damages: this.#damages,
      unfinished: this.#unfinished,
    };
  }
}

/** The batches of the journal whose positions `wants` wants. */
export async function* batchesOf(
  files: Files,
  folder: string,
  roots: readonly Root[],
  wants: (position: Position) => boolean,
): AsyncGenerator<StoredBatch, void> {
  for await (const sighting of surveyJournal(files, folder, remembered(roots))) {
    if (sighting.kind === 'batch' && wants(sighting.batch.position)) yield sighting.batch;
  }
}
