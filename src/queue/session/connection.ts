/**
 * One connection of a client, without its socket: bytes in, bytes and deadlines out.
 *
 *     protocol header ─▶ start ─▶ start-ok ─▶ tune ─▶ tune-ok, open ─▶ open-ok ─▶ running
 *           │                        │                                              │
 *           └ not ours:              └ wrong password: 403                          ├ close ─▶ close-ok ─▶ over
 *             our header, over                                                      └ our error: close ─▶ closing
 *
 * What the driver does: `receive` for each chunk, then one write of `takeOutput`; no reading while
 * `isReading` is false; `tick` at `deadlineMs`; the end of the socket once `isOver` and the output is gone.
 * All times are of one monotonic clock, in milliseconds.
 *
 * AMQP 0-9-1 sections 2.2.4 and 4.2.
 */
import { ReceiveBuffer } from '../../core/bytes/receive-buffer.ts';
import type { Broker, PublishRequest } from '../engine/broker.ts';
import type { Delivery } from '../engine/consumer.ts';
import type { Ticket } from '../engine/ticket.ts';
import { AmqpError } from '../errors.ts';
import type { QueueLimits } from '../limits.ts';
import { EMPTY_TABLE, type FieldTable, fieldTable } from '../wire/field-table.ts';
import { decodeFrame, type Frame, FrameWriter } from '../wire/frame.ts';
import { decodeMethod, idsOf, type Method, type MethodOf } from '../wire/method.ts';
import { FRAME_MIN_BYTES, METHODS, type MethodName, PROTOCOL_HEADER } from '../wire/specification.ts';
import { type ChannelHost, ChannelSession, shortened } from './channel.ts';
import { unexpected } from './content.ts';
import { decodeLogin, type Login, MECHANISMS } from './login.ts';

export interface SessionSettings {
  readonly broker: Broker;
  readonly limits: QueueLimits;
  /** Octets of a frame with its overhead; proposed to the client, who may ask for less. */
  readonly frameMax: number;
  readonly channelMax: number;
  /** Seconds; 0 proposes none. */
  readonly heartbeat: number;
  /** Version told to clients. */
  readonly version: string;
  /** False where a password would travel in the clear beyond this machine. */
  readonly mayLogIn: boolean;
  /** Compares in constant time. */
  readonly authenticate: (login: Login) => boolean;
  readonly newName: () => string;
}

/** What a session tells its driver between calls. */
export interface SessionEvents {
  /** There is output, or the session may go on; call `resume`. */
  wake(): void;
  loggedIn(user: string): void;
  refusedLogin(user: string): void;
  published(request: PublishRequest, outcome: string): void;
  delivered(delivery: Delivery, operation: string): void;
  /** A channel or the connection was closed by us with this error. */
  failed(error: AmqpError): void;
}

interface Tuned {
  readonly frameMax: number;
  readonly channelMax: number;
  /** Milliseconds; 0 is none. */
  readonly heartbeatMs: number;
}

type State =
  | { readonly kind: 'header' }
  | { readonly kind: 'starting' }
  | { readonly kind: 'tuning'; readonly user: string }
  | { readonly kind: 'opening'; readonly user: string; readonly tuned: Tuned }
  | { readonly kind: 'running'; readonly user: string; readonly tuned: Tuned }
  /** We sent `connection.close`. */
  | { readonly kind: 'closing'; readonly untilMs: number }
  | { readonly kind: 'over' };

/** The methods of class connection that a client may send in each state; all else is 503. */
const EXPECTED = {
  header: [],
  starting: ['connection.start-ok'],
  tuning: ['connection.tune-ok'],
  opening: ['connection.open'],
  running: ['connection.close', 'connection.update-secret'],
  closing: ['connection.close', 'connection.close-ok'],
  over: [],
} as const satisfies Record<State['kind'], readonly MethodName[]>;

/** Why frames wait unread. */
type Hold =
  | { readonly kind: 'ticket'; readonly ticket: Ticket; readonly then: () => void }
  /** The next frame is a publish, and memory is full or the disk behind. */
  | { readonly kind: 'publish' };

/** What clients may send before frame-max is agreed: client properties can be long. */
const FRAME_BEFORE_TUNE_BYTES = 8192;

export class ConnectionSession implements ChannelHost {
  readonly broker: Broker;
  readonly limits: QueueLimits;
  readonly writer = new FrameWriter();
  readonly #settings: SessionSettings;
  readonly #events: SessionEvents;
  readonly #received = new ReceiveBuffer();
  #state: State = { kind: 'header' };
  #hold: Hold | undefined;
  /** The socket takes what is written. */
  #isWritable = true;
  readonly #channels = new Map<number, ChannelSession>();
  #clientProperties: FieldTable = EMPTY_TABLE;
  /** The broker refuses publishers and the client was told so. */
  #toldBlocked = false;
  #hasPublished = false;
  #nowMs: number;
  #receivedAtMs: number;
  #sentAtMs: number;
  /** When the peer last took something of what is written to it. */
  #takenAtMs: number;
  readonly #handshakeUntilMs: number;

  constructor(settings: SessionSettings, events: SessionEvents, nowMs: number) {
    this.broker = settings.broker;
    this.limits = settings.limits;
    this.#settings = settings;
    this.#events = events;
    this.#nowMs = this.#receivedAtMs = this.#sentAtMs = this.#takenAtMs = nowMs;
    this.#handshakeUntilMs = nowMs + settings.limits.handshakeTimeoutMs;
  }

  // Inputs

  /** Takes bytes from the peer and handles every whole frame in them. */
  receive(chunk: Buffer, nowMs: number): void {
    this.#nowMs = this.#receivedAtMs = nowMs;
    if (this.#state.kind === 'over') return;
    this.#received.append(chunk);
    this.#work();
  }

  /** Goes on after `wake`, or when publishers may go on. */
  resume(nowMs: number): void {
    // While nobody read, nothing could be heard: silence counts from here.
    if (!this.isReading) this.#receivedAtMs = nowMs;
    this.#nowMs = nowMs;
    this.#work();
  }

  /** A deadline has come. */
  tick(nowMs: number): void {
    this.#nowMs = nowMs;
    const heartbeatMs = this.#tuned?.heartbeatMs ?? 0;
    if (this.#isBeforeOpen() && nowMs >= this.#handshakeUntilMs) return this.#end();
    if (this.#state.kind === 'closing' && nowMs >= this.#state.untilMs) return this.#end();
    if (heartbeatMs === 0 || this.#state.kind !== 'running') return;
    // A peer that we do not read from cannot be heard; one that takes nothing either is gone all the same.
    if (this.isReading && nowMs >= this.#receivedAtMs + 2 * heartbeatMs) return this.#lost();
    if (!this.#isWritable && nowMs >= this.#takenAtMs + 2 * heartbeatMs) return this.#lost();
    if (nowMs >= this.#sentAtMs + heartbeatMs / 2 && this.#isWritable) this.writer.heartbeat();
    else if (!this.#isWritable) this.#sentAtMs = nowMs;
  }

  /** The socket is gone: everything of this connection ends. */
  closed(): void {
    this.#state = { kind: 'over' };
    this.#releaseAll();
    this.broker.disconnected(this);
  }

  /** Ends the connection from our side, with the protocol's words. */
  shutDown(reason: string, nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.#state.kind === 'running') this.#fail(new AmqpError('connection-forced', reason));
    else if (this.#state.kind !== 'closing') this.#end();
  }

  /** Publishers must wait, or may go on: tells those who asked to be told. */
  setBlocked(reason: string | undefined): void {
    if (this.#state.kind !== 'running' || !this.#hasPublished) return;
    if ((reason !== undefined) === this.#toldBlocked || !this.#clientCan('connection.blocked')) return;
    this.#toldBlocked = reason !== undefined;
    if (reason === undefined) this.writer.method(0, 'connection.unblocked', {});
    else this.writer.method(0, 'connection.blocked', { reason });
  }

  /** Whether the peer keeps up with what is written to it; while it does not, it gets no deliveries. */
  setWritable(isWritable: boolean, nowMs: number): void {
    const again = isWritable && !this.#isWritable;
    if (isWritable !== this.#isWritable) this.#takenAtMs = nowMs;
    this.#isWritable = isWritable;
    if (!again) return;
    this.#receivedAtMs = nowMs;
    this.#wakeQueues();
  }

  /** The peer has taken something, though not all. */
  outputTaken(nowMs: number): void {
    this.#takenAtMs = nowMs;
  }

  // Outputs

  /** What is to be written now; undefined when nothing is. */
  takeOutput(): Buffer | undefined {
    const { length } = this.writer;
    if (length === 0) return undefined;
    this.#sentAtMs = this.#nowMs;
    if (length >= this.limits.outputHighWaterBytes) this.#wakeQueues();
    return this.writer.take();
  }

  /** False while frames wait here, or the peer does not read: bytes should wait in the socket. */
  get isReading(): boolean {
    return this.#hold === undefined && this.#isWritable;
  }

  /** Waiting only because publishers must. */
  get isHeldBack(): boolean {
    return this.#hold?.kind === 'publish';
  }

  /** No more input is wanted: once the output is written, the socket should end. */
  get isOver(): boolean {
    return this.#state.kind === 'over';
  }

  get isRunning(): boolean {
    return this.#state.kind === 'running';
  }

  /** When `tick` wants to be called next; undefined when never. */
  get deadlineMs(): number | undefined {
    if (this.#state.kind === 'over') return undefined;
    if (this.#state.kind === 'closing') return this.#state.untilMs;
    if (this.#isBeforeOpen()) return this.#handshakeUntilMs;
    const heartbeatMs = this.#tuned?.heartbeatMs ?? 0;
    if (heartbeatMs === 0) return undefined;
    const send = this.#sentAtMs + heartbeatMs / 2;
    return this.isReading ? Math.min(send, this.#receivedAtMs + 2 * heartbeatMs) : send;
  }

  get channels(): ReadonlyMap<number, ChannelSession> {
    return this.#channels;
  }

  get clientProperties(): FieldTable {
    return this.#clientProperties;
  }

  // For its channels

  get owner(): object {
    return this;
  }

  get user(): string {
    return 'user' in this.#state ? this.#state.user : '';
  }

  get frameMax(): number {
    return this.#tuned?.frameMax ?? FRAME_BEFORE_TUNE_BYTES;
  }

  get canDeliver(): boolean {
    return this.#isWritable && this.writer.length < this.limits.outputHighWaterBytes;
  }

  get cancelNotify(): boolean {
    return this.#clientCan('consumer_cancel_notify');
  }

  wait(ticket: Ticket, then: () => void): void {
    if (ticket.state === 'durable') return then();
    this.#hold = { kind: 'ticket', ticket, then };
    ticket.whenSettled(() => this.#events.wake());
  }

  wake(): void {
    this.#events.wake();
  }

  newName(): string {
    return this.#settings.newName();
  }

  published(request: PublishRequest, outcome: string): void {
    this.#events.published(request, outcome);
  }

  delivered(delivery: Delivery, operation: string): void {
    this.#events.delivered(delivery, operation);
  }

  // Frames

  #work(): void {
    try {
      if (this.#state.kind === 'header' && !this.#protocolHeader()) return;
      while (this.#letGo() && this.#oneFrame());
    } catch (thrown) {
      if (!(thrown instanceof AmqpError)) throw thrown;
      this.#fail(thrown);
    }
    for (const channel of this.#channels.values()) channel.confirm();
  }

  /** @returns true when frames may be handled */
  #letGo(): boolean {
    const hold = this.#hold;
    if (hold === undefined || this.#state.kind === 'closing') return true;
    if (hold.kind === 'publish') {
      if (this.broker.alarm || this.broker.isCongested) return false;
      this.#hold = undefined;
      return true;
    }
    if (hold.ticket.state === 'pending') return false;
    this.#hold = undefined;
    if (hold.ticket.state === 'failed') throw new AmqpError('internal-error', hold.ticket.reason);
    hold.then();
    return this.#hold === undefined;
  }

  #protocolHeader(): boolean {
    const view = this.#received.view().subarray(0, PROTOCOL_HEADER.length);
    if (!view.equals(PROTOCOL_HEADER.subarray(0, view.length))) {
      this.writer.raw(PROTOCOL_HEADER);
      this.#end();
      return false;
    }
    if (view.length < PROTOCOL_HEADER.length) return false;
    this.#received.consume(PROTOCOL_HEADER.length);
    this.#start();
    return true;
  }

  #oneFrame(): boolean {
    if (this.#state.kind === 'over') return false;
    const result = decodeFrame(this.#received.view(), 0, this.frameMax);
    if (result.kind === 'need-more') return false;
    if (result.kind === 'malformed') {
      // Where the next frame begins is unknown, so nothing more is read: not even close-ok.
      this.#fail(new AmqpError('frame-error', result.reason));
      this.#end();
      return false;
    }
    if (this.#mustHold(result)) return false;
    this.#received.consume(result.end);
    this.#frame(result);
    return true;
  }

  /** A publish while publishers must wait stays where it is. */
  #mustHold(frame: Frame): boolean {
    if (frame.type !== 'method' || !isPublish(frame.payload) || this.#state.kind !== 'running') return false;
    this.#hasPublished = true;
    if (this.broker.alarm) this.setBlocked('low on memory');
    else if (!this.broker.isCongested) return false;
    this.#hold = { kind: 'publish' };
    return true;
  }

  #frame(frame: Frame): void {
    if (frame.channel > 0) return this.#channelFrame(frame);
    if (frame.type === 'heartbeat') return;
    if (this.#state.kind === 'closing' && frame.type !== 'method') return;
    if (frame.type !== 'method') throw unexpected(`a content ${frame.type} on channel 0`);
    this.#connectionMethod(frame.payload);
  }

  #connectionMethod(payload: Buffer): void {
    const expected: readonly MethodName[] = EXPECTED[this.#state.kind];
    if (this.#state.kind === 'closing' && !expected.some((name) => isMethod(payload, name))) return;
    const method = decodeMethod(payload);
    if (!expected.includes(method.method)) {
      throw new AmqpError('command-invalid', `${method.method} was not expected on channel 0 now`);
    }
    this.#connection(method);
  }

  #connection(method: Method): void {
    switch (method.method) {
      case 'connection.start-ok':
        return this.#startOk(method);
      case 'connection.tune-ok':
        return this.#tuneOk(method);
      case 'connection.open':
        return this.#open(method);
      case 'connection.update-secret':
        // Our passwords do not run out, so a new secret changes nothing; the session goes on as asked.
        return void this.writer.method(0, 'connection.update-secret-ok', {});
      case 'connection.close':
        this.writer.method(0, 'connection.close-ok', {});
        return this.#end();
      case 'connection.close-ok':
        return this.#end();
      default:
        throw new AmqpError('command-invalid', `${method.method} is not for a server to receive`);
    }
  }

  // Handshake

  #start(): void {
    this.#state = { kind: 'starting' };
    this.writer.method(0, 'connection.start', {
      versionMajor: 0,
      versionMinor: 9,
      serverProperties: serverProperties(this.#settings.version),
      mechanisms: Buffer.from(MECHANISMS.join(' ')),
      locales: Buffer.from('en_US'),
    });
  }

  #startOk(method: MethodOf<'connection.start-ok'>): void {
    this.#clientProperties = method.clientProperties;
    const login = loginOf(method);
    if (login === undefined || !this.#settings.mayLogIn || !this.#settings.authenticate(login)) {
      this.#events.refusedLogin(login?.user ?? '');
      return this.#refuse(method.mechanism);
    }
    this.#events.loggedIn(login.user);
    this.#state = { kind: 'tuning', user: login.user };
    const { channelMax, frameMax, heartbeat } = this.#settings;
    this.writer.method(0, 'connection.tune', { channelMax, frameMax, heartbeat });
  }

  /** Only clients that announce it get a close for a wrong password; others see the socket end. 2.2.4 */
  #refuse(mechanism: string): void {
    if (!this.#clientCan('authentication_failure_close')) return this.#end();
    const text = `Login was refused using authentication mechanism ${mechanism.slice(0, 40)}.`;
    this.#fail(new AmqpError('access-refused', text));
  }

  #tuneOk(method: MethodOf<'connection.tune-ok'>): void {
    const { frameMax, channelMax } = this.#settings;
    const user = this.user;
    const tuned: Tuned = {
      frameMax: agreed('frame_max', method.frameMax, frameMax, FRAME_MIN_BYTES),
      channelMax: agreed('channel_max', method.channelMax, channelMax, 1),
      heartbeatMs: method.heartbeat * 1000,
    };
    this.#state = { kind: 'opening', user, tuned };
  }

  #open(method: MethodOf<'connection.open'>): void {
    if (this.#state.kind !== 'opening') throw new AmqpError('command-invalid', 'connection.open too early');
    if (method.virtualHost !== '/') {
      throw new AmqpError('not-allowed', `vhost ${method.virtualHost} not found`);
    }
    this.#state = { ...this.#state, kind: 'running' };
    this.writer.method(0, 'connection.open-ok', {});
  }

  // Channels

  #channelFrame(frame: Frame): void {
    if (this.#state.kind === 'closing') return;
    if (this.#state.kind !== 'running') {
      throw new AmqpError('channel-error', `channel ${frame.channel} before connection.open-ok`);
    }
    const channel = this.#channels.get(frame.channel);
    const opening = frame.type === 'method' && isMethod(frame.payload, 'channel.open');
    if (channel === undefined) return this.#openChannel(frame, opening, this.#state.tuned);
    if (channel.isClosing) return this.#closingChannel(channel, frame);
    if (opening) throw new AmqpError('channel-error', "second 'channel.open' seen");
    if (frame.type === 'method' && isMethod(frame.payload, 'channel.close')) {
      return this.#closeChannel(channel, frame);
    }
    this.#runChannel(channel, frame);
  }

  #openChannel(frame: Frame, opening: boolean, tuned: Tuned): void {
    // A close-ok may cross our removal of a channel that closed at the same time.
    if (frame.type === 'method' && isMethod(frame.payload, 'channel.close-ok')) return;
    if (!opening) throw new AmqpError('channel-error', `expected 'channel.open' on channel ${frame.channel}`);
    if (frame.channel > tuned.channelMax) {
      throw new AmqpError(
        'not-allowed',
        `channel ${frame.channel} is over channel_max (${tuned.channelMax})`,
      );
    }
    decodeMethod(frame.payload);
    this.#channels.set(frame.channel, new ChannelSession(frame.channel, this));
    this.writer.method(frame.channel, 'channel.open-ok', {});
  }

  #closingChannel(channel: ChannelSession, frame: Frame): void {
    if (frame.type !== 'method') return;
    if (isMethod(frame.payload, 'channel.close')) {
      this.writer.method(channel.number, 'channel.close-ok', {});
    } else if (isMethod(frame.payload, 'channel.close-ok')) {
      this.#channels.delete(channel.number);
    }
  }

  #closeChannel(channel: ChannelSession, frame: Frame): void {
    decodeMethod(frame.payload);
    channel.confirm();
    channel.release();
    this.#channels.delete(channel.number);
    this.writer.method(channel.number, 'channel.close-ok', {});
  }

  #runChannel(channel: ChannelSession, frame: Frame): void {
    try {
      channel.frame(frame);
      if (channel.unfinishedBytes > 0) this.#checkUnfinished();
    } catch (thrown) {
      if (!(thrown instanceof AmqpError)) throw thrown;
      const ids = idsIn(frame);
      if (thrown.scope !== 'channel') return this.#fail(thrown, ids);
      this.#events.failed(thrown);
      channel.confirm();
      channel.failed(thrown, ids);
    }
  }

  #checkUnfinished(): void {
    const { maxUnfinishedBytes: most } = this.limits;
    let held = 0;
    for (const channel of this.#channels.values()) held += channel.unfinishedBytes;
    if (held > most) throw new AmqpError('resource-error', `more than ${most} octets of unfinished messages`);
  }

  // Endings

  /** Closes the connection for `error`, unless that is under way already. */
  #fail(error: AmqpError, ids: { classId: number; methodId: number } = { classId: 0, methodId: 0 }): void {
    if (this.#state.kind === 'closing' || this.#state.kind === 'over') return;
    this.#events.failed(error);
    this.#releaseAll();
    this.#hold = undefined;
    this.#state = { kind: 'closing', untilMs: this.#nowMs + this.limits.closeTimeoutMs };
    this.writer.method(0, 'connection.close', {
      replyCode: error.replyCode || 541,
      replyText: shortened(error.replyText),
      failedClassId: ids.classId,
      failedMethodId: ids.methodId,
    });
  }

  /** Nothing was heard for two heartbeats: a peer that is gone needs no words. */
  #lost(): void {
    this.#events.failed(new AmqpError('connection-forced', 'missed heartbeats from client'));
    this.#end();
  }

  #end(): void {
    this.#releaseAll();
    this.#hold = undefined;
    this.#received.clear();
    this.#state = { kind: 'over' };
  }

  #releaseAll(): void {
    for (const channel of this.#channels.values()) channel.release();
    this.#channels.clear();
  }

  #wakeQueues(): void {
    for (const channel of this.#channels.values()) channel.wakeQueues();
  }

  #isBeforeOpen(): boolean {
    const { kind } = this.#state;
    return kind === 'header' || kind === 'starting' || kind === 'tuning' || kind === 'opening';
  }

  get #tuned(): Tuned | undefined {
    return 'tuned' in this.#state ? this.#state.tuned : undefined;
  }

  #clientCan(capability: string): boolean {
    const capabilities = this.#clientProperties.get('capabilities');
    if (capabilities?.type !== 'F') return false;
    const field = capabilities.value.get(capability);
    return field?.type === 't' && field.value;
  }
}

function serverProperties(version: string): FieldTable {
  return fieldTable({
    product: 'Octet',
    version,
    platform: 'Node.js',
    capabilities: {
      publisher_confirms: true,
      exchange_exchange_bindings: true,
      'basic.nack': true,
      consumer_cancel_notify: true,
      'connection.blocked': true,
      consumer_priorities: true,
      authentication_failure_close: true,
      per_consumer_qos: true,
    },
  });
}

function loginOf(method: MethodOf<'connection.start-ok'>): Login | undefined {
  try {
    return decodeLogin(method.mechanism, method.response);
  } catch (thrown) {
    if (thrown instanceof AmqpError && thrown.code === 'access-refused') return undefined;
    throw thrown;
  }
}

/** The smaller of both wishes, where 0 wishes nothing. @throws AmqpError `not-allowed` */
function agreed(what: string, asked: number, ours: number, least: number): number {
  if (asked === 0) return ours;
  if (asked > ours) {
    throw new AmqpError('not-allowed', `negotiated ${what} = ${asked} is higher than the maximum (${ours})`);
  }
  if (asked < least) {
    throw new AmqpError('not-allowed', `negotiated ${what} = ${asked} is lower than the minimum (${least})`);
  }
  return asked;
}

function isMethod(payload: Buffer, name: MethodName): boolean {
  const { classId, methodId } = METHODS[name];
  return payload.length >= 4 && payload.readUInt16BE(0) === classId && payload.readUInt16BE(2) === methodId;
}

function isPublish(payload: Buffer): boolean {
  return isMethod(payload, 'basic.publish');
}

/** Whose fault a close blames: the method of the frame, or the publish that its content belongs to. */
function idsIn(frame: Frame): { readonly classId: number; readonly methodId: number } {
  if (frame.type !== 'method' || frame.payload.length < 4) return idsOf('basic.publish');
  return { classId: frame.payload.readUInt16BE(0), methodId: frame.payload.readUInt16BE(2) };
}
