/**
 * Objects put, replaced, deleted and read while everything goes wrong. Each key has one writer, which gives the key
 * up when it cannot know what became of its last write. What was promised:
 *
 *   - a key holds what its last acknowledged write made of it, or what a later one of unknown outcome would have;
 *   - what a reader was shown stays, unless it is replaced;
 *   - an object is whole: its bytes are those of one write, and its size and metadata too;
 *   - a list names the keys that there are;
 *   - when all is deleted nothing remains in the folder of bodies.
 */
import { codeOf, messageOf } from '../../../src/core/errors.ts';
import {
  createObjectsClient,
  DEFAULT_OBJECTS_OPTIONS,
  type ObjectsClient,
  startObjects,
} from '../../../src/objects/index.ts';
import { allFiles } from './check-stores.ts';
import { insist } from './insist.ts';
import type { Scene, ServiceCase } from './service-run.ts';

const BUCKET = 'things';
const WRITERS = 3;
/** Answers that leave open what became of a write: ours from the client's side, and InternalError. */
const DEFINITE = new Set(['SlowDown', 'NoSuchBucket', 'NoSuchKey', 'RequestTimeTooSkewed']);

const REFUSED = Symbol('refused');
/** Undefined is: absent. */
type Version = string | undefined | typeof REFUSED;

/** What one key has been made to hold, in order. */
class Slot {
  readonly key: string;
  readonly #versions: Version[] = [undefined];
  /** Index of the newest version known to be durable: acknowledged, or shown. */
  #floor = 0;

  constructor(key: string) {
    this.key = key;
  }

  get floor(): number {
    return this.#floor;
  }

  /** @returns the index of the new version */
  write(version: Version): number {
    return this.#versions.push(version) - 1;
  }

  acknowledge(index: number): void {
    this.#floor = Math.max(this.#floor, index);
  }

  refuse(index: number): void {
    this.#versions[index] = REFUSED;
  }

  /** A reader that began when the floor was `floor` was shown this. @returns whether that may be */
  show(found: Version, floor: number): boolean {
    const index = this.#versions.lastIndexOf(found);
    if (index < floor) return false;
    // What is absent may be so by an earlier deletion than the last.
    if (found !== undefined) this.acknowledge(index);
    return true;
  }

  describe(floor: number): string {
    return this.#versions.slice(floor).map(shown).join(', ');
  }
}

class Bucket {
  readonly slots: Slot[] = [];
  #count = 0;

  newSlot(writer: number): Slot {
    this.#count += 1;
    const slot = new Slot(`${writer}/${this.#count}`);
    this.slots.push(slot);
    return slot;
  }
}

export function objectsCase(): ServiceCase {
  const bucket = new Bucket();
  return {
    name: 'objects',
    start: () => (host) => startObjects({ ...DEFAULT_OBJECTS_OPTIONS, buckets: [BUCKET] }, host),
    workers: [
      ...Array.from(
        { length: WRITERS },
        () => (scene: Scene, number: number) => writeAll(scene, number, bucket),
      ),
      (scene) => readAll(scene, bucket),
    ],
    verify: (scene) => verify(scene, bucket),
  };
}

function connect({ client, world, random }: Scene): ObjectsClient {
  const { accessKeyId, secretAccessKey, region, port } = DEFAULT_OBJECTS_OPTIONS;
  return createObjectsClient({
    endpoint: `http://${world.network.address('objects')}:${port}`,
    accessKeyId,
    secretAccessKey,
    region,
    network: client.network,
    clock: client.clock,
    timeoutMs: random.pick([1_000, 30_000]),
  });
}

async function writeAll(scene: Scene, writer: number, bucket: Bucket): Promise<void> {
  const { random } = scene;
  await using client = connect(scene);
  let slots = [bucket.newSlot(writer), bucket.newSlot(writer)];
  for (let version = 1; scene.isOpen(); version += 1) {
    const slot = random.pick(slots);
    const isCertain = await writeOne(scene, client, slot, version);
    if (!isCertain) slots = slots.map((other) => (other === slot ? bucket.newSlot(writer) : other));
    await scene.pause(100);
  }
}

/** @returns false when it is not known what became of it */
async function writeOne(scene: Scene, client: ObjectsClient, slot: Slot, version: number): Promise<boolean> {
  const { random } = scene;
  const content = random.chance(0.2) ? undefined : contentOf(slot.key, version, lengthOf(scene));
  const index = slot.write(content);
  try {
    if (content === undefined) await client.delete(BUCKET, slot.key);
    else await client.put(BUCKET, slot.key, content, { metadata: { version: String(version) } });
    slot.acknowledge(index);
    return true;
  } catch (error) {
    const code = codeOf(error) ?? '';
    scene.world.note(`a write of ${slot.key} fails: ${code} ${messageOf(error)}`);
    if (!DEFINITE.has(code)) return false;
    slot.refuse(index);
    return true;
  }
}

/** Some are kept beside their metadata, some in a file of their own. */
function lengthOf({ random }: Scene): number {
  return random.chance(0.15) ? 16_384 + random.below(60_000) : random.below(2_000);
}

function contentOf(key: string, version: number, length: number): string {
  return `${key} version ${version} ${'='.repeat(length)}`;
}

async function readAll(scene: Scene, bucket: Bucket): Promise<void> {
  await using client = connect(scene);
  while (scene.isOpen()) {
    if (bucket.slots.length > 0) {
      const slot = scene.random.pick(bucket.slots);
      await readOne(scene, client, slot).catch((error: unknown) => {
        scene.world.note(`a read of ${slot.key} fails: ${codeOf(error)} ${messageOf(error)}`);
      });
    }
    await scene.pause(100);
  }
}

async function readOne(scene: Scene, client: ObjectsClient, slot: Slot): Promise<void> {
  const { floor } = slot;
  const found = await contentIn(scene, client, slot);
  scene.violations.check(
    slot.show(found, floor),
    () => `${slot.key} is ${shown(found)}, not ${slot.describe(floor)}`,
  );
}

async function contentIn(scene: Scene, client: ObjectsClient, slot: Slot): Promise<string | undefined> {
  const object = await client.get(BUCKET, slot.key);
  if (object === undefined) return undefined;
  const content = (await object.bytes(1_000_000)).toString();
  const { version } = object.metadata;
  const isWhole =
    object.sizeBytes === content.length && content.startsWith(`${slot.key} version ${version} `);
  scene.violations.check(isWhole, () => `${slot.key} is of ${object.sizeBytes} bytes and version ${version}`);
  return content;
}

function shown(content: Version): string {
  if (content === REFUSED) return 'refused';
  return content === undefined ? 'absent' : `${content.slice(0, 20)}(${content.length})`;
}

async function verify(scene: Scene, bucket: Bucket): Promise<void> {
  await using client = connect(scene);
  const listed = await insist(scene, () => listAll(client));
  for (const slot of bucket.slots) {
    const found = await insist(scene, () => contentIn(scene, client, slot));
    const { floor } = slot;
    scene.violations.check(
      slot.show(found, floor),
      () => `${slot.key} is ${shown(found)} in the end, not ${slot.describe(floor)}`,
    );
    const isListed = listed.has(slot.key);
    scene.violations.check(
      isListed === (found !== undefined),
      () => `${slot.key} is ${shown(found)}, and ${isListed ? '' : 'not '}listed`,
    );
    await insist(scene, () => client.delete(BUCKET, slot.key));
  }
  await verifyEmpty(scene);
}

async function listAll(client: ObjectsClient): Promise<Set<string>> {
  const keys = new Set<string>();
  let page = await client.list(BUCKET, { maxKeys: 3 });
  for (;;) {
    for (const { key } of page.objects) keys.add(key);
    if (page.continuationToken === undefined) return keys;
    page = await client.list(BUCKET, { maxKeys: 3, continuationToken: page.continuationToken });
  }
}

/** What a fault has left behind is swept by the next start. */
async function verifyEmpty({ keeper, world, violations }: Scene): Promise<void> {
  await keeper.close();
  await keeper.up();
  await keeper.close();
  const bodies = (await allFiles(world.disk('objects').files, '/objects/blobs')).filter((path) =>
    /\.(blob|draft)$/.test(path),
  );
  violations.check(bodies.length === 0, () => `all objects are deleted, and there remain ${bodies}`);
}
