/**
 * Sends one message over SMTP: greeting, EHLO, STARTTLS where offered and wanted, AUTH, one transaction, QUIT.
 */
import { ReceiveBuffer } from '../core/bytes/receive-buffer.ts';
import type { Connection, Network, TlsClientOptions } from '../core/net/network.ts';
import type { Clock } from '../core/time/clock.ts';
import { MailError, type Reply } from './errors.ts';
import { isAscii, parseMailbox } from './wire/address.ts';
import { stuffData } from './wire/data-reader.ts';
import { decodeReply } from './wire/reply.ts';

export interface MailClientOptions {
  readonly network: Network;
  readonly clock: Clock;
  readonly host: string;
  readonly port: number;
  /** Our name in EHLO. Default `localhost`. */
  readonly name?: string;
  readonly auth?: { readonly user: string; readonly password: string };
  /** Present: STARTTLS must be offered and succeed. */
  readonly tls?: TlsClientOptions;
  /** For each reply. Default 30,000; RFC 5321 section 4.5.3.2 allows minutes. */
  readonly timeoutMs?: number;
}

export interface OutgoingMessage {
  /** Plain addresses; '' sends the null reverse-path. */
  readonly from: string;
  readonly to: readonly string[];
  /** Header and body; line endings are made CRLF. */
  readonly data: Uint8Array | string;
}

export interface SendResult {
  readonly accepted: readonly string[];
  readonly refused: readonly { readonly address: string; readonly reply: Reply }[];
  /** The reply after the message: the server has it now. */
  readonly reply: Reply;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const MAX_REPLY_BYTES = 64 * 1024;

/**
 * @throws MailError `refused` with the server's reply when no recipient or not the message was taken;
 *   `connection` when it broke (whether the message was taken is then unknown); `protocol`
 */
export async function sendMail(options: MailClientOptions, message: OutgoingMessage): Promise<SendResult> {
  for (const address of [message.from, ...message.to]) requireAddress(address);
  const client = await SmtpClient.open(options);
  try {
    return await client.transact(message);
  } finally {
    client.leave();
  }
}

/** An address with a line break in it would be a command of its own. */
function requireAddress(address: string): void {
  const parsed = address === '' ? undefined : parseMailbox(address);
  if (typeof parsed === 'string') throw new MailError('protocol', `${JSON.stringify(address)}: ${parsed}`);
}

class SmtpClient {
  readonly #connection: Connection;
  readonly #options: MailClientOptions;
  readonly #input = new ReceiveBuffer();
  #closed: Error | true | undefined;
  #wake: (() => void) | undefined;
  #extensions = new Set<string>();

  private constructor(connection: Connection, options: MailClientOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#attach();
  }

  static async open(options: MailClientOptions): Promise<SmtpClient> {
    const { network, host, port, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    const connection = await network.connect({ host, port, timeoutMs }).catch((cause: unknown) => {
      throw new MailError('connection', `cannot reach ${host}:${port}`, undefined, cause);
    });
    const client = new SmtpClient(connection, options);
    try {
      await client.#introduce();
      return client;
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  leave(): void {
    this.#connection.end('QUIT\r\n');
  }

  async transact(message: OutgoingMessage): Promise<SendResult> {
    const needsUtf8 = ![message.from, ...message.to].every(isAscii);
    if (needsUtf8 && !this.#extensions.has('SMTPUTF8')) {
      throw new MailError('protocol', 'the server does not take non-ASCII addresses');
    }
    await this.#command(`MAIL FROM:<${message.from}>${needsUtf8 ? ' SMTPUTF8' : ''}`, 250);
    const accepted: string[] = [];
    const refused: { address: string; reply: Reply }[] = [];
    for (const address of message.to) {
      const reply = await this.#exchange(`RCPT TO:<${address}>`);
      if (reply.code === 250 || reply.code === 251) accepted.push(address);
      else refused.push({ address, reply });
    }
    const [first] = refused;
    if (accepted.length === 0)
      throw refusedError('RCPT', first?.reply ?? { code: 554, lines: ['no recipients'] });
    await this.#command('DATA', 354);
    this.#connection.write(
      stuffData(typeof message.data === 'string' ? Buffer.from(message.data) : message.data),
    );
    const reply = await this.#reply();
    if (reply.code !== 250) throw refusedError('DATA', reply);
    return { accepted, refused, reply };
  }

  async #introduce(): Promise<void> {
    const greeting = await this.#reply();
    if (greeting.code !== 220) throw refusedError('greeting', greeting);
    await this.#hello();
    const { tls, auth } = this.#options;
    if (tls !== undefined) {
      await this.#command('STARTTLS', 220);
      // Anything behind the 220 was not sent inside TLS: RFC 3207 section 6.
      this.#input.clear();
      await this.#connection.startTlsClient(tls);
      this.#attach();
      await this.#hello();
    }
    if (auth !== undefined) {
      const token = Buffer.from(`\0${auth.user}\0${auth.password}`).toString('base64');
      await this.#command(`AUTH PLAIN ${token}`, 235, 'AUTH PLAIN');
    }
  }

  async #hello(): Promise<void> {
    const reply = await this.#command(`EHLO ${this.#options.name ?? 'localhost'}`, 250);
    this.#extensions = new Set(reply.lines.slice(1).map((line) => (line.split(' ')[0] ?? '').toUpperCase()));
  }

  async #command(line: string, expected: number, shown = line): Promise<Reply> {
    const reply = await this.#exchange(line);
    if (reply.code !== expected) throw refusedError(shown, reply);
    return reply;
  }

  #exchange(line: string): Promise<Reply> {
    this.#connection.write(Buffer.from(`${line}\r\n`));
    return this.#reply();
  }

  async #reply(): Promise<Reply> {
    const { clock, timeoutMs = DEFAULT_TIMEOUT_MS } = this.#options;
    const timer = clock.schedule(timeoutMs, () => {
      this.#closed ??= new MailError('connection', `no reply within ${timeoutMs} ms`);
      this.#wake?.();
    });
    try {
      for (;;) {
        const decoded = decodeReply(this.#input.view(), MAX_REPLY_BYTES);
        if (decoded.kind === 'malformed') throw new MailError('protocol', decoded.reason);
        if (decoded.kind === 'reply') {
          this.#input.consume(decoded.consumed);
          return decoded.reply;
        }
        if (this.#closed !== undefined) throw this.#lost();
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      timer.cancel();
    }
  }

  #lost(): MailError {
    if (this.#closed instanceof MailError) return this.#closed;
    return new MailError('connection', 'the server closed the connection', undefined, this.#closed);
  }

  #attach(): void {
    this.#connection.attach({
      data: (chunk) => {
        this.#input.append(chunk);
        this.#wake?.();
      },
      close: (cause) => {
        this.#closed ??= cause ?? true;
        this.#wake?.();
      },
    });
  }
}

function refusedError(command: string, reply: Reply): MailError {
  return new MailError(
    'refused',
    `${command}: ${reply.code} ${reply.enhanced ?? ''} ${reply.lines.join(' ')}`,
    reply,
  );
}
