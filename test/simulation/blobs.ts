/**
 * Blobs on a disk that fails. Held against what was promised after every opening:
 *
 *   - a finished blob is there, whole, until it is removed;
 *   - one that was given up or failed is not there, nor is one that was never finished, after a sweep;
 *   - whatever is read is what was written: never a torn or a foreign byte.
 */
import { openBlobs } from '../../src/core/blobs/blobs.ts';
import type { Blobs } from '../../src/core/blobs/types.ts';
import { codeOf } from '../../src/core/errors.ts';
import type { Files } from '../../src/core/files/files.ts';
import { SimulatedDisk } from '../../src/core/files/simulated-files.ts';
import { SeededRandom } from '../../src/core/random/seeded-random.ts';
import { armDisk, disarmDisk } from './faults.ts';
import { type Digest, type Simulation, Violations } from './simulation.ts';

const FOLDER = '/blobs';
const SESSIONS = 5;

export const simulateBlobs: Simulation = (seed, digest) => runBlobs(seed, (files) => files, digest);

/** @param plant wraps the disk, to plant a bug that the simulation must find */
export async function runBlobs(
  seed: number,
  plant: (files: Files) => Files,
  digest?: Digest,
): Promise<string[]> {
  const random = new SeededRandom(seed);
  const run = new BlobsRun(
    random,
    new SimulatedDisk({ random, ...(digest && { observe: digest.add }) }),
    plant,
  );
  for (let session = 0; session < SESSIONS; session++) await run.session();
  await run.settle();
  return run.violations.list;
}

class BlobsRun {
  readonly violations = new Violations();
  readonly #random: SeededRandom;
  readonly #disk: SimulatedDisk;
  readonly #plant: (files: Files) => Files;
  /** By id: what a store commit would name. */
  readonly #named = new Map<string, Buffer>();
  /** Removed, which need not be durable. */
  readonly #removed = new Set<string>();

  constructor(random: SeededRandom, disk: SimulatedDisk, plant: (files: Files) => Files) {
    this.#random = random;
    this.#disk = disk;
    this.#plant = plant;
  }

  async session(): Promise<void> {
    const ended = armDisk(this.#disk, this.#random);
    await Promise.race([this.#live(), ended]);
    disarmDisk(this.#disk, this.#random);
  }

  async settle(): Promise<void> {
    try {
      const blobs = await this.#open();
      await this.#check(blobs);
      await this.#store(blobs);
      await this.#check(blobs);
      await blobs.close();
    } catch (error) {
      this.violations.add(`does not work on a sound disk: ${error}`);
    }
    await this.#checkSwept();
  }

  async #live(): Promise<void> {
    try {
      const blobs = await this.#open();
      await this.#check(blobs);
      await Promise.all(Array.from({ length: 3 }, () => this.#client(blobs)));
      await blobs.close();
    } catch (error) {
      this.violations.unlessDisk(error);
    }
  }

  #open(): Promise<Blobs> {
    return openBlobs({ files: this.#plant(this.#disk.files), folder: FOLDER, random: this.#random });
  }

  async #client(blobs: Blobs): Promise<void> {
    for (let turn = this.#random.below(5); turn > 0; turn--) {
      try {
        if (this.#random.chance(0.2)) await this.#removeOne(blobs);
        else await this.#store(blobs);
      } catch (error) {
        this.violations.unlessDisk(error);
      }
    }
  }

  async #store(blobs: Blobs): Promise<void> {
    const content = this.#random.bytes(this.#random.below(this.#random.chance(0.2) ? 150_000 : 3000));
    const writer = await blobs.create();
    for (let at = 0; at < content.length; ) {
      const part = content.subarray(at, at + 1 + this.#random.below(70_000));
      await writer.write(part);
      at += part.length;
    }
    if (this.#random.chance(0.1)) return writer.abort();
    const { id } = await writer.finish();
    this.#named.set(id, content);
  }

  async #removeOne(blobs: Blobs): Promise<void> {
    const ids = [...this.#named.keys()];
    if (ids.length === 0) return;
    const id = this.#random.pick(ids);
    this.#named.delete(id);
    this.#removed.add(id);
    await blobs.remove(id);
  }

  async #check(blobs: Blobs): Promise<void> {
    await blobs.sweep((id) => this.#named.has(id));
    for (const [id, content] of this.#named) await this.#checkOne(blobs, id, content);
  }

  async #checkOne(blobs: Blobs, id: string, content: Buffer): Promise<void> {
    const parts: Buffer[] = [];
    try {
      for await (const part of blobs.read(id)) parts.push(part);
      const same = Buffer.concat(parts).equals(content);
      this.violations.check(same, () => `blob ${id} is not what was written`);
    } catch (error) {
      const code = codeOf(error);
      if (code === 'missing' || code === 'corrupt')
        this.violations.add(`finished blob ${id} is ${code}: ${error}`);
      else throw error;
    }
  }

  async #checkSwept(): Promise<void> {
    const blobs = await this.#open();
    await blobs.sweep((id) => this.#named.has(id));
    await blobs.close();
    for (const folder of await this.#disk.files.list(FOLDER)) {
      for (const name of await this.#disk.files.list(`${FOLDER}/${folder}`)) {
        const isNamed = this.#named.has(name.slice(0, 32)) && name.endsWith('.blob');
        this.violations.check(isNamed, () => `left after the sweep: ${name}`);
      }
    }
  }
}
