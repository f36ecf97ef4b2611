/**
 * The account of a salvage: what was brought back, from where, and what was not. Whatever may be missing is a
 * loss, also when nobody can tell whether anything was there; a salvage without losses has brought back the
 * state at the end of the journal, key by key.
 */
import { type Damage, renderDamage } from '../files/damage.ts';
import { FINDINGS_MAX } from './limits.ts';
import type { KeyRange } from './salvage-walk.ts';

export type Loss =
  /** Keys of a tree of which nothing is known; the journal may have brought some of them back. */
  | { readonly kind: 'keys'; readonly tree: string; readonly range: KeyRange; readonly damage: Damage }
  /** Trees whose names lie in this range. */
  | { readonly kind: 'trees'; readonly range: KeyRange; readonly damage: Damage }
  /** The value of one key. */
  | {
      readonly kind: 'value';
      readonly tree: string;
      readonly key: Buffer;
      readonly bytes: number;
      readonly damage: Damage;
    }
  /** Keys as they were at an older checkpoint: changed ones have old values, deleted ones are there again. */
  | { readonly kind: 'old'; readonly tree: string; readonly range: KeyRange; readonly position: number }
  /** Batches of the journal that were not applied. */
  | {
      readonly kind: 'batches';
      readonly from: number;
      readonly to: number | undefined;
      readonly what: string;
    }
  /** What a sentence must say. */
  | { readonly kind: 'doubt'; readonly what: string };

export interface SalvagedTree {
  readonly name: string;
  readonly keys: number;
}

export interface SalvageAccount {
  /** False when anything is lost, or may be. */
  readonly isComplete: boolean;
  /** What the salvage started from, in words. */
  readonly base: string;
  readonly trees: readonly SalvagedTree[];
  readonly journalBatchesApplied: number;
  readonly losses: readonly Loss[];
  /** Losses beyond those. */
  readonly moreLosses: number;
  /** Damage that has been made good. */
  readonly madeGood: readonly Damage[];
  readonly moreMadeGood: number;
}

type LostValue = Extract<Loss, { kind: 'value' }>;

/** Gathers losses while a salvage goes on, as many as are listed, and counts the others. */
export class Ledger {
  readonly #losses: Exclude<Loss, LostValue>[] = [];
  /** By tree and key, for the journal may yet say what they are. */
  readonly #values = new Map<string, LostValue>();
  readonly #madeGood: Damage[] = [];
  #more = 0;
  #moreMadeGood = 0;

  lose(loss: Loss): void {
    if (this.#losses.length + this.#values.size >= FINDINGS_MAX) this.#more += 1;
    else if (loss.kind === 'value') this.#values.set(idOf(loss.tree, loss.key), loss);
    else this.#losses.push(loss);
  }

  makeGood(damage: Damage): void {
    if (this.#madeGood.length < FINDINGS_MAX) this.#madeGood.push(damage);
    else this.#moreMadeGood += 1;
  }

  /** The journal has said what this key is: its value is not lost any more. */
  settle(tree: string, key: Uint8Array): void {
    if (this.#values.size > 0) this.#values.delete(idOf(tree, key));
  }

  account(base: string, trees: readonly SalvagedTree[], journalBatchesApplied: number): SalvageAccount {
    return {
      isComplete: this.#losses.length === 0 && this.#values.size === 0 && this.#more === 0,
      base,
      trees,
      journalBatchesApplied,
      losses: [...this.#losses, ...this.#values.values()],
      moreLosses: this.#more,
      madeGood: this.#madeGood,
      moreMadeGood: this.#moreMadeGood,
    };
  }
}

/** The key first, and in hexadecimal: whatever is in the name of a tree, no two ids are the same. */
function idOf(tree: string, key: Uint8Array): string {
  return `${Buffer.from(key).toString('hex')} ${tree}`;
}

/** The account as lines of text; what is lost begins with `!`. */
export function renderSalvage(account: SalvageAccount): string {
  const { base, trees, journalBatchesApplied, losses, moreLosses, madeGood, moreMadeGood } = account;
  const lines = [`  from ${base}, and ${journalBatchesApplied} batches of the journal`];
  for (const { name, keys } of trees) lines.push(`  tree ${JSON.stringify(name)}: ${keys} keys`);
  for (const damage of madeGood) lines.push(`  made good: ${renderDamage(damage)}`);
  if (moreMadeGood > 0) lines.push(`  made good: ${moreMadeGood} more`);
  for (const loss of losses) lines.push(`! ${renderLoss(loss)}`);
  if (moreLosses > 0) lines.push(`! and ${moreLosses} more`);
  return lines.join('\n');
}

/** One loss as a sentence without its end. */
export function renderLoss(loss: Loss): string {
  switch (loss.kind) {
    case 'keys':
      return `tree ${JSON.stringify(loss.tree)}: lost keys ${renderRange(loss.range)} (${renderDamage(loss.damage)})`;
    case 'trees':
      return `lost trees with names ${renderRange(loss.range)} (${renderDamage(loss.damage)})`;
    case 'value': {
      const place = `tree ${JSON.stringify(loss.tree)}: lost the value of ${renderKey(loss.key)}`;
      return `${place}, ${loss.bytes} bytes (${renderDamage(loss.damage)})`;
    }
    case 'old': {
      const place = `tree ${JSON.stringify(loss.tree)}: keys ${renderRange(loss.range)}`;
      return `${place} are as they were at position ${loss.position}, and may be out of date`;
    }
    case 'batches':
      return `not applied: ${renderPositions(loss.from, loss.to)} of the journal (${loss.what})`;
    case 'doubt':
      return loss.what;
  }
}

function renderPositions(from: number, to: number | undefined): string {
  if (to === undefined) return `everything from position ${from} on`;
  return to === from ? `position ${from}` : `positions ${from} to ${to}`;
}

function renderRange({ from, to }: KeyRange): string {
  const start = from === undefined ? 'from the beginning' : `from ${renderKey(from)}`;
  return `${start} ${to === undefined ? 'to the end' : `up to ${renderKey(to)}, not included`}`;
}

/** Keys are bytes: shown as text where they are, else in hexadecimal. */
export function renderKey(key: Buffer): string {
  const text = key.toString('utf8');
  const isText = /^[\p{L}\p{N}\p{P}\p{S} ]*$/u.test(text) && !text.includes('\u{fffd}');
  return isText ? JSON.stringify(text) : `x'${key.toString('hex')}'`;
}
