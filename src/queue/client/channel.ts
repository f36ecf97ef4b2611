/**
 * A client's end of one channel: calls with their replies in order, numbered publishes waiting for their
 * confirms, consumers by tag.
 */
import { AmqpError, replyNameOf } from '../errors.ts';
import { textOf } from '../wire/field-table.ts';
import type { Frame, FrameWriter } from '../wire/frame.ts';
import { decodeMethod, type Method, type MethodArguments, type MethodOf } from '../wire/method.ts';
import {
  type ContentHeader,
  decodeContentHeader,
  decodeProperties,
  encodeProperties,
  type Properties,
} from '../wire/properties.ts';
import type { MethodName } from '../wire/specification.ts';

/** A message as a consumer gets it. */
export interface Delivered {
  readonly deliveryTag: number;
  readonly consumerTag: string;
  readonly redelivered: boolean;
  readonly exchange: string;
  readonly routingKey: string;
  readonly properties: Properties;
  readonly body: Buffer;
}

export interface PublishArguments {
  readonly exchange: string;
  readonly routingKey: string;
  readonly mandatory: boolean;
  readonly properties: Properties;
  readonly body: Uint8Array;
}

export interface ConsumerEvents {
  delivered(message: Delivered): void;
  /** The server took the subscription away, for the queue is gone. */
  cancelled(): void;
}

interface Call {
  readonly reply: readonly MethodName[];
  resolve(method: Method): void;
  reject(error: AmqpError): void;
}

interface Publish {
  readonly messageId: string | undefined;
  returned: boolean;
  resolve(): void;
  reject(error: AmqpError): void;
}

type ContentMethod = MethodOf<'basic.deliver'> | MethodOf<'basic.return'> | MethodOf<'basic.get-ok'>;

interface Incoming {
  readonly method: ContentMethod;
  header: ContentHeader | undefined;
  readonly parts: Buffer[];
  received: number;
}

/** What a channel needs of its connection. */
export interface ChannelLine {
  readonly writer: FrameWriter;
  readonly frameMax: number;
  /** Sends what was written. */
  send(): void;
  /** The channel has ended, by the server or by us. */
  ended(channel: ClientChannel): void;
}

export class ClientChannel {
  readonly number: number;
  readonly #line: ChannelLine;
  readonly #calls: Call[] = [];
  /** Unconfirmed publishes by number, ascending. */
  readonly #publishes = new Map<number, Publish>();
  #published = 0;
  readonly #consumers = new Map<string, ConsumerEvents>();
  #incoming: Incoming | undefined;
  /** Why it ended; undefined while it is open. */
  #ended: AmqpError | undefined;

  constructor(number: number, line: ChannelLine) {
    this.number = number;
    this.#line = line;
  }

  get isOpen(): boolean {
    return this.#ended === undefined;
  }

  get unconfirmedCount(): number {
    return this.#publishes.size;
  }

  /**
   * Sends a method and waits for its reply.
   * @throws AmqpError with the reply code the server closed the channel or connection with; `connection-lost`
   */
  call<Name extends MethodName, Reply extends MethodName>(
    name: Name,
    values: MethodArguments<Name>,
    ...reply: Reply[]
  ): Promise<MethodOf<Reply>> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      this.#calls.push({ reply, resolve: (method) => resolve(method as MethodOf<Reply>), reject });
      this.#line.writer.method(this.number, name, values);
      this.#line.send();
    });
  }

  /** Sends a method that has no reply. */
  tell<Name extends MethodName>(name: Name, values: MethodArguments<Name>): void {
    if (this.#ended !== undefined) return;
    this.#line.writer.method(this.number, name, values);
    this.#line.send();
  }

  /**
   * Publishes on a channel in confirm mode; resolves when the server has confirmed.
   * @throws AmqpError `nacked`; `returned` when mandatory and no queue matched; `connection-lost`, then the
   *   message may or may not have arrived
   */
  publish(publish: PublishArguments): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      const { exchange, routingKey, mandatory, properties, body } = publish;
      const raw = encodeProperties(properties);
      this.#published += 1;
      const messageId = mandatory ? properties.messageId : undefined;
      this.#publishes.set(this.#published, { messageId, returned: false, resolve, reject });
      const { writer, frameMax } = this.#line;
      writer.method(this.number, 'basic.publish', { exchange, routingKey, mandatory, immediate: false });
      writer.content(this.number, raw, body, frameMax);
      this.#line.send();
    });
  }

  /** Deliveries with this tag go to `events` from now on. */
  attach(consumerTag: string, events: ConsumerEvents): void {
    this.#consumers.set(consumerTag, events);
  }

  detach(consumerTag: string): void {
    this.#consumers.delete(consumerTag);
  }

  /** Ends the channel in an orderly way. */
  async close(): Promise<void> {
    if (this.#ended !== undefined) return;
    const none = { replyCode: 200, replyText: 'closed', failedClassId: 0, failedMethodId: 0 };
    await this.call('channel.close', none, 'channel.close-ok');
    this.end(new AmqpError('closed', 'the channel is closed', { fault: 'local' }));
  }

  /** Everything that waits here fails with `error`. */
  end(error: AmqpError): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    for (const call of this.#calls.splice(0)) call.reject(error);
    for (const publish of this.#publishes.values()) publish.reject(error);
    this.#publishes.clear();
    this.#consumers.clear();
    this.#line.ended(this);
  }

  /** Handles a frame. @throws AmqpError when the server broke the protocol */
  frame(frame: Frame): void {
    if (frame.type === 'method') return this.#method(decodeMethod(frame.payload));
    const incoming = this.#incoming;
    if (incoming === undefined) throw new AmqpError('unexpected-frame', `a content ${frame.type}`);
    if (frame.type === 'header') incoming.header = decodeContentHeader(Buffer.from(frame.payload));
    else {
      incoming.parts.push(Buffer.from(frame.payload));
      incoming.received += frame.payload.length;
    }
    if (incoming.header === undefined || incoming.received < incoming.header.bodySize) return;
    this.#incoming = undefined;
    this.#content(incoming.method, incoming.header, Buffer.concat(incoming.parts));
  }

  #method(method: Method): void {
    switch (method.method) {
      case 'basic.deliver':
      case 'basic.return':
      case 'basic.get-ok':
        this.#incoming = { method, header: undefined, parts: [], received: 0 };
        return;
      case 'basic.ack':
        return this.#confirmed(method.deliveryTag, method.multiple, (publish) => publish.resolve());
      case 'basic.nack':
        return this.#confirmed(method.deliveryTag, method.multiple, (publish) =>
          publish.reject(new AmqpError('nacked', 'the queue did not take the message', { retryable: true })),
        );
      case 'basic.cancel':
        this.#consumers.get(method.consumerTag)?.cancelled();
        this.#consumers.delete(method.consumerTag);
        return;
      case 'channel.flow':
        return this.tell('channel.flow-ok', { active: method.active });
      case 'channel.close':
        this.tell('channel.close-ok', {});
        return this.end(new AmqpError(replyNameOf(method.replyCode), withoutName(method.replyText)));
      default:
        return this.#reply(method);
    }
  }

  #reply(method: Method): void {
    const call = this.#calls[0];
    if (call === undefined || !call.reply.includes(method.method)) {
      throw new AmqpError('command-invalid', `${method.method} answers nothing`);
    }
    this.#calls.shift();
    call.resolve(method);
  }

  #content(method: ContentMethod, header: ContentHeader, body: Buffer): void {
    const properties = decodeProperties(header.raw);
    if (method.method === 'basic.return') return this.#returned(properties);
    if (method.method === 'basic.deliver') {
      this.#consumers.get(method.consumerTag)?.delivered({ ...method, properties, body });
      return;
    }
    // The reply to a get carries its content along, under a name that no argument has.
    this.#reply({ ...method, content: { properties, body } } as Method);
  }

  /** A return comes before the confirm of its message, and names it only by its properties. */
  #returned({ messageId }: Properties): void {
    for (const publish of this.#publishes.values()) {
      if (publish.messageId === undefined || publish.messageId !== messageId) continue;
      publish.returned = true;
      return;
    }
  }

  #confirmed(deliveryTag: number, multiple: boolean, settle: (publish: Publish) => void): void {
    for (const [number, publish] of this.#publishes) {
      if (number > deliveryTag) return;
      if (number < deliveryTag && !multiple) continue;
      this.#publishes.delete(number);
      if (publish.returned) publish.reject(new AmqpError('returned', 'no queue is bound for the message'));
      else settle(publish);
    }
  }
}

/** `NOT_FOUND - no queue …` without the name, which the error's code has already. */
function withoutName(replyText: string): string {
  const at = replyText.indexOf(' - ');
  return at < 0 ? replyText : replyText.slice(at + 3);
}

/** The content that a `get-ok` was resolved with. */
export function contentOf(method: MethodOf<'basic.get-ok'>): Pick<Delivered, 'properties' | 'body'> {
  return (method as unknown as { content: Pick<Delivered, 'properties' | 'body'> }).content;
}

/** The request id that a message carries. */
export function requestIdIn(properties: Properties): string | undefined {
  return textOf(properties.headers?.get('x-request-id'));
}
