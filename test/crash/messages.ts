/**
 * Persistent messages with publisher confirms, through a topic exchange to two queues. Rounds pass without taking
 * any, so that recovery finds many; then all are taken and compared, the queues are deleted, and others follow.
 */
import amqplib, { type ChannelModel, type ConfirmChannel, type ConsumeMessage } from 'amqplib';
import { Ledger } from './ledger.ts';
import { digest, type Material, orAborted, repeat, type Witness } from './witness.ts';

const EXCHANGE = 'crash';
const MAX_BODY_BYTES = 20_000;
/** Published before the first is confirmed. */
const WINDOW = 20;
const DRAIN_TIMEOUT_MS = 60_000;
const SIDES = ['left', 'right'] as const;

export class Messages implements Witness {
  readonly name = 'messages';
  readonly #ledgers = SIDES.map((side) => new Ledger(`message of the ${side} queue,`));
  readonly #material: Material;
  #connection: ChannelModel | undefined;
  #channel: ConfirmChannel | undefined;
  #generation = 0;
  #next = 0;

  constructor(material: Material) {
    this.#material = material;
  }

  get acknowledged(): number {
    return this.#ledgers[0]!.acknowledged;
  }

  async connect(env: Readonly<Record<string, string>>): Promise<void> {
    this.#connection = await amqplib.connect(env['AMQP_URL'] ?? '');
    this.#connection.on('error', () => undefined);
    this.#channel = await this.#connection.createConfirmChannel();
    this.#channel.on('error', () => undefined);
    await this.#declare();
  }

  async load(signal: AbortSignal): Promise<void> {
    const channel = this.#channel!;
    // Taken and never acknowledged, as by a worker that dies: they have to be there again.
    await channel.prefetch(10);
    await channel.consume(this.#queue('right'), () => undefined);
    await Promise.all(
      Array.from({ length: WINDOW }, () => repeat(signal, () => this.#publish(channel, signal))),
    );
  }

  freeze(): void {
    for (const ledger of this.#ledgers) ledger.freeze();
  }

  thaw(): void {
    for (const ledger of this.#ledgers) ledger.thaw();
  }

  abandon(): void {
    this.#connection?.close().catch(() => undefined);
  }

  async verify(all: boolean): Promise<string[]> {
    const violations: string[] = [];
    for (const [index, side] of SIDES.entries()) {
      const ledger = this.#ledgers[index]!;
      const { messageCount } = await this.#channel!.checkQueue(this.#queue(side));
      const { sureCount, possibleCount } = ledger;
      if (messageCount < sureCount || messageCount > possibleCount) {
        violations.push(
          `LOST: queue ${side} has ${messageCount} messages; ${sureCount} were confirmed, ${possibleCount} sent`,
        );
      }
      if (all) violations.push(...(await this.#drain(side, ledger, messageCount)));
    }
    if (all) await this.#startOver();
    return violations;
  }

  #queue(side: (typeof SIDES)[number]): string {
    return `crash-${side}-${this.#generation}`;
  }

  async #declare(): Promise<void> {
    await this.#channel!.assertExchange(EXCHANGE, 'topic', { durable: true });
    for (const side of SIDES) {
      await this.#channel!.assertQueue(this.#queue(side), { durable: true });
      await this.#channel!.bindQueue(this.#queue(side), EXCHANGE, `load.${this.#generation}.#`);
    }
  }

  async #publish(channel: ConfirmChannel, signal: AbortSignal): Promise<void> {
    const id = `m${(this.#next += 1)}`;
    const body = this.#material.bytes(this.#material.size(MAX_BODY_BYTES));
    const acknowledge = this.#ledgers.map((ledger) => ledger.ask(id, fingerprint(body)));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const options = { persistent: true, messageId: id, headers: { digest: digest(body) } };
    channel.publish(EXCHANGE, `load.${this.#generation}.x`, body, options, (error: unknown) => {
      if (error !== null && error !== undefined) reject(error as Error);
      else {
        for (const each of acknowledge) each();
        resolve();
      }
    });
    await orAborted(signal, promise);
  }

  async #drain(side: (typeof SIDES)[number], ledger: Ledger, count: number): Promise<string[]> {
    const found = new Map<string, string>();
    const violations: string[] = [];
    for (const message of await this.#take(this.#queue(side), count)) {
      const id = String(message.properties.messageId);
      if (found.has(id)) violations.push(`message ${id} is twice in queue ${side}`);
      if (message.properties.headers?.['digest'] !== digest(message.content))
        violations.push(`message ${id} of queue ${side} has another digest in its headers`);
      found.set(id, fingerprint(message.content));
    }
    return [...ledger.settle(found), ...violations];
  }

  /** The first `count` messages of a queue, acknowledged; fewer when no more come. */
  async #take(queue: string, count: number): Promise<ConsumeMessage[]> {
    const taken: ConsumeMessage[] = [];
    if (count === 0) return taken;
    const channel = this.#channel!;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, DRAIN_TIMEOUT_MS);
    await channel.prefetch(1_000);
    const { consumerTag } = await channel.consume(queue, (message) => {
      if (message === null) return resolve();
      taken.push(message);
      channel.ack(message);
      if (taken.length === count) resolve();
    });
    await promise;
    clearTimeout(timer);
    await channel.cancel(consumerTag);
    return taken;
  }

  async #startOver(): Promise<void> {
    for (const side of SIDES) await this.#channel!.deleteQueue(this.#queue(side));
    for (const ledger of this.#ledgers) ledger.clear();
    this.#generation += 1;
    await this.#declare();
  }
}

function fingerprint(body: Buffer): string {
  return `${body.length} bytes ${digest(body)}`;
}
