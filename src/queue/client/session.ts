/**
 * A client's end of one connection, without its socket: the mirror of the server's `session/connection.ts`.
 *
 *     our header ─▶ start, start-ok ─▶ tune, tune-ok, open ─▶ open-ok ─▶ running ─▶ close ─▶ close-ok ─▶ over
 */
import { ReceiveBuffer } from '../../core/bytes/receive-buffer.ts';
import { AmqpError, replyNameOf } from '../errors.ts';
import { fieldTable } from '../wire/field-table.ts';
import { decodeFrame, type Frame, FrameWriter } from '../wire/frame.ts';
import { decodeMethod, type Method, type MethodOf } from '../wire/method.ts';
import { PROTOCOL_HEADER } from '../wire/specification.ts';
import { type ChannelLine, ClientChannel } from './channel.ts';

export interface ClientSettings {
  readonly user: string;
  readonly password: string;
  readonly virtualHost: string;
  /** Seconds; the server's wish is taken when it is shorter. 0 wants none. */
  readonly heartbeat: number;
  readonly frameMax: number;
  readonly channelMax: number;
  /** From connecting to `open-ok`, and for the answer to our close. */
  readonly timeoutMs: number;
  /** Shown in the server's list of connections. */
  readonly name: string;
}

export interface ClientEvents {
  /** There is output. */
  send(): void;
  opened(): void;
  /** Called once, last. */
  ended(error: AmqpError): void;
}

type State = 'starting' | 'opening' | 'running' | 'closing' | 'over';

export class ClientSession implements ChannelLine {
  readonly writer = new FrameWriter();
  readonly #settings: ClientSettings;
  readonly #events: ClientEvents;
  readonly #received = new ReceiveBuffer();
  readonly #channels = new Map<number, ClientChannel>();
  #state: State = 'starting';
  #frameMax: number;
  #channelMax: number;
  #heartbeatMs = 0;
  #receivedAtMs: number;
  #sentAtMs: number;
  #untilMs: number;
  #blockedReason: string | undefined;

  constructor(settings: ClientSettings, events: ClientEvents, nowMs: number) {
    this.#settings = settings;
    this.#events = events;
    this.#frameMax = settings.frameMax;
    this.#channelMax = settings.channelMax;
    this.#receivedAtMs = this.#sentAtMs = nowMs;
    this.#untilMs = nowMs + settings.timeoutMs;
    this.writer.raw(PROTOCOL_HEADER);
  }

  get frameMax(): number {
    return this.#frameMax;
  }

  /** Why the server does not read publishes now; undefined when it does. */
  get blockedReason(): string | undefined {
    return this.#blockedReason;
  }

  get deadlineMs(): number | undefined {
    if (this.#state === 'over') return undefined;
    if (this.#state !== 'running') return this.#untilMs;
    if (this.#heartbeatMs === 0) return undefined;
    return Math.min(this.#sentAtMs + this.#heartbeatMs / 2, this.#receivedAtMs + 2 * this.#heartbeatMs);
  }

  receive(chunk: Buffer, nowMs: number): void {
    this.#receivedAtMs = nowMs;
    this.#received.append(chunk);
    try {
      while (this.#state !== 'over' && this.#oneFrame());
    } catch (thrown) {
      if (!(thrown instanceof AmqpError)) throw thrown;
      this.end(thrown);
    }
  }

  tick(nowMs: number): void {
    if (this.#state === 'over') return;
    if (this.#state !== 'running') {
      if (nowMs >= this.#untilMs) this.end(new AmqpError('timed-out', 'the server did not answer in time'));
      return;
    }
    if (this.#heartbeatMs === 0) return;
    if (nowMs >= this.#receivedAtMs + 2 * this.#heartbeatMs) {
      this.end(new AmqpError('connection-lost', 'the server was silent for two heartbeats'));
    } else if (nowMs >= this.#sentAtMs + this.#heartbeatMs / 2) {
      this.writer.heartbeat();
      this.send();
    }
  }

  takeOutput(nowMs: number): Buffer | undefined {
    if (this.writer.length === 0) return undefined;
    this.#sentAtMs = nowMs;
    return this.writer.take();
  }

  send(): void {
    this.#events.send();
  }

  /** A new channel, open. @throws AmqpError */
  async openChannel(): Promise<ClientChannel> {
    const number = this.#freeNumber();
    const channel = new ClientChannel(number, this);
    this.#channels.set(number, channel);
    await channel.call('channel.open', {}, 'channel.open-ok');
    return channel;
  }

  ended(channel: ClientChannel): void {
    if (this.#channels.get(channel.number) === channel) this.#channels.delete(channel.number);
  }

  /** Says goodbye; `ended` follows when the server has answered. */
  close(nowMs: number): void {
    if (this.#state !== 'running') return this.end(closed());
    this.#state = 'closing';
    this.#untilMs = nowMs + this.#settings.timeoutMs;
    const none = { replyCode: 200, replyText: 'bye', failedClassId: 0, failedMethodId: 0 };
    this.writer.method(0, 'connection.close', none);
    this.send();
  }

  /** The connection is over: all that waits fails with `error`. */
  end(error: AmqpError): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    for (const channel of [...this.#channels.values()]) channel.end(error);
    this.#events.ended(error);
  }

  #freeNumber(): number {
    for (let number = 1; number <= this.#channelMax; number++) {
      if (!this.#channels.has(number)) return number;
    }
    throw new AmqpError('channel-error', `all ${this.#channelMax} channels are open`, { fault: 'local' });
  }

  #oneFrame(): boolean {
    const view = this.#received.view();
    // A server that speaks another version answers with its own protocol header, then closes.
    if (view[0] === PROTOCOL_HEADER[0] && this.#state === 'starting') {
      throw new AmqpError('not-implemented', 'the server does not speak AMQP 0-9-1');
    }
    const result = decodeFrame(view, 0, this.#frameMax);
    if (result.kind === 'need-more') return false;
    if (result.kind === 'malformed') throw new AmqpError('frame-error', result.reason);
    this.#received.consume(result.end);
    this.#frame(result);
    return true;
  }

  #frame(frame: Frame): void {
    if (frame.type === 'heartbeat') return;
    if (frame.channel === 0) return this.#method(decodeMethod(frame.payload));
    // A channel that is closing here may still be sent to.
    this.#channels.get(frame.channel)?.frame(frame);
  }

  #method(method: Method): void {
    switch (method.method) {
      case 'connection.start':
        return this.#start(method);
      case 'connection.tune':
        return this.#tune(method);
      case 'connection.open-ok':
        this.#state = 'running';
        return this.#events.opened();
      case 'connection.blocked':
        this.#blockedReason = method.reason;
        return;
      case 'connection.unblocked':
        this.#blockedReason = undefined;
        return;
      case 'connection.close':
        this.writer.method(0, 'connection.close-ok', {});
        this.send();
        return this.end(new AmqpError(replyNameOf(method.replyCode), method.replyText));
      case 'connection.close-ok':
        return this.end(closed());
      default:
        throw new AmqpError('command-invalid', `${method.method} from the server`);
    }
  }

  #start(method: MethodOf<'connection.start'>): void {
    if (!method.mechanisms.toString('latin1').split(' ').includes('PLAIN')) {
      throw new AmqpError('access-refused', 'the server does not offer PLAIN');
    }
    const { user, password, name } = this.#settings;
    this.writer.method(0, 'connection.start-ok', {
      clientProperties: clientProperties(name),
      mechanism: 'PLAIN',
      response: Buffer.from(`\0${user}\0${password}`),
      locale: 'en_US',
    });
    this.send();
  }

  #tune(method: MethodOf<'connection.tune'>): void {
    this.#frameMax = smaller(method.frameMax, this.#settings.frameMax);
    this.#channelMax = smaller(method.channelMax, this.#settings.channelMax);
    const heartbeat =
      this.#settings.heartbeat === 0 ? 0 : smaller(method.heartbeat, this.#settings.heartbeat);
    this.#heartbeatMs = heartbeat * 1000;
    this.#state = 'opening';
    const tuned = { frameMax: this.#frameMax, channelMax: this.#channelMax, heartbeat };
    this.writer.method(0, 'connection.tune-ok', tuned);
    this.writer.method(0, 'connection.open', { virtualHost: this.#settings.virtualHost });
    this.send();
  }
}

/** Where 0 stands for "no limit". */
function smaller(theirs: number, ours: number): number {
  if (theirs === 0) return ours;
  return ours === 0 ? theirs : Math.min(theirs, ours);
}

function closed(): AmqpError {
  return new AmqpError('closed', 'the connection is closed', { fault: 'local' });
}

function clientProperties(name: string) {
  return fieldTable({
    product: 'Octet',
    connection_name: name,
    capabilities: {
      publisher_confirms: true,
      'basic.nack': true,
      consumer_cancel_notify: true,
      'connection.blocked': true,
      authentication_failure_close: true,
    },
  });
}
