/**
 * Sockets ⇄ sessions: SMTP on one port, the inbox over HTTP on another, both over one store.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { openBlobs } from '../core/blobs/blobs.ts';
import type { Health, Host, RunningService } from '../core/lifecycle.ts';
import { isLoopback } from '../core/net/loopback.ts';
import type { Connection, Endpoint, Listener, TlsIdentity } from '../core/net/network.ts';
import { openServiceStore } from '../core/store/service-store.ts';
import type { Store } from '../core/store/types.ts';
import { type HttpServer, startHttpServer } from '../http/index.ts';
import type { MailContext } from './context.ts';
import { createDirectory, type Directory } from './engine/directory.ts';
import { refusal } from './errors.ts';
import { createInbox } from './inbox.ts';
import { DEFAULT_MAIL_LIMITS, type MailLimits } from './limits.ts';
import { createMailMetrics, type MailMetrics } from './metrics.ts';
import { loadWordDecoder } from './mime.ts';
import type { MailOptions } from './options.ts';
import { PeerRates } from './peer-rates.ts';
import type { SessionConfig } from './session.ts';
import { SmtpConnection } from './smtp-connection.ts';
import { MailStore } from './store.ts';
import { encodeReply } from './wire/reply.ts';

const STORE_FOLDER = 'store';
const BLOBS_FOLDER = 'blobs';

export interface Mail extends RunningService {
  readonly store: MailStore;
}

/** @throws NetError, StoreError, RangeError for options that contradict one another */
export async function startMail(options: MailOptions, host: Host): Promise<Mail> {
  const directory = createDirectory(options);
  await using undo = new AsyncDisposableStack();
  const store = undo.use(await openServiceStore(host, `${host.folder}/${STORE_FOLDER}`));
  const blobs = undo.use(await openBlobs({ ...host, folder: `${host.folder}/${BLOBS_FOLDER}` }));
  const mailStore = new MailStore(store, blobs);
  const swept = await mailStore.sweep();
  if (swept > 0) host.observer.log.info('removed messages that were never acknowledged', { swept });
  const server = new MailServer(options, host, directory, store, mailStore, await loadWordDecoder());
  undo.defer(() => server.stop(0));
  await server.listen();
  const resources = undo.move();
  let closing: Promise<void> | undefined;
  const close = (drainTimeoutMs = 5_000): Promise<void> => {
    closing ??= server.stop(drainTimeoutMs).then(() => resources.disposeAsync());
    return closing;
  };
  return {
    name: 'mail',
    endpoints: server.endpoints(),
    store: mailStore,
    state: { store, storeFolder: STORE_FOLDER, blobs, blobsFolder: BLOBS_FOLDER },
    health: () => server.health(),
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}

class MailServer implements MailContext {
  readonly host: Host;
  readonly options: MailOptions;
  readonly limits: MailLimits;
  readonly directory: Directory;
  readonly store: MailStore;
  readonly metrics: MailMetrics;
  readonly decodeWords: (value: string) => string;
  readonly #kernel: Store;
  readonly #rates: PeerRates;
  readonly #open = new Set<SmtpConnection>();
  #identity: Promise<TlsIdentity> | undefined;
  #smtp: Listener | undefined;
  #http: HttpServer | undefined;

  constructor(
    options: MailOptions,
    host: Host,
    directory: Directory,
    kernel: Store,
    store: MailStore,
    decodeWords: (value: string) => string,
  ) {
    this.options = options;
    this.host = host;
    this.limits = { ...DEFAULT_MAIL_LIMITS, ...options.limits };
    this.directory = directory;
    this.#kernel = kernel;
    this.store = store;
    this.decodeWords = decodeWords;
    this.metrics = createMailMetrics(host.observer, () => this.#open.size);
    this.#rates = new PeerRates(this.limits);
  }

  get identity(): (() => Promise<TlsIdentity>) | undefined {
    const { tls } = this.options;
    return tls === undefined ? undefined : () => (this.#identity ??= tls());
  }

  async listen(): Promise<void> {
    const { host: address, port, httpPort } = this.options;
    const refuse = (): string => encodeReply(refusal('tooManyConnections'));
    this.#smtp = await this.host.network.listen(
      { host: address, port, limits: this.limits.connections, refuse },
      (connection) => this.#accept(connection),
    );
    this.#http = await startHttpServer({
      host: this.host,
      address: { host: address, port: httpPort },
      handler: createInbox(this),
      name: 'inbox',
      limits: this.options.httpLimits ?? {},
    });
  }

  endpoints(): Record<string, Endpoint> {
    const endpoints: Record<string, Endpoint> = {};
    if (this.#smtp !== undefined) endpoints['main'] = this.#smtp.endpoint;
    if (this.#http !== undefined) endpoints['http'] = this.#http.endpoint;
    return endpoints;
  }

  health(): Health {
    const health = this.#kernel.health();
    return health.state === 'ok' ? health : { state: 'degraded', reason: health.reason };
  }

  async stop(drainTimeoutMs: number): Promise<void> {
    this.#smtp?.stop();
    for (const connection of this.#open) connection.shutdown();
    await Promise.all([this.#smtp?.close(drainTimeoutMs), this.#http?.close(drainTimeoutMs)]);
    await Promise.all([...this.#open].map((connection) => connection.settled()));
  }

  /** Hashing first makes the comparison take the same time whatever the lengths. */
  checkPassword(username: string, password: string): boolean {
    const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
    const userOk = timingSafeEqual(digest(username), digest(this.options.user));
    const passwordOk = timingSafeEqual(digest(password), digest(this.options.password));
    return userOk && passwordOk;
  }

  #accept(connection: Connection): void {
    const { address } = connection.remote;
    if (!this.#rates.connect(address)) {
      connection.attach({ data: () => undefined });
      connection.end(encodeReply(refusal('tooManyConnections')));
      return;
    }
    this.metrics.connections.add();
    const smtp = new SmtpConnection(this, connection, this.#sessionConfig(connection), () => {
      this.#open.delete(smtp);
      this.#rates.disconnect(address);
    });
    this.#open.add(smtp);
    smtp.start();
  }

  #sessionConfig(connection: Connection): SessionConfig {
    const { options, limits, directory, host } = this;
    const { address } = connection.remote;
    return {
      hostname: options.hostname,
      limits,
      tlsAvailable: options.tls !== undefined,
      plaintextAuth: isLoopback(address),
      requireAuth: options.requireAuth,
      bareLineEndings: options.bareLineEndings,
      accepts: (recipient) => directory.accepts(recipient),
      admits: () => this.#rates.admit(address, host.clock.monotonic()),
    };
  }
}
