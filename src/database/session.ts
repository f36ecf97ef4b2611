/**
 * One connection's protocol: bytes in, replies and waits out; no sockets, no clock.
 *
 *   startup ──▶ authenticating ──▶ ready ◀──▶ skipping ──▶ closed
 *                                    │  an error in the extended protocol skips to Sync
 *                                    └─ one activity at a time: a script (Query), a portal (Execute), a commit
 *
 * `step` works until it needs something, and says what: more input, room for output, a lock or a commit, or
 * merely another turn. It is then called again. PostgreSQL manual, sections 55.2 and 55.3.
 */

import { ByteReader, ShortRead } from '../core/bytes/reader.ts';
import { ReceiveBuffer } from '../core/bytes/receive-buffer.ts';
import { asDatabaseError, DatabaseError, type Severity, type SqlState } from './errors.ts';
import type { DatabaseLimits } from './limits.ts';
import { MECHANISM, type ScramHashing, ScramServer, type ScramVerifier } from './scram/scram.ts';
import { BackendWriter, type FieldDescription } from './wire/backend.ts';
import { decodeFrame, decodeStartupFrame } from './wire/frame.ts';
import { decodeFrontend, decodeStartup, type FrontendMessage, type StartupPacket } from './wire/frontend.ts';

type BindMessage = Extract<FrontendMessage, { kind: 'bind' }>;

/** A statement as the engine parsed it. */
export interface Parsed {
  readonly text: string;
  /** `name` of a DEALLOCATE, which concerns this session's own statements. */
  readonly statement: { readonly kind: string; readonly name?: unknown };
}

export interface PreparedStatement<P> {
  readonly parsed: P;
  readonly parameters: readonly number[];
}

export type PortalOutcome =
  | { readonly kind: 'done'; readonly tag: string }
  | { readonly kind: 'suspended' }
  | { readonly kind: 'again' }
  | { readonly kind: 'wait'; readonly subscribe: (granted: () => void) => () => void }
  | { readonly kind: 'commit'; readonly durable: Promise<void>; readonly tag: string };

export type WireRow = readonly (string | Buffer | null)[];

export interface PortalPort {
  /** Empty when it returns no rows. */
  describe(): readonly FieldDescription[];
  run(maxRows: number, sink: (row: WireRow) => void, more: () => boolean): PortalOutcome;
  close(): void;
}

/** The engine as the protocol needs it. One per connection, made when the user is known. */
export interface BackendPort<
  P extends Parsed = Parsed,
  S extends PreparedStatement<P> = PreparedStatement<P>,
> {
  readonly status: 'idle' | 'active' | 'failed';
  reportedSettings(): readonly (readonly [name: string, value: string])[];
  start(setting: string, value: string): void;
  parse(sql: string): P[];
  prepare(parsed: P, types: readonly number[]): S;
  describe(prepared: S): readonly FieldDescription[];
  /** @throws DatabaseError 22P02, 22P03, 08P01 */
  open(
    prepared: S,
    message: Pick<BindMessage, 'parameterFormats' | 'parameters' | 'resultFormats'>,
  ): PortalPort;
  beginStatement(): void;
  /** How long the running statement may still take, and how long it may wait for a lock. */
  remainingMs(): number | undefined;
  lockTimeoutMs(): number | undefined;
  endImplicit(): Promise<void> | undefined;
  fail(): void;
  cancel(): void;
  close(): void;
}

export interface SessionOptions {
  readonly user: string;
  readonly database: string;
  /** Undefined: everybody may enter. */
  readonly verifier: ScramVerifier | undefined;
  /** The verifier shown to users who do not exist; always the same for one name. */
  readonly mockVerifier: (user: string) => ScramVerifier;
  readonly hashing: ScramHashing;
  readonly serverNonce: string;
  readonly tls: boolean;
  readonly secure: boolean;
  readonly limits: DatabaseLimits;
  readonly processId: number;
  readonly secret: Buffer;
}

export interface SessionEvents {
  /** The user is known: makes the engine's side. */
  authenticated(parameters: ReadonlyMap<string, string>, client: ClientEvents): BackendPort;
  cancelRequested(processId: number, secret: Buffer): void;
  /** A statement begins. @returns what to call when it has ended, with its tag or SQLSTATE */
  statement(sql: string): (outcome: string) => void;
  /** Authentication failed, for the log. */
  refused(user: string, reason: string): void;
}

/** What the engine tells the client outside of results. */
export interface ClientEvents {
  notice(notice: { readonly severity: Severity; readonly code: SqlState; readonly message: string }): void;
  parameterChanged(name: string, value: string): void;
}

export type Step =
  | { readonly kind: 'need-input' }
  /** Others should have a turn; nothing else is missing. */
  | { readonly kind: 'later' }
  /** There is much to send: write it out, and wait for the peer to read, before the next step. */
  | { readonly kind: 'flush' }
  | { readonly kind: 'start-tls' }
  | {
      readonly kind: 'wait';
      readonly until: Promise<unknown>;
      readonly timeoutMs: number | undefined;
      readonly timedOut: () => void;
    }
  /** Send what there is, then close. */
  | { readonly kind: 'close' };

type Activity =
  | { readonly kind: 'script'; readonly statements: readonly Parsed[]; at: number }
  | {
      readonly kind: 'portal';
      readonly portal: PortalPort;
      readonly maxRows: number;
      readonly script: boolean;
      rows: number;
    }
  | {
      readonly kind: 'settling';
      readonly durable: Promise<void>;
      state: 'pending' | 'done' | DatabaseError;
      /** The commit of a Sync: its failure is answered, and the Sync too. */
      readonly atSync: boolean;
      readonly finish: () => void;
    };

const STATUS_LETTERS = { idle: 'I', active: 'T', failed: 'E' } as const;
const PASSWORD_MESSAGE = 0x70;

type State =
  | { readonly kind: 'startup' }
  | { readonly kind: 'sasl-initial'; readonly parameters: ReadonlyMap<string, string> }
  | {
      readonly kind: 'sasl-final';
      readonly parameters: ReadonlyMap<string, string>;
      readonly scram: ScramServer;
    }
  | { readonly kind: 'ready' }
  | { readonly kind: 'skipping' }
  | { readonly kind: 'closed' };

interface StoredStatement {
  readonly prepared: PreparedStatement<Parsed> | undefined;
  readonly sql: string;
}

interface OpenPortal {
  readonly port: PortalPort | undefined;
  readonly sql: string;
  readonly parsed: Parsed | undefined;
}

export class Session {
  readonly #options: SessionOptions;
  readonly #events: SessionEvents;
  readonly #input = new ReceiveBuffer();
  readonly #output = new BackendWriter();
  readonly #statements = new Map<string, StoredStatement>();
  readonly #portals = new Map<string, OpenPortal>();
  #state: State = { kind: 'startup' };
  #backend: BackendPort | undefined;
  #activities: Activity[] = [];
  #sql = '';
  #ended: ((outcome: string) => void) | undefined;
  #secure: boolean;
  #wake: (() => void) | undefined;
  #lockTimedOut = false;
  /** The unframed bytes that answer requests for encryption. */
  #encryption = '';

  constructor(options: SessionOptions, events: SessionEvents) {
    this.#options = options;
    this.#events = events;
    this.#secure = options.secure;
  }

  get authenticated(): boolean {
    return this.#backend !== undefined;
  }

  get transactionStatus(): 'idle' | 'active' | 'failed' {
    return this.#backend?.status ?? 'idle';
  }

  get pendingBytes(): number {
    return this.#output.length + this.#encryption.length;
  }

  get processId(): number {
    return this.#options.processId;
  }

  receive(chunk: Buffer): void {
    this.#input.append(chunk);
  }

  takeOutput(): Buffer {
    const answer = this.#encryption;
    this.#encryption = '';
    return answer === ''
      ? this.#output.take()
      : Buffer.concat([Buffer.from(answer, 'latin1'), this.#output.take()]);
  }

  /** TLS is up: the startup message comes again, encrypted. */
  secured(): void {
    this.#secure = true;
  }

  /** The running statement, if any, ends with 57014. */
  cancel(): void {
    this.#backend?.cancel();
    this.#wake?.();
  }

  /** Says the last words and closes: idle too long, shutting down. */
  terminate(error: DatabaseError): void {
    if (this.#state.kind === 'closed') return;
    this.#output.error(error);
    this.#close();
  }

  /** The connection is gone. */
  disconnected(): void {
    this.#close();
  }

  #close(): void {
    this.#state = { kind: 'closed' };
    this.#activities = [];
    this.#backend?.close();
    this.#ended?.('08006');
    this.#ended = undefined;
  }

  step(): Step {
    for (;;) {
      if (this.#state.kind === 'closed') return { kind: 'close' };
      if (this.#output.length >= this.#options.limits.outputChunkBytes) return { kind: 'flush' };
      const step = this.#guard(() => (this.#activities.length > 0 ? this.#advance() : this.#read()));
      if (step !== undefined) return step;
    }
  }

  /** Nothing thrown passes this point: errors become replies. */
  #guard(body: () => Step | undefined): Step | undefined {
    try {
      return body();
    } catch (thrown) {
      this.#failed(asDatabaseError(thrown));
      return undefined;
    }
  }

  #failed(error: DatabaseError): void {
    const inScript = this.#activities.some((activity) => activity.kind === 'script');
    this.#activities = [];
    this.#backend?.fail();
    this.#output.error(error, this.#sql);
    this.#endStatement(error.code);
    if (error.severity === 'FATAL' || this.#backend === undefined) this.#close();
    else if (inScript) this.#ready();
    else this.#state = { kind: 'skipping' };
  }

  #endStatement(outcome: string): void {
    this.#ended?.(outcome);
    this.#ended = undefined;
  }

  #ready(): void {
    this.#output.ready(STATUS_LETTERS[this.#backend!.status]);
    this.#state = { kind: 'ready' };
  }

  // Reading

  #read(): Step | undefined {
    const { limits } = this.#options;
    if (this.#state.kind === 'startup') return this.#readStartup();
    const maxBytes = this.#backend === undefined ? limits.maxAuthenticationBytes : limits.maxMessageBytes;
    const framed = decodeFrame(this.#input.view(), maxBytes);
    if (framed.kind === 'need-more') return { kind: 'need-input' };
    if (framed.kind === 'malformed') throw fatal('08P01', framed.reason);
    // The body is a view of the buffer: consumed first, it stays valid until the next chunk is appended.
    this.#input.consume(framed.consumed);
    if (this.#backend === undefined) return this.#readPassword(framed.type, framed.body);
    const decoded = decodeFrontend(framed.type, framed.body);
    if (decoded.kind === 'malformed') throw fatal('08P01', decoded.reason);
    return this.#handle(decoded.message);
  }

  #readStartup(): Step | undefined {
    const framed = decodeStartupFrame(this.#input.view(), this.#options.limits.maxStartupBytes);
    if (framed.kind === 'need-more') return { kind: 'need-input' };
    if (framed.kind === 'malformed')
      throw fatal('08P01', `invalid length of startup packet: ${framed.reason}`);
    this.#input.consume(framed.consumed);
    const decoded = decodeStartup(framed.body);
    if (decoded.kind === 'malformed') throw fatal('08P01', decoded.reason);
    return this.#startupPacket(decoded.packet);
  }

  #startupPacket(packet: StartupPacket): Step | undefined {
    switch (packet.kind) {
      case 'cancel':
        this.#events.cancelRequested(packet.processId, Buffer.from(packet.secretKey));
        this.#close();
        return undefined;
      case 'gssenc-request':
        return this.#refuseEncryption();
      case 'ssl-request':
        return this.#answerTls();
      default:
        return this.#startup(packet.major, packet.minor, packet.parameters);
    }
  }

  #refuseEncryption(): undefined {
    this.#encryption += 'N';
    return undefined;
  }

  /** Bytes that came behind the request in the clear may be an attacker's: the connection is closed. */
  #answerTls(): Step | undefined {
    if (this.#secure || !this.#options.tls) return this.#refuseEncryption();
    if (this.#input.length > 0) throw fatal('08P01', 'received unencrypted data after SSL request');
    this.#encryption += 'S';
    return { kind: 'start-tls' };
  }

  #startup(major: number, minor: number, parameters: ReadonlyMap<string, string>): undefined {
    if (major !== 3)
      throw fatal('0A000', `unsupported frontend protocol ${major}.${minor}: server supports 3.0 to 3.0`);
    const user = parameters.get('user') ?? '';
    if (user === '') throw fatal('28000', 'no PostgreSQL user name specified in startup packet');
    if ((parameters.get('replication') ?? 'false') !== 'false')
      throw fatal('0A000', 'replication is not supported');
    const unknown = [...parameters.keys()].filter((name) => name.startsWith('_pq_.'));
    if (minor > 0 || unknown.length > 0) this.#output.negotiateProtocolVersion(0, unknown);
    if (this.#options.verifier === undefined) {
      if (user !== this.#options.user) throw this.#unknownUser(user);
      this.#enter(parameters);
      return undefined;
    }
    this.#output.authenticationSasl([MECHANISM]);
    this.#state = { kind: 'sasl-initial', parameters };
    return undefined;
  }

  #unknownUser(user: string): DatabaseError {
    this.#events.refused(user, 'role does not exist');
    return fatal('28000', `role "${user}" does not exist`);
  }

  #readPassword(type: number, body: Buffer): undefined {
    if (type !== PASSWORD_MESSAGE) throw fatal('08P01', `expected SASL response, got message type ${type}`);
    const state = this.#state;
    if (state.kind === 'sasl-initial') this.#saslInitial(body, state.parameters);
    else if (state.kind === 'sasl-final') this.#saslFinal(body.toString('utf8'), state);
    return undefined;
  }

  #saslInitial(body: Buffer, parameters: ReadonlyMap<string, string>): void {
    const initial = decodeSaslInitial(body);
    if (initial === undefined) throw fatal('08P01', 'malformed SASL message');
    if (initial.mechanism !== MECHANISM)
      throw fatal('08P01', 'client selected an invalid SASL authentication mechanism');
    const { user, verifier, mockVerifier, serverNonce, hashing } = this.#options;
    const asked = parameters.get('user')!;
    const known = asked === user;
    const scram = new ScramServer(hashing, known ? verifier! : mockVerifier(asked), known, serverNonce);
    const step = scram.first(initial.response);
    if (!step.ok) throw this.#saslFailure(asked, step.reason);
    this.#output.authenticationSaslContinue(step.reply);
    this.#state = { kind: 'sasl-final', parameters, scram };
  }

  #saslFinal(response: string, { scram, parameters }: Extract<State, { kind: 'sasl-final' }>): void {
    const user = parameters.get('user')!;
    const step = scram.final(response);
    if (step.outcome === 'malformed') throw this.#saslFailure(user, step.reason);
    if (step.outcome === 'refused') {
      this.#events.refused(user, 'wrong password');
      throw fatal('28P01', `password authentication failed for user "${user}"`);
    }
    this.#output.authenticationSaslFinal(step.reply);
    this.#enter(parameters);
  }

  #saslFailure(user: string, reason: string): DatabaseError {
    this.#events.refused(user, reason);
    return fatal('08P01', reason);
  }

  #enter(parameters: ReadonlyMap<string, string>): void {
    const database = parameters.get('database') ?? parameters.get('user')!;
    if (database !== this.#options.database) throw fatal('3D000', `database "${database}" does not exist`);
    this.#output.authenticationOk();
    const backend = this.#events.authenticated(parameters, {
      notice: ({ severity, code, message }) =>
        this.#output.notice(new DatabaseError(code, message, { severity })),
      parameterChanged: (name, value) => this.#output.parameterStatus(name, value),
    });
    this.#applyParameters(backend, parameters);
    this.#backend = backend;
    for (const [name, value] of backend.reportedSettings()) this.#output.parameterStatus(name, value);
    this.#output.backendKey(this.#options.processId, this.#options.secret);
    this.#ready();
  }

  #applyParameters(backend: BackendPort, parameters: ReadonlyMap<string, string>): void {
    try {
      for (const [name, value] of parameters) {
        if (name === 'options')
          for (const [key, setting] of startupOptions(value)) backend.start(key, setting);
        else if (!['user', 'database', 'replication'].includes(name) && !name.startsWith('_pq_.'))
          backend.start(name, value);
      }
    } catch (thrown) {
      const error = asDatabaseError(thrown);
      throw new DatabaseError(error.code, error.message, { ...error.fields, severity: 'FATAL' });
    }
  }

  // Messages

  #handle(message: FrontendMessage): undefined {
    if (this.#state.kind === 'skipping' && message.kind !== 'sync' && message.kind !== 'terminate')
      return undefined;
    switch (message.kind) {
      case 'query':
        return this.#query(message.sql);
      case 'parse':
        return this.#parse(message.statement, checkedSql(message.sql), message.parameterTypes);
      case 'bind':
        return this.#bind(message);
      case 'describe':
        return this.#describe(message.what, message.name);
      case 'execute':
        return this.#execute(message.portal, message.maxRows);
      case 'close':
        return this.#closeObject(message.what, message.name);
      case 'flush':
        return undefined;
      case 'sync':
        return this.#sync();
      case 'terminate':
        this.#close();
        return undefined;
      case 'copy-data':
      case 'copy-done':
      case 'copy-fail':
        // What a client still sends of a COPY that was refused.
        return undefined;
      case 'function-call':
        throw new DatabaseError('0A000', 'function call messages are not supported');
      default:
        throw fatal('08P01', `unexpected message of kind ${message.kind}`);
    }
  }

  #begin(sql: string): void {
    this.#endStatement('00000');
    this.#sql = sql;
    this.#ended = this.#events.statement(sql);
    this.#backend!.beginStatement();
  }

  #query(sql: string): undefined {
    this.#begin(sql);
    this.#closePortal('');
    this.#statements.delete('');
    const script: Activity = { kind: 'script', statements: [], at: 0 };
    this.#activities = [script];
    const statements = this.#backend!.parse(checkedSql(sql));
    if (statements.length === 0) this.#output.emptyQuery();
    this.#activities = [{ ...script, statements }];
    return undefined;
  }

  #parse(name: string, sql: string, types: readonly number[]): undefined {
    this.#begin(sql);
    if (name !== '' && this.#statements.has(name))
      throw new DatabaseError('42P05', `prepared statement "${name}" already exists`);
    if (this.#statements.size >= this.#options.limits.maxStatementsPerSession)
      throw new DatabaseError('53400', 'too many prepared statements in this session', {
        hint: 'Close statements that are no longer used.',
      });
    const parsed = this.#backend!.parse(sql);
    if (parsed.length > 1)
      throw new DatabaseError('42601', 'cannot insert multiple commands into a prepared statement');
    const prepared = parsed.length === 0 ? undefined : this.#backend!.prepare(parsed[0]!, types);
    this.#statements.set(name, { prepared, sql });
    this.#output.parseComplete();
    return undefined;
  }

  #bind(message: BindMessage): undefined {
    const stored = this.#statement(message.statement);
    this.#sql = stored.sql;
    if (this.#ended === undefined) this.#begin(stored.sql);
    if (message.portal !== '' && this.#portals.has(message.portal))
      throw new DatabaseError('42P03', `cursor "${message.portal}" already exists`);
    this.#closePortal(message.portal);
    if (this.#portals.size >= this.#options.limits.maxStatementsPerSession)
      throw new DatabaseError('53400', 'too many portals in this session');
    const wanted = stored.prepared?.parameters.length ?? 0;
    if (message.parameters.length !== wanted)
      throw new DatabaseError(
        '08P01',
        `bind message supplies ${message.parameters.length} parameters, but prepared statement "${message.statement}" requires ${wanted}`,
      );
    const port = stored.prepared === undefined ? undefined : this.#backend!.open(stored.prepared, message);
    this.#portals.set(message.portal, { port, sql: stored.sql, parsed: stored.prepared?.parsed });
    this.#output.bindComplete();
    return undefined;
  }

  #statement(name: string): StoredStatement {
    const stored = this.#statements.get(name);
    if (stored === undefined)
      throw new DatabaseError(
        '26000',
        name === ''
          ? 'unnamed prepared statement does not exist'
          : `prepared statement "${name}" does not exist`,
      );
    return stored;
  }

  #portal(name: string): OpenPortal {
    const portal = this.#portals.get(name);
    if (portal === undefined) throw new DatabaseError('34000', `portal "${name}" does not exist`);
    return portal;
  }

  #closePortal(name: string): void {
    this.#portals.get(name)?.port?.close();
    this.#portals.delete(name);
  }

  #describe(target: 'statement' | 'portal', name: string): undefined {
    if (target === 'portal') {
      this.#describeColumns(this.#portal(name).port?.describe() ?? []);
      return undefined;
    }
    const { prepared } = this.#statement(name);
    this.#output.parameterDescription(prepared?.parameters ?? []);
    this.#describeColumns(prepared === undefined ? [] : this.#backend!.describe(prepared));
    return undefined;
  }

  #describeColumns(columns: readonly FieldDescription[]): void {
    if (columns.length === 0) this.#output.noData();
    else this.#output.rowDescription(columns);
  }

  #execute(name: string, maxRows: number): undefined {
    const { port, sql, parsed } = this.#portal(name);
    if (this.#ended === undefined) this.#begin(sql);
    this.#sql = sql;
    this.#deallocate(parsed);
    if (port === undefined) this.#output.emptyQuery();
    else this.#activities = [{ kind: 'portal', portal: port, maxRows, script: false, rows: 0 }];
    return undefined;
  }

  /** DEALLOCATE of one statement. @throws DatabaseError 26000 */
  #deallocate(parsed: Parsed | undefined): void {
    if (parsed?.statement.kind !== 'deallocate') return;
    const { name } = parsed.statement;
    if (typeof name !== 'string') return;
    this.#statement(name);
    this.#statements.delete(name);
  }

  #closeObject(target: 'statement' | 'portal', name: string): undefined {
    if (target === 'statement') this.#statements.delete(name);
    else this.#closePortal(name);
    this.#output.closeComplete();
    return undefined;
  }

  /** The end of a pipeline: what was not begun by BEGIN is committed. */
  #sync(): undefined {
    const finish = (): void => {
      this.#dropPortals();
      this.#endStatement('00000');
      this.#ready();
    };
    this.#state = { kind: 'ready' };
    const durable = this.#backend!.endImplicit();
    if (durable === undefined) finish();
    else this.#settle(durable, finish, true);
    return undefined;
  }

  /** Portals live as long as their transaction. */
  #dropPortals(): void {
    if (this.#backend!.status === 'idle')
      for (const name of [...this.#portals.keys()]) this.#closePortal(name);
  }

  // Activities

  #settle(durable: Promise<void>, finish: () => void, atSync = false): void {
    const activity: Extract<Activity, { kind: 'settling' }> = {
      kind: 'settling',
      durable,
      state: 'pending',
      atSync,
      finish,
    };
    durable.then(
      () => {
        activity.state = 'done';
      },
      (thrown: unknown) => {
        activity.state = asDatabaseError(thrown);
      },
    );
    this.#activities.push(activity);
  }

  #advance(): Step | undefined {
    const activity = this.#activities.at(-1)!;
    switch (activity.kind) {
      case 'settling':
        return this.#advanceSettling(activity);
      case 'portal':
        return this.#advancePortal(activity);
      default:
        return this.#advanceScript(activity);
    }
  }

  #advanceSettling(activity: Extract<Activity, { kind: 'settling' }>): Step | undefined {
    if (activity.state === 'pending') {
      const until = activity.durable.catch(() => undefined);
      return { kind: 'wait', until, timeoutMs: undefined, timedOut: () => undefined };
    }
    this.#activities.pop();
    if (activity.state !== 'done') {
      if (!activity.atSync) throw activity.state;
      this.#output.error(activity.state);
      this.#endStatement(activity.state.code);
      this.#backend!.fail();
      if (activity.state.severity === 'FATAL') this.#close();
      else activity.finish();
      return undefined;
    }
    activity.finish();
    return undefined;
  }

  #advanceScript(script: Extract<Activity, { kind: 'script' }>): Step | undefined {
    const parsed = script.statements[script.at++];
    const backend = this.#backend!;
    if (parsed === undefined) {
      const durable = backend.endImplicit();
      const finish = (): void => {
        this.#activities = [];
        this.#dropPortals();
        this.#endStatement('00000');
        this.#ready();
      };
      if (durable === undefined) finish();
      else this.#settle(durable, finish);
      return undefined;
    }
    this.#deallocate(parsed);
    const prepared = backend.prepare(parsed, []);
    if (prepared.parameters.length > 0) throw new DatabaseError('42P02', 'there is no parameter $1');
    const port = backend.open(prepared, { parameterFormats: [], parameters: [], resultFormats: [] });
    const columns = port.describe();
    if (columns.length > 0) this.#output.rowDescription(columns);
    this.#activities.push({ kind: 'portal', portal: port, maxRows: 0, script: true, rows: 0 });
    return undefined;
  }

  #advancePortal(activity: Extract<Activity, { kind: 'portal' }>): Step | undefined {
    if (this.#lockTimedOut) {
      this.#lockTimedOut = false;
      throw new DatabaseError('55P03', 'canceling statement due to lock timeout');
    }
    const chunk = this.#options.limits.outputChunkBytes;
    const left = activity.maxRows === 0 ? 0 : activity.maxRows - activity.rows;
    const outcome = activity.portal.run(
      left,
      (row) => {
        activity.rows++;
        this.#output.dataRow(row);
      },
      () => this.#output.length < chunk,
    );
    switch (outcome.kind) {
      case 'again':
        return this.#output.length >= chunk ? { kind: 'flush' } : { kind: 'later' };
      case 'wait':
        return this.#awaitLock(outcome.subscribe);
      case 'suspended':
        this.#activities.pop();
        this.#output.portalSuspended();
        return undefined;
      case 'commit':
        this.#activities.pop();
        this.#settle(outcome.durable, () => this.#complete(outcome.tag, activity.script));
        return undefined;
      default:
        this.#activities.pop();
        return this.#completeStatement(outcome.tag, activity.script);
    }
  }

  /** The last statement of a script is answered when the transaction it ends is durable. */
  #completeStatement(tag: string, inScript: boolean): undefined {
    const script = this.#activities.at(-1);
    const isLast = inScript && script?.kind === 'script' && script.at >= script.statements.length;
    const durable = isLast ? this.#backend!.endImplicit() : undefined;
    if (durable === undefined) this.#complete(tag, inScript);
    else this.#settle(durable, () => this.#complete(tag, inScript));
    return undefined;
  }

  #complete(tag: string, inScript: boolean): void {
    this.#output.commandComplete(tag);
    if (inScript) {
      this.#portals.delete('');
      return;
    }
    this.#endStatement(tag);
    if (tag === 'DISCARD ALL' || tag === 'DEALLOCATE ALL') this.#statements.clear();
  }

  #awaitLock(subscribe: (granted: () => void) => () => void): Step {
    const { promise: until, resolve } = Promise.withResolvers<void>();
    const leave = subscribe(resolve);
    this.#wake = () => {
      leave();
      resolve();
    };
    const lock = this.#backend!.lockTimeoutMs();
    const statement = this.#backend!.remainingMs();
    const byLock = lock !== undefined && (statement === undefined || lock < statement);
    return {
      kind: 'wait',
      until,
      timeoutMs: byLock ? lock : statement,
      timedOut: () => {
        this.#lockTimedOut = byLock;
        leave();
      },
    };
  }
}

function fatal(code: '08P01' | '0A000' | '28000' | '28P01' | '3D000', message: string): DatabaseError {
  return new DatabaseError(code, message, { severity: 'FATAL' });
}

/** Bytes that were no UTF-8 have become U+FFFD. @throws DatabaseError 22021 */
function checkedSql(sql: string): string {
  if (sql.includes('\ufffd')) throw new DatabaseError('22021', 'invalid byte sequence for encoding "UTF8"');
  return sql;
}

/** SASLInitialResponse: mechanism, then a response with its length. */
function decodeSaslInitial(
  body: Buffer,
): { readonly mechanism: string; readonly response: string } | undefined {
  const reader = new ByteReader(body);
  try {
    const mechanism = reader.cString();
    const length = reader.int32();
    return length < 0 || length !== reader.remaining
      ? undefined
      : { mechanism, response: reader.utf8(length) };
  } catch (thrown) {
    if (thrown instanceof ShortRead) return undefined;
    throw thrown;
  }
}

/** `-c name=value` and `--name=value`; a backslash keeps the next character. */
function startupOptions(text: string): [name: string, value: string][] {
  const words = [...text.matchAll(/(?:\\.|[^\s\\])+/g)].map(([word]) => word.replace(/\\(.)/g, '$1'));
  const options: [string, string][] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    const assignment =
      word === '-c'
        ? words[++i]
        : word.startsWith('-c')
          ? word.slice(2)
          : word.startsWith('--')
            ? word.slice(2)
            : undefined;
    const equals = assignment?.indexOf('=') ?? -1;
    if (assignment === undefined || equals < 1)
      throw new DatabaseError('42601', `invalid command-line argument for server process: ${word}`);
    options.push([assignment.slice(0, equals).replaceAll('-', '_'), assignment.slice(equals + 1)]);
  }
  return options;
}
