/**
 * Verifies a journal as it lies on the disk: every segment's header and name, every batch's CRC, position,
 * epoch and chain, the joints between segments, and that it still continues the marks which others remember.
 * Takes no lock and changes nothing. Memory: one batch, whatever the size of the journal.
 *
 * A file that ends within its last batch, but for zeros, is what a killed process leaves and no damage: the
 * summary has it as `unfinished`. When all bytes of the last batch are there and wrong, nobody can tell a power cut in the middle
 * of the append from damage to an acknowledged batch; that counts as damage, but for a journal that is in use.
 */
import type { Damage } from '../files/damage.ts';
import type { Files } from '../files/files.ts';
import { isSameMark, markOf, type Remembered, type Sighting, surveyJournal } from './survey.ts';
import type { Mark, Position } from './types.ts';

export interface JournalCheckOptions extends Remembered {
  readonly files: Files;
  readonly folder: string;
  /** The journal may be in use: then bad bytes at its end are an append under way. */
  readonly isRunning?: boolean;
  readonly report: (damage: Damage) => void;
  /** Told of every so many bytes read. */
  readonly progress?: (bytes: number) => void;
}

export interface JournalSummary {
  readonly segments: number;
  readonly batches: number;
  readonly bytes: number;
  /** The first batch there is. */
  readonly first: Position | undefined;
  readonly last: Mark | undefined;
  /** An append that did not come to its end; cut off when the journal is opened. */
  readonly unfinished: Damage | undefined;
}

/** @throws a system error of the disk */
export async function checkJournal(options: JournalCheckOptions): Promise<JournalSummary> {
  const check = new JournalCheck(options);
  for await (const sighting of surveyJournal(options.files, options.folder, options)) check.see(sighting);
  return check.end();
}

class JournalCheck {
  readonly #options: JournalCheckOptions;
  readonly #unmet: Set<Mark>;
  #segments = 0;
  #batches = 0;
  #bytes = 0;
  #first: Position | undefined;
  #last: Mark | undefined;
  #unfinished: Damage | undefined;
  #isDamaged = false;

  constructor(options: JournalCheckOptions) {
    this.#options = options;
    this.#unmet = new Set(options.marks);
  }

  see(sighting: Sighting): void {
    if (sighting.kind === 'segment') this.#seeSegment(sighting);
    else if (sighting.kind === 'batch') this.#seeBatch(sighting);
    else if (sighting.kind === 'damage') this.#report(sighting.damage);
    else this.#seeEnd(sighting);
  }

  #seeSegment({ before }: Extract<Sighting, { kind: 'segment' }>): void {
    this.#segments += 1;
    if (before === undefined) return;
    this.#first ??= before.position + 1;
    if (before.position > (this.#last?.position ?? -1)) this.#last = before;
    this.#meetAt(before);
  }

  #seeBatch({ batch, after, frameBytes }: Extract<Sighting, { kind: 'batch' }>): void {
    this.#first ??= batch.position;
    this.#batches += 1;
    this.#bytes += frameBytes;
    this.#last = markOf(batch);
    if (after !== undefined) this.#meetAt(after);
    this.#meetAt(this.#last);
    this.#options.progress?.(frameBytes);
  }

  /** Holds the marks of this position against what the journal has there. */
  #meetAt(found: Mark): void {
    for (const mark of this.#unmet) {
      if (mark.position !== found.position) continue;
      this.#unmet.delete(mark);
      if (isSameMark(mark, found)) continue;
      this.#reportMark(mark, 'it has another history than the checkpoint of this position');
    }
  }

  #seeEnd({ damage, isCut }: Extract<Sighting, { kind: 'unfinished' }>): void {
    this.#unfinished = damage;
    if (isCut || this.#options.isRunning === true) return;
    const what = `${damage.what}: the last batch is damaged, or a power cut tore its append`;
    this.#report({ ...damage, what });
  }

  #report(damage: Damage): void {
    this.#isDamaged = true;
    this.#options.report(damage);
  }

  #reportMark({ position }: Mark, what: string): void {
    this.#options.report({ path: this.#options.folder, position, what });
  }

  end(): JournalSummary {
    for (const mark of this.#unmet) this.#endMark(mark);
    return {
      segments: this.#segments,
      batches: this.#batches,
      bytes: this.#bytes,
      first: this.#first,
      last: this.#last,
      unfinished: this.#unfinished,
    };
  }

  /** No batch was seen that proves or disproves the mark. */
  #endMark(mark: Mark): void {
    const first = this.#first;
    const end = this.#last?.position ?? 0;
    if (first !== undefined && mark.position < first - 1) {
      this.#reportMark(mark, `it begins at position ${first}, after the checkpoint of this position`);
    } else if (end < mark.position) {
      const lost = `it ends at position ${end}, before the checkpoint of this position: its end was lost`;
      this.#reportMark(mark, lost);
    } else if (!this.#isDamaged) {
      this.#reportMark(mark, 'nothing in it continues the checkpoint of this position');
    }
  }
}
