/**
 * One SMTP connection as a state machine (RFC 5321), without sockets, disk or clock: bytes and events in,
 * actions out.
 *
 *                    EHLO/HELO            MAIL             RCPT            DATA 354
 *       ┌ greeted ──────────────▶ ready ────────▶ mail ────────▶ rcpt ────────────▶ data
 *                                   ▲                                                │ CRLF.CRLF
 *                                   └────────── message stored or refused ───────────┘
 *
 *   RSET and a new EHLO lead back to ready. While a message is being stored, a password checked or TLS set
 *   up, the session waits: what arrives is kept unread, so that replies stay in the order of the commands
 *   (PIPELINING, RFC 2920).
 */
import { ReceiveBuffer } from '../core/bytes/receive-buffer.ts';
import { type RefusalName, type Reply, refusal } from './errors.ts';
import type { MailLimits } from './limits.ts';
import type { Mailbox } from './wire/address.ts';
import { type Command, parseCommand } from './wire/command.ts';
import { type DataFault, DataReader } from './wire/data-reader.ts';
import type { MailParameters, RcptParameters } from './wire/parameters.ts';
import { encodeReply } from './wire/reply.ts';
import { type AuthExchange, startAuth } from './wire/sasl.ts';

export interface SessionConfig {
  /** Our name in the greeting. */
  readonly hostname: string;
  readonly limits: MailLimits;
  /** STARTTLS is offered while the connection is not secure. */
  readonly tlsAvailable: boolean;
  /** AUTH is offered on a connection that is not encrypted: for loopback only. */
  readonly plaintextAuth: boolean;
  /** MAIL is refused before AUTH. */
  readonly requireAuth: boolean;
  /** Bare CR, LF and NUL in a message: refuse it, or keep them as data. They never end a message. */
  readonly bareLineEndings: 'reject' | 'keep';
  /** Whether mail for this recipient is taken. */
  readonly accepts: (recipient: Mailbox) => 'yes' | 'no-mailbox' | 'relay';
  /** Whether another message may come now from this peer. */
  readonly admits: () => boolean;
}

export interface Recipient {
  readonly mailbox: Mailbox;
  readonly parameters: RcptParameters;
}

/** What is known of a message before its first byte. */
export interface Envelope {
  /** Undefined for the null reverse-path of bounces. */
  readonly from: Mailbox | undefined;
  readonly recipients: readonly Recipient[];
  readonly parameters: MailParameters;
  readonly heloName: string;
  /** The protocol keyword of the Received field. RFC 3848, RFC 6531 section 4.3. */
  readonly protocol: string;
  readonly user: string | undefined;
}

export type Action =
  | { readonly kind: 'write'; readonly text: string }
  | { readonly kind: 'open'; readonly envelope: Envelope }
  | { readonly kind: 'data'; readonly bytes: Buffer }
  /** Store what came since `open`, then call `stored`. */
  | { readonly kind: 'commit' }
  /** Forget what came since `open`. */
  | { readonly kind: 'abort' }
  /** Check, then call `authenticated`. */
  | { readonly kind: 'authenticate'; readonly username: string; readonly password: string }
  /** After all writes have left: take TLS, then call `secured`. */
  | { readonly kind: 'start-tls' }
  /** After all writes have left. */
  | { readonly kind: 'close' };

/** How storing a message ended; `detail` goes into the reply. */
export type StoreOutcome =
  | { readonly ok: true; readonly detail: string }
  /** `unknown`: the disk failed, and the next start may find the message. */
  | { readonly ok: false; readonly refusal: RefusalName | 'unknown' };

type State =
  | { readonly name: 'greeted' }
  | { readonly name: 'ready' }
  | { readonly name: 'mail' | 'rcpt'; readonly transaction: Transaction }
  | { readonly name: 'auth'; readonly exchange: AuthExchange }
  | { readonly name: 'data'; readonly reader: DataReader; refused: RefusalName | undefined }
  /** Something outside is under way. */
  | { readonly name: 'waiting'; readonly on: 'commit' | 'authenticate' | 'start-tls' }
  | { readonly name: 'closed' };

interface Transaction {
  readonly from: Mailbox | undefined;
  readonly parameters: MailParameters;
  readonly recipients: Recipient[];
  /** Recipients asked for, the refused ones included. */
  asked: number;
}

const LF = 0x0a;
const CR = 0x0d;

const faultRefusals: Readonly<Record<DataFault, RefusalName>> = {
  'bare-line-ending': 'badLineEnding',
  'long-line': 'longLine',
};

export class MailSession {
  readonly #config: SessionConfig;
  readonly #input = new ReceiveBuffer();
  #actions: Action[] = [];
  #state: State = { name: 'greeted' };
  #heloName = '';
  #extended = false;
  #secure: boolean;
  #user: string | undefined;
  #errors = 0;
  #authFailures = 0;
  #messages = 0;
  readonly #endsAtMs: number;
  #activeAtMs: number;

  /** @param nowMs monotonic time, here and in every other call */
  constructor(config: SessionConfig, secure: boolean, nowMs: number) {
    this.#config = config;
    this.#secure = secure;
    this.#activeAtMs = nowMs;
    this.#endsAtMs = nowMs + config.limits.sessionTimeoutMs;
  }

  /** What a new connection hears first. */
  greet(): Action[] {
    this.#reply({ code: 220, lines: [`${this.#config.hostname} ESMTP Octet`] });
    return this.#taken();
  }

  get closed(): boolean {
    return this.#state.name === 'closed';
  }

  /** While true, nothing that arrives is looked at: stop reading from the peer. */
  get waiting(): boolean {
    return this.#state.name === 'waiting';
  }

  /** When `expire` must be called, in monotonic milliseconds. */
  get deadlineMs(): number {
    if (this.#state.name === 'waiting') return this.#endsAtMs;
    const { dataTimeoutMs, commandTimeoutMs } = this.#config.limits;
    const silenceMs = this.#state.name === 'data' ? dataTimeoutMs : commandTimeoutMs;
    return Math.min(this.#activeAtMs + silenceMs, this.#endsAtMs);
  }

  /** @returns actions if the deadline has passed */
  expire(nowMs: number): Action[] {
    if (nowMs < this.deadlineMs || this.closed) return [];
    return this.#leave('timeout');
  }

  /** The service is going away: between commands the peer is told, within a message it is cut off. */
  shutdown(): Action[] {
    return this.closed || this.waiting ? [] : this.#leave('shutdown');
  }

  receive(chunk: Buffer, nowMs: number): Action[] {
    this.#activeAtMs = nowMs;
    if (this.closed) return [];
    this.#input.append(chunk);
    return this.#run();
  }

  /** The answer to `commit`. */
  stored(outcome: StoreOutcome, nowMs: number): Action[] {
    this.#resume('commit', nowMs);
    if (outcome.ok) this.#reply({ code: 250, enhanced: '2.6.0', lines: [outcome.detail] });
    // Any reply would be a claim: 4yz says that nothing was taken. A sender without one knows that it cannot know.
    else if (outcome.refusal === 'unknown') this.#close();
    else this.#reply(refusal(outcome.refusal));
    return this.#run();
  }

  /** The answer to `authenticate`. */
  authenticated(username: string | undefined, nowMs: number): Action[] {
    this.#resume('authenticate', nowMs);
    if (username !== undefined) {
      this.#user = username;
      this.#reply({ code: 235, enhanced: '2.7.0', lines: ['authentication successful'] });
      return this.#run();
    }
    this.#reply(refusal('authFailed'));
    this.#authFailures++;
    return this.#authFailures >= this.#config.limits.maxAuthFailures
      ? this.#leave('tooManyErrors')
      : this.#run();
  }

  /** TLS is up: all that was said before is forgotten. RFC 3207 section 4.2. */
  secured(nowMs: number): Action[] {
    this.#resume('start-tls', nowMs);
    this.#input.clear();
    this.#secure = true;
    this.#user = undefined;
    this.#extended = false;
    this.#state = { name: 'greeted' };
    return this.#taken();
  }

  #resume(on: 'commit' | 'authenticate' | 'start-tls', nowMs: number): void {
    this.#activeAtMs = nowMs;
    if (this.#state.name === 'waiting' && this.#state.on === on) this.#state = { name: 'ready' };
  }

  #taken(): Action[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  #reply(reply: Reply): void {
    const text = encodeReply(reply);
    const last = this.#actions.at(-1);
    // One write for all replies of one read, unless something else happens between them.
    if (last?.kind === 'write')
      this.#actions[this.#actions.length - 1] = { kind: 'write', text: last.text + text };
    else this.#actions.push({ kind: 'write', text });
  }

  /** Says why, and closes. */
  #leave(name: RefusalName): Action[] {
    if (this.#state.name === 'data') this.#actions.push({ kind: 'abort' });
    this.#reply(refusal(name));
    this.#close();
    return this.#taken();
  }

  #close(): void {
    this.#state = { name: 'closed' };
    this.#input.clear();
    this.#actions.push({ kind: 'close' });
  }

  #run(): Action[] {
    while (this.#input.length > 0 && !this.closed && !this.waiting) {
      const progressed = this.#state.name === 'data' ? this.#readData(this.#state) : this.#readLine();
      if (!progressed) break;
    }
    return this.#taken();
  }

  #readLine(): boolean {
    const view = this.#input.view();
    const { maxAuthLineBytes, maxCommandBytes } = this.#config.limits;
    const maxBytes = this.#state.name === 'auth' ? maxAuthLineBytes : maxCommandBytes;
    const lf = view.indexOf(LF);
    if (lf < 0) {
      if (view.length > maxBytes) this.#abandon('lineTooLong');
      return false;
    }
    if (lf === 0 || view[lf - 1] !== CR) {
      // Between commands a bare LF has no honest sender: it is a smuggled or a foreign protocol's request.
      this.#abandon('bareLineFeed');
      return false;
    }
    const line = view.subarray(0, lf - 1);
    this.#input.consume(lf + 1);
    if (lf + 1 > this.#lineLimit(line)) this.#refuse('lineTooLong');
    else if (this.#state.name === 'auth') this.#authLine(this.#state.exchange, line.toString('latin1'));
    else this.#command(line);
    return true;
  }

  /** AUTH may carry a whole token in its own line. RFC 4954 section 4. */
  #lineLimit(line: Buffer): number {
    const { maxAuthLineBytes, maxCommandBytes } = this.#config.limits;
    const isAuth = this.#state.name === 'auth' || line.toString('latin1', 0, 5).toUpperCase() === 'AUTH ';
    return isAuth ? maxAuthLineBytes : maxCommandBytes;
  }

  #abandon(name: RefusalName): void {
    this.#reply(refusal(name));
    this.#close();
  }

  #refuse(name: RefusalName, detail?: string): void {
    this.#refuseWith(refusal(name, detail));
  }

  #refuseWith(reply: Reply): void {
    this.#reply(reply);
    this.#errors++;
    if (this.#errors >= this.#config.limits.maxErrors) this.#abandon('tooManyErrors');
  }

  #command(line: Buffer): void {
    const parsed = parseCommand(line);
    if (!parsed.ok) {
      if (parsed.close !== true) return this.#refuseWith(parsed.reply);
      this.#reply(parsed.reply);
      return this.#close();
    }
    const { command } = parsed;
    switch (command.verb) {
      case 'EHLO':
      case 'HELO':
        return this.#hello(command.verb, command.name);
      case 'MAIL':
        return this.#mail(command);
      case 'RCPT':
        return this.#rcpt(command);
      case 'DATA':
        return this.#data();
      case 'AUTH':
        return this.#auth(command);
      case 'STARTTLS':
        return this.#startTls();
      case 'RSET':
        this.#reset();
        return this.#reply({ code: 250, enhanced: '2.0.0', lines: ['reset'] });
      case 'NOOP':
        return this.#reply({ code: 250, enhanced: '2.0.0', lines: ['ok'] });
      case 'VRFY':
        // Never says who exists. RFC 5321 section 7.3.
        return this.#reply({ code: 252, enhanced: '2.1.5', lines: ['send some mail, I will try my best'] });
      case 'HELP':
        return this.#reply({
          code: 214,
          enhanced: '2.0.0',
          lines: ['EHLO HELO MAIL RCPT DATA RSET NOOP QUIT VRFY AUTH STARTTLS'],
        });
      case 'QUIT':
        this.#reply({ code: 221, enhanced: '2.0.0', lines: ['bye'] });
        return this.#close();
    }
  }

  #reset(): void {
    if (this.#state.name !== 'greeted') this.#state = { name: 'ready' };
  }

  #hello(verb: 'EHLO' | 'HELO', name: string): void {
    this.#heloName = name;
    this.#extended = verb === 'EHLO';
    this.#state = { name: 'ready' };
    const { hostname } = this.#config;
    this.#reply({
      code: 250,
      lines: verb === 'HELO' ? [hostname] : [`${hostname} greets ${name}`, ...this.#extensions()],
    });
  }

  #extensions(): string[] {
    const { limits, tlsAvailable } = this.#config;
    const offered = [
      'PIPELINING',
      `SIZE ${limits.maxMessageBytes}`,
      '8BITMIME',
      'SMTPUTF8',
      'ENHANCEDSTATUSCODES',
      'DSN',
    ];
    offered.push(`LIMITS MAILMAX=${limits.maxMessagesPerConnection} RCPTMAX=${limits.maxRecipients}`);
    if (tlsAvailable && !this.#secure) offered.push('STARTTLS');
    if (this.#mayAuthenticate()) offered.push('AUTH PLAIN LOGIN');
    return offered;
  }

  #mayAuthenticate(): boolean {
    return this.#secure || this.#config.plaintextAuth;
  }

  #mail(command: Extract<Command, { verb: 'MAIL' }>): void {
    if (this.#state.name !== 'ready')
      return this.#refuse('sequence', this.#state.name === 'greeted' ? 'EHLO first' : 'nested MAIL');
    if (this.#config.requireAuth && this.#user === undefined) return this.#refuse('authRequired');
    const { parameters } = command;
    if (!command.ascii && parameters.smtputf8 !== true) return this.#refuse('needsUtf8');
    if ((parameters.sizeBytes ?? 0) > this.#config.limits.maxMessageBytes) return this.#refuse('tooLarge');
    if (this.#messages >= this.#config.limits.maxMessagesPerConnection)
      return this.#abandon('tooManyMessages');
    if (!this.#config.admits()) return this.#refuse('rate');
    this.#messages++;
    const transaction: Transaction = { from: command.from, parameters, recipients: [], asked: 0 };
    this.#state = { name: 'mail', transaction };
    this.#reply({ code: 250, enhanced: '2.1.0', lines: ['sender ok'] });
  }

  #rcpt(command: Extract<Command, { verb: 'RCPT' }>): void {
    if (this.#state.name !== 'mail' && this.#state.name !== 'rcpt')
      return this.#refuse('sequence', 'MAIL first');
    const { transaction } = this.#state;
    transaction.asked++;
    if (!command.ascii && transaction.parameters.smtputf8 !== true) return this.#refuse('needsUtf8');
    if (transaction.recipients.length >= this.#config.limits.maxRecipients) {
      // Not counted as an error: RFC 5321 section 4.5.3.1.10 has the client send the rest later.
      return this.#reply(refusal('tooManyRecipients'));
    }
    const verdict = this.#config.accepts(command.to);
    if (verdict !== 'yes') return this.#refuse(verdict === 'relay' ? 'relay' : 'noMailbox');
    transaction.recipients.push({ mailbox: command.to, parameters: command.parameters });
    this.#state = { name: 'rcpt', transaction };
    this.#reply({ code: 250, enhanced: '2.1.5', lines: ['recipient ok'] });
  }

  #data(): void {
    if (this.#state.name === 'mail') {
      const { asked } = this.#state.transaction;
      return this.#refuse(asked > 0 ? 'noRecipients' : 'sequence', asked > 0 ? undefined : 'RCPT first');
    }
    if (this.#state.name !== 'rcpt') return this.#refuse('sequence', 'MAIL first');
    const { transaction } = this.#state;
    this.#actions.push({ kind: 'open', envelope: this.#envelope(transaction) });
    this.#state = {
      name: 'data',
      reader: new DataReader(this.#config.limits.maxTextLineBytes),
      refused: undefined,
    };
    this.#reply({ code: 354, lines: ['end with <CR><LF>.<CR><LF>'] });
  }

  #envelope(transaction: Transaction): Envelope {
    const { from, recipients, parameters } = transaction;
    const base = parameters.smtputf8 === true ? 'UTF8SMTP' : this.#extended ? 'ESMTP' : 'SMTP';
    const protocol = `${base}${this.#secure ? 'S' : ''}${this.#user === undefined ? '' : 'A'}`;
    return { from, recipients, parameters, heloName: this.#heloName, protocol, user: this.#user };
  }

  #readData(state: Extract<State, { name: 'data' }>): boolean {
    const chunk = state.reader.read(this.#input.view());
    this.#input.consume(chunk.consumed);
    if (state.refused === undefined) {
      if (state.reader.sizeBytes > this.#config.limits.maxMessageBytes) this.#refuseData(state, 'tooLarge');
      else this.#checkFault(state);
    }
    if (state.refused === undefined)
      for (const bytes of chunk.parts) this.#actions.push({ kind: 'data', bytes });
    if (chunk.ended) this.#endData(state);
    return true;
  }

  #checkFault(state: Extract<State, { name: 'data' }>): void {
    const { fault } = state.reader;
    const tolerated = fault === 'bare-line-ending' && this.#config.bareLineEndings === 'keep';
    if (fault !== undefined && !tolerated) this.#refuseData(state, faultRefusals[fault]);
  }

  /** The rest is still read to its real end: stopping early would make commands of message bytes. */
  #refuseData(state: Extract<State, { name: 'data' }>, name: RefusalName): void {
    state.refused = name;
    this.#actions.push({ kind: 'abort' });
  }

  #endData(state: Extract<State, { name: 'data' }>): void {
    if (state.refused === undefined) {
      this.#state = { name: 'waiting', on: 'commit' };
      this.#actions.push({ kind: 'commit' });
      return;
    }
    this.#state = { name: 'ready' };
    this.#refuse(state.refused);
  }

  #auth(command: Extract<Command, { verb: 'AUTH' }>): void {
    if (!this.#extended || this.#state.name !== 'ready')
      return this.#refuse('sequence', 'AUTH comes between EHLO and MAIL');
    if (this.#user !== undefined) return this.#refuse('sequence', 'already authenticated');
    if (!this.#mayAuthenticate()) return this.#refuse('authNeedsTls');
    const exchange = startAuth(command.mechanism);
    if (exchange === undefined) return this.#refuse('authMechanism', command.mechanism);
    this.#state = { name: 'auth', exchange };
    // "=" is the empty initial response. RFC 4954 section 4.
    if (command.initial === undefined) this.#challenge(exchange);
    else this.#authLine(exchange, command.initial === '=' ? '' : command.initial);
  }

  #challenge(exchange: AuthExchange): void {
    this.#reply({ code: 334, lines: [exchange.challenge()] });
  }

  #authLine(exchange: AuthExchange, line: string): void {
    this.#state = { name: 'ready' };
    if (line === '*') return this.#refuse('authCancelled');
    const step = exchange.answer(line);
    if (step === 'malformed') return this.#refuse('authEncoding');
    if (step === 'more') {
      this.#state = { name: 'auth', exchange };
      return this.#challenge(exchange);
    }
    this.#state = { name: 'waiting', on: 'authenticate' };
    this.#actions.push({ kind: 'authenticate', ...step });
  }

  #startTls(): void {
    if (!this.#config.tlsAvailable) return this.#refuse('notImplemented', 'STARTTLS');
    if (this.#secure || (this.#state.name !== 'ready' && this.#state.name !== 'greeted'))
      return this.#refuse('sequence');
    this.#reply({ code: 220, enhanced: '2.0.0', lines: ['go ahead'] });
    // What the peer sent behind the command was sent in the clear: RFC 3207 section 6, CVE-2011-0411.
    this.#input.clear();
    this.#state = { name: 'waiting', on: 'start-tls' };
    this.#actions.push({ kind: 'start-tls' });
  }
}
