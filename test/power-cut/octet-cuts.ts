/** Lives of an Octet whose disk loses its power, one after the other on what the one before has left. */
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { OctetInput, ServiceName } from '../../src/octet/config.ts';
import { Mails } from '../crash/mails.ts';
import { Messages } from '../crash/messages.ts';
import { Objects } from '../crash/objects.ts';
import { Rows } from '../crash/rows.ts';
import { Stores } from '../crash/stores.ts';
import { Material, type Witness } from '../crash/witness.ts';
import { EPHEMERAL_PORTS, type OctetProcess, startOctetProcess } from '../octet-process.ts';
import { cutPower, makeImage, mountImage, mountRecorded, type Recorded } from './power.ts';
import { type Entry, placeOfCut } from './write-log.ts';

const SERVICES: readonly ServiceName[] = ['database', 'queue', 'objects', 'mail'];
const IMAGE_BYTES = 512 * 1024 * 1024;
const CUT_AFTER_MS = { least: 50, most: 1_200 };
/** In one life of so many the stores have their usual bounds, in the others checkpoints follow one another. */
const LIVES_OF_USUAL_BOUNDS = 3;
const SMALL_BOUNDS = {
  cacheBytes: 512 * 1_024,
  dirtyBytes: 256 * 1_024,
  journalBytes: 512 * 1_024,
  checkpointAfterMs: 100,
} as const;
/** From the last acknowledgement that counts to the last possible cut. */
const GO_ON_MS = 50;
/** Everything is read whole after so many cuts. */
const CUTS_BETWEEN_DRAINS = 5;
/** From when on no acknowledgement counts, and how far the log was then and at the end. */
interface End {
  readonly afterMs: number;
  readonly frozenLogBytes: number;
  readonly logBytes: number;
}

export class OctetCuts {
  readonly #folder: string;
  readonly #image: string;
  readonly #material: Material;
  readonly #witnesses: readonly Witness[];

  constructor(folder: string, seed: number) {
    this.#folder = folder;
    this.#image = path.join(folder, 'octet.img');
    this.#material = new Material(seed);
    const material = this.#material;
    this.#witnesses = [
      new Rows(material),
      new Messages(material),
      new Objects(material),
      new Mails(material),
    ];
  }

  /** @returns the violations of the first cut that has any */
  async run(cuts: number): Promise<string[]> {
    await makeImage(this.#image, IMAGE_BYTES);
    let all = false;
    for (let cut = 1; cut <= cuts; cut += 1) {
      const violations = await this.#live(cut, all);
      if (violations.length > 0) return violations;
      const flaws = await this.#checkStores();
      if (flaws.length > 0) return flaws;
      all = cut % CUTS_BETWEEN_DRAINS === 0;
    }
    return this.#live(0, true);
  }

  /** One start and its end, by a cut; the last, numbered 0, only looks. @returns what the cut before has lost */
  async #live(cut: number, all: boolean): Promise<string[]> {
    const { random } = this.#material;
    const recorded = await mountRecorded(this.#image, path.join(this.#folder, 'machine'));
    let end: End | undefined;
    try {
      const octet = await startOctetProcess(path.join(recorded.folder, 'octet'), this.#configuration());
      try {
        await Promise.all(this.#witnesses.map((witness) => witness.connect(octet.env)));
        const violations = (await Promise.all(this.#witnesses.map((witness) => witness.verify(all)))).flat();
        if (violations.length > 0 || cut === 0) return violations;
        end = await this.#loadAndCut(octet, () => recorded.logBytes());
      } finally {
        for (const witness of this.#witnesses) witness.abandon();
        await octet.kill();
      }
    } finally {
      await recorded[Symbol.asyncDispose]();
    }
    const entries = await this.#entriesBeforeCut(recorded, end);
    const { unflushed, lost } = await cutPower(this.#image, entries, random);
    const acknowledged = this.#witnesses
      .map((witness) => `${witness.acknowledged} ${witness.name}`)
      .join(', ');
    console.log(
      `cut ${cut}: after ${end.afterMs} ms of load; ${acknowledged} acknowledged so far; ` +
        `${entries.length} writes and flushes; ${lost} of ${unflushed} sectors in the disk's cache lost`,
    );
    return [];
  }

  async #loadAndCut(octet: OctetProcess, logBytes: () => number): Promise<End> {
    const afterMs = CUT_AFTER_MS.least + this.#material.random.below(CUT_AFTER_MS.most - CUT_AFTER_MS.least);
    const cut = new AbortController();
    const loads = Promise.all(this.#witnesses.map((witness) => witness.load(cut.signal)));
    const ended = this.#end(afterMs, logBytes).finally(() => {
      process.kill(octet.pid, 'SIGKILL');
      cut.abort();
    });
    await loads.catch((error: unknown) => {
      if (!cut.signal.aborted)
        throw new Error(`under load: ${String(error)}\n${octet.output}`, { cause: error });
    });
    const end = await ended;
    for (const witness of this.#witnesses) witness.thaw();
    return end;
  }

  /** The load goes on for a while when nothing counts any more, so that the cut may come after any write. */
  async #end(afterMs: number, logBytes: () => number): Promise<End> {
    await setTimeout(afterMs);
    // In this order, in one turn: what counts as acknowledged had reached the disk.
    for (const witness of this.#witnesses) witness.freeze();
    const frozenLogBytes = logBytes();
    await setTimeout(GO_ON_MS);
    return { afterMs, frozenLogBytes, logBytes: logBytes() };
  }

  /** Ends after some write between the two moments. */
  async #entriesBeforeCut(recorded: Recorded, { frozenLogBytes, logBytes }: End): Promise<Entry[]> {
    const least = (await recorded.entries(frozenLogBytes)).length;
    const all = await recorded.entries(logBytes);
    return all.slice(0, placeOfCut(all, least, this.#material.random));
  }

  /** Looks at all that the cut has left, before anything has recovered it. */
  async #checkStores(): Promise<string[]> {
    const copies = path.join(this.#folder, 'copies');
    await using mounted = await mountImage(this.#image, path.join(this.#folder, 'look'));
    const stores = new Stores(path.join(mounted.folder, 'octet/data'), SERVICES);
    await stores.copyTo(copies);
    return stores.check(copies);
  }

  #configuration(): OctetInput {
    const { mail } = EPHEMERAL_PORTS;
    const isUsual = this.#material.random.below(LIVES_OF_USUAL_BOUNDS) === 0;
    return {
      ...EPHEMERAL_PORTS,
      services: [...SERVICES],
      storage: isUsual ? {} : SMALL_BOUNDS,
      mail: { ...mail, domains: ['crash.test'] },
    };
  }
}
