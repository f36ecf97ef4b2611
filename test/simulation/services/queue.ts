/**
 * Publishers and consumers while everything goes wrong. What was promised:
 *
 *   - a confirmed message is delivered at least once from every queue it was routed to;
 *   - one that was refused is never delivered by another process of the broker than the one that refused it (a
 *     message goes to who waits for it while it is written, so that one may have been quicker than its refusal);
 *   - a message is delivered whole, or not at all;
 *   - what the same process of the broker delivers again, it marks so;
 *   - what it delivers for the first time to one consumer comes in the order in which it was confirmed;
 *   - in the end the queues can be emptied, and stay empty.
 */
import { codeOf, messageOf } from '../../../src/core/errors.ts';
import {
  connectQueue,
  type QueueClient,
  type QueueClientOptions,
  type QueueMessage,
  startQueue,
} from '../../../src/queue/index.ts';
import { Ledger } from './ledger.ts';
import type { Scene, ServiceCase } from './service-run.ts';

const QUEUES = ['left', 'right'] as const;
type QueueName = (typeof QUEUES)[number];
const EXCHANGE = 'both';
const PUBLISHERS = 3;
/** Until a broker has noticed the last vanished consumer by its silence, and a little more. */
const PATIENCE_MS = 600_000;
/** Answers to a publish that leave open whether the message is stored. */
const UNKNOWN = new Set(['connection-lost', 'timed-out', 'closed', 'connection-forced', 'internal-error']);

/** The first time a message was handed over, and by which process of the broker, where that is sure. */
interface First {
  readonly brokerLife: number | undefined;
}

class QueueWorld {
  readonly #ledgers = new Map(QUEUES.map((queue) => [queue, new Ledger(`message in ${queue}`)]));
  /** By message: the life of the broker in which it was refused. */
  readonly refused = new Map<string, number>();
  readonly #delivered = new Map(QUEUES.map((queue) => [queue, new Map<string, First>()]));

  ledger(queue: QueueName): Ledger {
    return this.#ledgers.get(queue) as Ledger;
  }

  delivered(queue: QueueName): Map<string, First> {
    return this.#delivered.get(queue) as Map<string, First>;
  }
}

export function queueCase(): ServiceCase {
  const queues = new QueueWorld();
  return {
    name: 'queue',
    start: () => (host) => startQueue({ managementPort: undefined }, host),
    prepare,
    workers: [
      ...Array.from(
        { length: PUBLISHERS },
        () => (scene: Scene, number: number) => publishAll(scene, number, queues),
      ),
      (scene) => consumeAll(scene, 'left', queues),
      (scene) => consumeAll(scene, 'left', queues),
      (scene) => consumeAll(scene, 'right', queues),
    ],
    verify: (scene) => verify(scene, queues),
  };
}

function connect({ client, random }: Scene, options: Partial<QueueClientOptions> = {}): Promise<QueueClient> {
  const { network, clock } = client;
  const url = 'amqp://guest:guest@queue:5672/';
  const timeoutMs = random.pick([1_000, 10_000]);
  return connectQueue({ network, clock, random: client.random, url, timeoutMs, heartbeat: 10, ...options });
}

async function prepare(scene: Scene): Promise<void> {
  await using client = await connect(scene, { timeoutMs: 60_000 });
  await client.declareExchange(EXCHANGE, { type: 'fanout' });
  for (const queue of QUEUES) {
    await client.declareQueue(queue);
    await client.bindQueue(queue, EXCHANGE, '');
  }
}

/** Each message says who it is and how long, and fills the rest so that a missing part shows. */
function bodyOf(id: string, length: number): string {
  return `${id} ${length} ${'.'.repeat(length)}`;
}

function idOf(message: QueueMessage): string {
  const text = message.body.toString();
  const [id = '', length = ''] = text.split(' ', 2);
  return text === bodyOf(id, Number(length)) ? id : `of a broken body: ${text.slice(0, 50)}`;
}

async function publishAll(scene: Scene, publisher: number, queues: QueueWorld): Promise<void> {
  let client: QueueClient | undefined;
  let failures = 0;
  // Now and then a client is given up for a new one; most of the time it finds its own way back.
  for (let count = 1; scene.isOpen(); count += 1) {
    try {
      client ??= await connect(scene);
      // What is sent after a failure may overtake what the failed connection still has under way.
      const id = `${publisher}.${failures}-${count}`;
      await publishOne(scene, client, id, queues);
    } catch (error) {
      failures += 1;
      scene.world.note(`a publisher fails: ${codeOf(error)} ${messageOf(error)}`);
      if (scene.random.chance(0.2) || client?.state === 'closed') {
        await client?.close();
        client = undefined;
      }
    }
    await scene.pause(60);
  }
  await client?.close();
}

async function publishOne(
  { random, keeper }: Scene,
  client: QueueClient,
  id: string,
  queues: QueueWorld,
): Promise<void> {
  const toBoth = random.chance(0.5);
  const ledgers = (toBoth ? QUEUES : (['left'] as const)).map((queue) => queues.ledger(queue));
  const length = random.chance(0.03) ? random.below(100_000) : random.below(1_000);
  for (const ledger of ledgers) ledger.begin(id);
  try {
    await client.publish(toBoth ? EXCHANGE : '', toBoth ? '' : 'left', bodyOf(id, length));
    for (const ledger of ledgers) ledger.acknowledge(id);
  } catch (error) {
    if (!UNKNOWN.has(codeOf(error) ?? '')) queues.refused.set(id, keeper.life);
    throw error;
  }
}

/** One consumer after the other: each lives as long as its connection. */
async function consumeAll(scene: Scene, queue: QueueName, queues: QueueWorld): Promise<void> {
  while (scene.isOpen()) {
    const ended = Promise.withResolvers<void>();
    const began = scene.keeper.life;
    try {
      await using client = await connect(scene, {
        reconnect: false,
        onStateChange: (state) => void (state === 'closed' && ended.resolve()),
      });
      const order = new Map<string, number>();
      const prefetch = scene.random.pick([1, 3, 32]);
      const take = (message: QueueMessage): Promise<void> =>
        handle(scene, { queue, queues, message, began, order });
      await client.consume(queue, take, { prefetch, onFailure: () => 'requeue' });
      const isRestless = scene.random.chance(0.3);
      while (scene.isOpen() && client.state === 'connected') {
        await Promise.race([ended.promise, scene.world.clock.sleep(500)]);
        if (isRestless && scene.random.chance(0.1)) break;
      }
    } catch (error) {
      scene.world.note(`a consumer fails: ${codeOf(error)} ${messageOf(error)}`);
      await scene.pause(500);
    }
  }
}

interface Handed {
  readonly queue: QueueName;
  readonly queues: QueueWorld;
  readonly message: QueueMessage;
  /** The life of the broker when this consumer began to connect. */
  readonly began: number;
  /** By publisher: the last of its messages that this consumer was given for the first time. */
  readonly order: Map<string, number>;
}

async function handle(scene: Scene, handed: Handed): Promise<void> {
  note(scene, handed);
  if (scene.random.chance(0.5)) await scene.pause(100);
  if (scene.random.chance(0.1)) throw new Error('this handler fails');
}

function note({ keeper, violations }: Scene, { queue, queues, message, began, order }: Handed): void {
  const id = idOf(message);
  queues.ledger(queue).see(id, violations);
  const refusedIn = queues.refused.get(id) ?? began;
  violations.check(
    began <= refusedIn,
    () => `message ${id} of ${queue} was refused, and came after a restart`,
  );
  // Only when the broker has not been restarted since, is it sure which of its processes speaks.
  const brokerLife = keeper.life === began ? began : undefined;
  const first = queues.delivered(queue).get(id);
  if (first === undefined) queues.delivered(queue).set(id, { brokerLife });
  const isAgain = first !== undefined && first.brokerLife !== undefined && first.brokerLife === brokerLife;
  violations.check(!isAgain || message.redelivered, () => `message ${id} came again, and was not marked so`);
  if (message.redelivered) return;
  const [publisher = '', count = ''] = id.split('-');
  const last = order.get(publisher) ?? 0;
  violations.check(Number(count) > last, () => `message ${id} of ${queue} came after ${publisher}-${last}`);
  order.set(publisher, Number(count));
}

/** Empties the queues; by then everything that was ever confirmed has been delivered. */
async function verify(scene: Scene, queues: QueueWorld): Promise<void> {
  const { clock } = scene.world;
  await using client = await connect(scene, { timeoutMs: 60_000 });
  const began = scene.keeper.life;
  for (const queue of QUEUES) {
    const order = new Map<string, number>();
    await client.consume(queue, (message) => note(scene, { queue, queues, message, began, order }));
  }
  for (const queue of QUEUES) {
    const deadlineMs = clock.monotonic() + PATIENCE_MS;
    while (!(await isEmpty(client, queue)) && clock.monotonic() < deadlineMs) await clock.sleep(1_000);
    const isEmptied = await isEmpty(client, queue);
    scene.violations.check(isEmptied, () => `the queue ${queue} cannot be emptied`);
    queues.ledger(queue).verify(new Set(queues.delivered(queue).keys()), scene.violations);
  }
}

/** True when nothing is ready and, as the only consumer left, we hold nothing. */
async function isEmpty(client: QueueClient, queue: QueueName): Promise<boolean> {
  const { messageCount, consumerCount } = await client.declareQueue(queue, { passive: true });
  return messageCount === 0 && consumerCount === 1;
}
