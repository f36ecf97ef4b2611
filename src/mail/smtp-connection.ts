/**
 * Drives one SMTP session: gives it the bytes that arrive, does what it asks for.
 */
import { codeOf, messageOf } from '../core/errors.ts';
import type { Connection } from '../core/net/network.ts';
import type { Timer } from '../core/time/clock.ts';
import type { MailContext } from './context.ts';
import { countHops, summariseHeader, traceFields } from './engine/message.ts';
import type { RefusalName } from './errors.ts';
import { type Action, type Envelope, MailSession, type SessionConfig, type StoreOutcome } from './session.ts';
import type { MessageWriter } from './store.ts';
import { formatMailbox, type Mailbox } from './wire/address.ts';
import { scanHeader } from './wire/header-scan.ts';

/** A message on its way to disk. Writes are chained, so that their order is the order of arrival. */
interface Incoming {
  readonly envelope: Envelope;
  readonly id: string;
  readonly startMs: number;
  readonly startedAtMs: number;
  readonly header: Buffer[];
  headerBytes: number;
  unwrittenBytes: number;
  tail: Promise<void>;
  failure: unknown;
  readonly writer: MessageWriter;
}

export class SmtpConnection {
  readonly #context: MailContext;
  readonly #connection: Connection;
  readonly #session: MailSession;
  readonly #gone: () => void;
  #incoming: Incoming | undefined;
  #timer: { readonly timer: Timer; readonly atMs: number } | undefined;
  #work: Promise<void> = Promise.resolve();

  constructor(context: MailContext, connection: Connection, config: SessionConfig, gone: () => void) {
    this.#context = context;
    this.#connection = connection;
    this.#gone = gone;
    this.#session = new MailSession(config, connection.secure, context.host.clock.monotonic());
  }

  start(): void {
    this.#attach();
    this.#perform(this.#session.greet());
  }

  /** Resolves when nothing of this connection touches the store any more. */
  async settled(): Promise<void> {
    await this.#work;
    await this.#incoming?.tail;
  }

  shutdown(): void {
    this.#perform(this.#session.shutdown());
  }

  get #now(): number {
    return this.#context.host.clock.monotonic();
  }

  #attach(): void {
    this.#connection.attach({
      data: (chunk) => this.#perform(this.#session.receive(chunk, this.#now)),
      drain: () => this.#flow(),
      close: () => {
        this.#timer?.timer.cancel();
        this.#abort();
        this.#gone();
      },
    });
  }

  #perform(actions: readonly Action[]): void {
    for (const action of actions) this.#act(action);
    this.#watchDeadline();
    this.#flow();
  }

  #act(action: Action): void {
    switch (action.kind) {
      case 'write':
        this.#connection.write(Buffer.from(action.text));
        return;
      case 'open':
        this.#open(action.envelope);
        return;
      case 'data':
        this.#write(action.bytes);
        return;
      case 'abort':
        this.#abort();
        return;
      case 'commit':
        this.#work = this.#commit().then((outcome) =>
          this.#perform(this.#session.stored(outcome, this.#now)),
        );
        return;
      case 'authenticate':
        this.#authenticate(action.username, action.password);
        return;
      case 'start-tls':
        this.#startTls();
        return;
      case 'close':
        this.#connection.end();
        return;
    }
  }

  /** Reads on only while the session, the disk and the peer keep up. */
  #flow(): void {
    const { maxUnwrittenBytes } = this.#context.limits;
    const behind = (this.#incoming?.unwrittenBytes ?? 0) > maxUnwrittenBytes;
    const peerBehind = this.#connection.bufferedBytes > maxUnwrittenBytes;
    if (!this.#session.closed && (this.#session.waiting || behind || peerBehind)) this.#connection.pause();
    else this.#connection.resume();
  }

  /** A timer that is too early only finds nothing to do, so it is set anew only when it would be too late. */
  #watchDeadline(): void {
    if (this.#session.closed || this.#connection.destroyed) return;
    const atMs = this.#session.deadlineMs;
    if (this.#timer !== undefined && this.#timer.atMs <= atMs) return;
    this.#timer?.timer.cancel();
    const timer = this.#context.host.clock.schedule(Math.max(0, atMs - this.#now), () => {
      this.#timer = undefined;
      this.#perform(this.#session.expire(this.#now));
    });
    this.#timer = { timer, atMs };
  }

  #open(envelope: Envelope): void {
    const { host } = this.#context;
    const incoming: Incoming = {
      envelope,
      id: host.random.bytes(12).toString('hex'),
      startMs: host.clock.now(),
      startedAtMs: host.clock.monotonic(),
      header: [],
      headerBytes: 0,
      unwrittenBytes: 0,
      tail: Promise.resolve(),
      failure: undefined,
      writer: this.#context.store.create(),
    };
    this.#incoming = incoming;
    incoming.tail = incoming.writer.write(Buffer.from(this.#trace(incoming)));
  }

  #trace(incoming: Incoming): string {
    const { envelope, id, startMs } = incoming;
    return traceFields({
      hostname: this.#context.options.hostname,
      heloName: envelope.heloName,
      remoteAddress: this.#connection.remote.address,
      protocol: envelope.protocol,
      id,
      from: envelope.from,
      recipients: envelope.recipients.map((recipient) => recipient.mailbox),
      receivedAtMs: startMs,
    });
  }

  #write(bytes: Buffer): void {
    const incoming = this.#incoming;
    if (incoming === undefined) return;
    if (incoming.headerBytes < this.#context.limits.maxHeaderBytes) {
      incoming.header.push(bytes);
      incoming.headerBytes += bytes.length;
    }
    incoming.unwrittenBytes += bytes.length;
    incoming.tail = incoming.tail.then(async () => {
      try {
        if (incoming.failure === undefined) await incoming.writer.write(bytes);
      } catch (error) {
        incoming.failure = error;
      }
      incoming.unwrittenBytes -= bytes.length;
      this.#flow();
    });
  }

  #abort(): void {
    const incoming = this.#incoming;
    if (incoming === undefined) return;
    this.#incoming = undefined;
    this.#context.metrics.refused.add();
    this.#work = this.#work.then(() => discard(incoming));
  }

  async #commit(): Promise<StoreOutcome> {
    const incoming = this.#incoming;
    this.#incoming = undefined;
    if (incoming === undefined) return { ok: false, refusal: 'storeFailed' };
    await incoming.tail;
    const outcome = await this.#store(incoming);
    this.#report(incoming, outcome);
    return outcome;
  }

  async #store(incoming: Incoming): Promise<StoreOutcome> {
    const context = this.#context;
    const header = Buffer.concat(incoming.header).subarray(0, context.limits.maxHeaderBytes);
    if (countHops(scanHeader(header)) > context.limits.maxHops) {
      await discard(incoming);
      return { ok: false, refusal: 'loop' };
    }
    try {
      if (incoming.failure !== undefined) throw incoming.failure;
      await context.store.deliver(incoming.writer, {
        ...summariseHeader(header, context.decodeWords),
        receivedAtMs: incoming.startMs,
        envelopeFrom: incoming.envelope.from === undefined ? '' : formatMailbox(incoming.envelope.from),
        deliveries: this.#deliveries(incoming),
      });
      context.metrics.messages.add();
      return { ok: true, detail: `queued as ${incoming.id}` };
    } catch (error) {
      await discard(incoming);
      context.host.observer.log.error('message not stored', { error: messageOf(error) });
      return { ok: false, refusal: refusalOf(error) };
    }
  }

  /** Each mailbox gets one copy, however many recipients lead to it. */
  #deliveries(incoming: Incoming): { id: string; mailbox: string; envelopeTo: string }[] {
    const byMailbox = new Map<string, Mailbox>();
    for (const { mailbox } of incoming.envelope.recipients) {
      const name = this.#context.directory.mailboxOf(mailbox);
      if (!byMailbox.has(name)) byMailbox.set(name, mailbox);
    }
    let copy = 0;
    return [...byMailbox].map(([mailbox, recipient]) => ({
      id: copy++ === 0 ? incoming.id : `${incoming.id}-${copy}`,
      mailbox,
      envelopeTo: formatMailbox(recipient),
    }));
  }

  #report(incoming: Incoming, outcome: StoreOutcome): void {
    const { clock, observer } = this.#context.host;
    const { recipients } = incoming.envelope;
    const [first] = recipients;
    const fields = scanHeader(
      Buffer.concat(incoming.header).subarray(0, this.#context.limits.maxHeaderBytes),
    );
    const requestId = fields.find((field) => field.name === 'x-request-id')?.value;
    this.#context.metrics.bytes.add(incoming.writer.sizeBytes);
    observer.span({
      operation: `DATA to ${first === undefined ? '' : formatMailbox(first.mailbox)}${recipients.length > 1 ? ` and ${recipients.length - 1} more` : ''}`,
      outcome: outcome.ok ? '250' : outcome.refusal,
      startMs: incoming.startMs,
      durationMs: clock.monotonic() - incoming.startedAtMs,
      ...(requestId === undefined ? {} : { requestId }),
    });
  }

  #authenticate(username: string, password: string): void {
    const ok = this.#context.checkPassword(username, password);
    if (!ok) this.#context.metrics.authFailures.add();
    this.#perform(this.#session.authenticated(ok ? username : undefined, this.#now));
  }

  #startTls(): void {
    const { identity } = this.#context;
    if (identity === undefined) return this.#connection.destroy();
    this.#work = identity()
      .then((made) => this.#connection.startTlsServer(made))
      .then(
        () => {
          this.#attach();
          this.#perform(this.#session.secured(this.#now));
        },
        (error: unknown) => {
          this.#context.host.observer.log.info('STARTTLS failed', { error: messageOf(error) });
          this.#connection.destroy();
        },
      );
  }
}

async function discard(incoming: Incoming): Promise<void> {
  await incoming.tail;
  await incoming.writer.abort().catch(() => undefined);
}

function refusalOf(error: unknown): RefusalName | 'unknown' {
  const code = codeOf(error);
  if (code === 'outcome-unknown') return 'unknown';
  return code === 'no-space' ? 'noSpace' : 'storeFailed';
}
