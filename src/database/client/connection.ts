/**
 * One connection to a PostgreSQL server: login, then one statement at a time. For the driver in `client.ts`;
 * everything travels in text form.
 */
import { ReceiveBuffer } from '../../core/bytes/receive-buffer.ts';
import type { World } from '../../core/lifecycle.ts';
import type { Connection } from '../../core/net/network.ts';
import { DatabaseError, SQLSTATES, type SqlState } from '../errors.ts';
import { nodeHashing } from '../scram/hashing.ts';
import { MECHANISM, ScramClient } from '../scram/scram.ts';
import {
  AUTHENTICATION,
  type BackendMessage,
  decodeBackend,
  type FieldDescription,
  type TransactionStatus,
} from '../wire/backend.ts';
import { decodeFrame } from '../wire/frame.ts';
import { FrontendWriter } from '../wire/frontend.ts';
import type { NoticeFields } from '../wire/notice.ts';
import type { DatabaseTarget } from './url.ts';

export type ClientWorld = Pick<World, 'network' | 'clock' | 'random'>;

export interface ClientSettings extends DatabaseTarget {
  readonly applicationName: string;
  readonly connectTimeoutMs: number;
  /** For each statement; 0 is none. */
  readonly statementTimeoutMs: number;
  /** Bytes of one message of the server. */
  readonly maxMessageBytes: number;
}

export interface TextResult {
  readonly columns: readonly FieldDescription[];
  /** Null for NULL. */
  readonly rows: readonly (readonly (string | null)[])[];
  /** `INSERT 0 1`, `SELECT 3`, … */
  readonly tag: string;
}

const NONCE_BYTES = 18;

export class ClientConnection {
  readonly #connection: Connection;
  readonly #settings: ClientSettings;
  readonly #world: ClientWorld;
  readonly #input = new ReceiveBuffer();
  #status: TransactionStatus = 'I';
  #lost: Error | undefined;
  #wake: (() => void) | undefined;

  private constructor(connection: Connection, settings: ClientSettings, world: ClientWorld) {
    this.#connection = connection;
    this.#settings = settings;
    this.#world = world;
    connection.attach({
      data: (chunk) => {
        this.#input.append(chunk);
        this.#wake?.();
      },
      close: (cause) => {
        this.#lost ??= new DatabaseError('08006', 'the connection to the database was lost', { cause });
        this.#wake?.();
      },
    });
  }

  /** @throws DatabaseError 08006 when nobody answers, or what the server says of the login */
  static async open(settings: ClientSettings, world: ClientWorld): Promise<ClientConnection> {
    const { host, port, connectTimeoutMs } = settings;
    const connection = await world.network
      .connect({ host, port, timeoutMs: connectTimeoutMs })
      .catch((cause: unknown) => {
        throw new DatabaseError('08006', `the database at ${host}:${port} cannot be reached`, { cause });
      });
    const client = new ClientConnection(connection, settings, world);
    try {
      await client.#within(connectTimeoutMs, () => client.#login());
      return client;
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  /** False when the next statement would fail for sure. */
  get usable(): boolean {
    return this.#lost === undefined;
  }

  get status(): TransactionStatus {
    return this.#status;
  }

  /**
   * One statement, with parameters by the extended protocol. Not to be called again before it settles.
   * @throws DatabaseError with the server's SQLSTATE; 08007 when the connection broke meanwhile
   */
  query(sql: string, parameters: readonly (string | null)[]): Promise<TextResult> {
    const writer = new FrontendWriter();
    writer.parse('', sql);
    writer.bind('', '', parameters);
    writer.describePortal('');
    writer.execute('');
    writer.sync();
    return this.#within(this.#settings.statementTimeoutMs, async () => {
      this.#connection.write(writer.take());
      return (await this.#results())[0] ?? { columns: [], rows: [], tag: '' };
    });
  }

  /** Any number of statements in one text, by the simple protocol. */
  script(sql: string): Promise<TextResult[]> {
    const writer = new FrontendWriter();
    writer.query(sql);
    return this.#within(this.#settings.statementTimeoutMs, async () => {
      this.#connection.write(writer.take());
      return this.#results();
    });
  }

  close(): void {
    const writer = new FrontendWriter();
    writer.terminate();
    this.#lost ??= new DatabaseError('08000', 'the connection was closed');
    this.#connection.end(writer.take());
  }

  /** Until ReadyForQuery. The first error is thrown then, so that the connection can be used again. */
  async #results(): Promise<TextResult[]> {
    const results: TextResult[] = [];
    let columns: readonly FieldDescription[] = [];
    let rows: (string | null)[][] = [];
    let failure: DatabaseError | undefined;
    for (;;) {
      const message = await this.#next();
      switch (message.kind) {
        case 'row-description':
          columns = message.fields;
          break;
        case 'data-row':
          rows.push(message.values.map((value) => (value === null ? null : value.toString('utf8'))));
          break;
        case 'command-complete':
          results.push({ columns, rows, tag: message.tag });
          columns = [];
          rows = [];
          break;
        case 'error':
          failure ??= errorOf(message.fields);
          if (isFatal(message.fields)) throw this.#ended(failure);
          break;
        case 'ready':
          this.#status = message.status;
          if (failure !== undefined) throw failure;
          return results;
        case 'other':
          this.#refuseCopy(message.type);
          break;
        default:
          break;
      }
    }
  }

  /** A fatal error is the server's last word: no ReadyForQuery follows. */
  #ended(error: DatabaseError): DatabaseError {
    this.#lost ??= error;
    this.#connection.end();
    return error;
  }

  /** CopyInResponse waits for data that we do not have. */
  #refuseCopy(type: number): void {
    if (type !== 'G'.charCodeAt(0)) return;
    const error = new DatabaseError('0A000', 'COPY FROM STDIN is not supported by this client');
    this.#lost = error;
    this.#connection.destroy();
    throw error;
  }

  async #login(): Promise<void> {
    const { user, database, applicationName } = this.#settings;
    const writer = new FrontendWriter();
    writer.startup({ user, database, application_name: applicationName, client_encoding: 'UTF8' });
    this.#connection.write(writer.take());
    let scram: ScramClient | undefined;
    for (;;) {
      const message = await this.#next();
      if (message.kind === 'error') throw errorOf(message.fields);
      if (message.kind === 'ready') return;
      if (message.kind === 'authentication') scram = await this.#authenticate(message, scram);
    }
  }

  async #authenticate(
    { request, data }: Extract<BackendMessage, { kind: 'authentication' }>,
    scram: ScramClient | undefined,
  ): Promise<ScramClient | undefined> {
    const { password } = this.#settings;
    switch (request) {
      case AUTHENTICATION.ok:
        return scram;
      case AUTHENTICATION.sasl: {
        if (!data.toString('latin1').split('\0').includes(MECHANISM)) break;
        const fresh = new ScramClient(
          nodeHashing,
          password,
          this.#world.random.bytes(NONCE_BYTES).toString('base64'),
        );
        this.#send((writer) => writer.saslInitial(MECHANISM, fresh.first()));
        return fresh;
      }
      case AUTHENTICATION.saslContinue: {
        const final = await scram?.final(data.toString('utf8'));
        if (final === undefined)
          throw new DatabaseError('08P01', 'the server sent a malformed SCRAM message');
        this.#send((writer) => writer.saslResponse(final));
        return scram;
      }
      case AUTHENTICATION.saslFinal:
        if (scram?.verify(data.toString('utf8')) === true) return scram;
        throw new DatabaseError(
          '28000',
          'the server does not know the password: it is not who it seems to be',
        );
      default:
        break;
    }
    // Clear text and MD5 would give the password away to whoever answers.
    throw new DatabaseError(
      '28000',
      `the server asks for authentication ${request}; this client does ${MECHANISM}`,
    );
  }

  #send(write: (writer: FrontendWriter) => void): void {
    const writer = new FrontendWriter();
    write(writer);
    this.#connection.write(writer.take());
  }

  async #next(): Promise<BackendMessage> {
    for (;;) {
      const frame = decodeFrame(this.#input.view(), this.#settings.maxMessageBytes);
      if (frame.kind === 'malformed') throw this.#broken(frame.reason);
      if (frame.kind === 'frame') {
        const decoded = decodeBackend(frame.type, frame.body);
        this.#input.consume(frame.consumed);
        if (decoded.kind === 'malformed') throw this.#broken(decoded.reason);
        return decoded.message;
      }
      if (this.#lost !== undefined) throw this.#lost;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #broken(reason: string): DatabaseError {
    const error = new DatabaseError('08P01', `the server's answer is malformed: ${reason}`);
    this.#lost = error;
    this.#connection.destroy();
    return error;
  }

  /** A statement that takes too long leaves the connection in an unknown state, so it is given up. */
  async #within<Result>(timeoutMs: number, work: () => Promise<Result>): Promise<Result> {
    if (this.#lost !== undefined) throw this.#lost;
    if (timeoutMs === 0) return work();
    const timer = this.#world.clock.schedule(timeoutMs, () => {
      this.#lost ??= new DatabaseError('57014', `no answer from the database within ${timeoutMs} ms`);
      this.#connection.destroy();
      this.#wake?.();
    });
    try {
      return await work();
    } finally {
      timer.cancel();
    }
  }
}

/** `V` is never translated, but servers before 9.6 send only `S`. */
function isFatal(fields: NoticeFields): boolean {
  const severity = fields.get('V') ?? fields.get('S');
  return severity === 'FATAL' || severity === 'PANIC';
}

/** A code that we do not know ourselves becomes its class' general one; the message is the server's. */
function errorOf(fields: NoticeFields): DatabaseError {
  const code = fields.get('C') ?? 'XX000';
  const known = Object.hasOwn(SQLSTATES, code) ? (code as SqlState) : generalOf(code);
  return new DatabaseError(known, fields.get('M') ?? 'unknown error', {
    detail: fields.get('D'),
    hint: fields.get('H'),
    table: fields.get('t'),
    column: fields.get('c'),
    constraint: fields.get('n'),
  });
}

function generalOf(code: string): SqlState {
  const general = `${code.slice(0, 2)}000`;
  return Object.hasOwn(SQLSTATES, general) ? (general as SqlState) : 'XX000';
}
