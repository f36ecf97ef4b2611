/** A store with known content as it lies on the disk when its process is killed: the ground of damage tests. */
import { createMemoryFiles } from '../files/memory-files.ts';
import { openFileJournal } from '../journal/file-journal.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { openStore } from '../store/store.ts';
import type { Change, Store } from '../store/types.ts';
import { SimulatedClock } from '../time/simulated-clock.ts';
import { type Contents, contentsOf } from './copied-files.ts';

export const FOLDER = '/store';
export const PAGES = '/store/pages';

export interface KilledStore {
  readonly contents: Contents;
  /** `tree/key` → value at the end. */
  readonly model: ReadonlyMap<string, string>;
  /** `tree/key` → every value it ever had. */
  readonly history: ReadonlyMap<string, ReadonlySet<string>>;
  /** `model` after each commit. */
  readonly states: readonly ReadonlyMap<string, string>[];
  /** Content of the folder after each checkpoint. */
  readonly before: readonly Contents[];
}

/** Enough for pages to be used again. */
const ROUNDS = 5;

/** Small, so that a checkpoint lets go of the journal's beginning, and pages matter. */
const SEGMENT_BYTES = 4_096;

/**
 * Some checkpoints, and commits after the last. Tree `still` does not change after the first checkpoint, so that
 * both roots share its pages; `moving` changes all the time; `long` has long
 * values, one of which changes; tree `later`, and a key of `long`, the older root does not know.
 * @param keepsJournal the journal still has its very beginning
 */
export async function killedStore(keepsJournal = false, keys = 600, seed = 7): Promise<KilledStore> {
  const files = createMemoryFiles();
  const random = new SeededRandom(seed);
  const segmentBytes = keepsJournal ? undefined : SEGMENT_BYTES;
  const store = await openStore({
    files,
    folder: FOLDER,
    clock: new SimulatedClock(),
    random,
    openJournal: () =>
      openFileJournal({ files, folder: `${FOLDER}/journal`, random, ...(segmentBytes && { segmentBytes }) }),
  });
  const script = new Script(store);
  const before: Contents[] = [];
  await script.fill('still', keys, 0);
  await script.fill('moving', keys / 2, 1);
  await script.put('long', 'a', 'x'.repeat(30_000));
  await script.put('long', 'b', 'y'.repeat(20_000));
  for (let round = 1; round <= ROUNDS; round += 1) {
    await store.checkpoint();
    before.push(await contentsOf(files, FOLDER));
    await script.put('long', 'c', String(round).repeat(10_000));
    if (round === ROUNDS - 1) {
      await script.put('later', 'x', 'known to the newest root only');
      await script.put('long', 'd', 'z'.repeat(9_000));
    }
    for (let step = 0; step < 12; step += 1) await script.change(round, step);
  }
  const contents = await contentsOf(files, FOLDER);
  await store.close();
  return { contents, model: script.model, history: script.history, states: script.states, before };
}

class Script {
  readonly model = new Map<string, string>();
  readonly history = new Map<string, Set<string>>();
  readonly states: ReadonlyMap<string, string>[] = [];
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async fill(tree: string, keys: number, seed: number): Promise<void> {
    const changes: Change[] = [];
    for (let index = 0; index < keys; index += 1) {
      const key = `k${String(index * 7 + seed).padStart(6, '0')}`;
      changes.push(this.#put(tree, key, `${tree}-${index}-`.padEnd(90, '.')));
    }
    await this.#commit(changes);
  }

  async put(tree: string, key: string, value: string): Promise<void> {
    await this.#commit([this.#put(tree, key, value)]);
  }

  /** One commit: a changed key, a new one, a removed one. */
  async change(round: number, step: number): Promise<void> {
    const at = (number: number) => `k${String(number * 7 + 1).padStart(6, '0')}`;
    const value = `round ${round} step ${step} `.padEnd(400, '-');
    const changes = [this.#put('moving', at((round * 31 + step * 11) % 300), value)];
    changes.push(this.#put('fresh', `r${round}s${step}`, value));
    changes.push(this.#delete('moving', at((round * 57 + step * 23) % 300)));
    await this.#commit(changes);
  }

  async #commit(changes: readonly Change[]): Promise<void> {
    await this.#store.commit(changes);
    this.states.push(new Map(this.model));
  }

  #put(tree: string, key: string, value: string): Change {
    const id = `${tree}/${key}`;
    this.model.set(id, value);
    this.history.set(id, (this.history.get(id) ?? new Set()).add(value));
    return { kind: 'put', tree, key: Buffer.from(key), value: Buffer.from(value) };
  }

  #delete(tree: string, key: string): Change {
    this.model.delete(`${tree}/${key}`);
    return { kind: 'delete', tree, key: Buffer.from(key) };
  }
}

/** Everything in these trees, as `KilledStore.model` has it. */
export function modelOf(store: Store, trees: readonly string[]): Map<string, string> {
  const model = new Map<string, string>();
  for (const tree of trees) {
    for (const { key, value } of store.range(tree)) model.set(`${tree}/${key}`, value.toString());
  }
  return model;
}
