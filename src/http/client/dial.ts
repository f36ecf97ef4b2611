/**
 * From a URL to a connection, phase by phase, each with its own time and its own error:
 *
 *   resolve ──▶ allowed? ──▶ connect (several addresses) ──▶ tunnel ──▶ TLS
 *              `allowAddress`   attempts.ts                  a proxy's
 */
import { codeOf, messageOf } from '../../core/errors.ts';
import { NetError } from '../../core/net/errors.ts';
import type { Connection } from '../../core/net/network.ts';
import { HttpClientError, type HttpClientErrorCode } from '../errors.ts';
import { attemptOrder, FailedAddresses, firstConnection } from './attempts.ts';
import { type Cancellation, within } from './cancellation.ts';
import { parseAddress } from './ip-address.ts';
import type { ClientSettings } from './options.ts';
import type { HttpProxy } from './proxy.ts';
import { openTunnel } from './tunnel.ts';
import { originOf, type RequestUrl } from './url.ts';

/** The way to an origin. */
export interface Route {
  readonly url: RequestUrl;
  readonly proxy: HttpProxy | undefined;
  /** Through the proxy by CONNECT rather than by absolute URLs. */
  readonly isTunnel: boolean;
}

/** Connections that are made with equal keys lead to the same place in the same way. */
export function routeKey({ url, proxy, isTunnel }: Route): string {
  if (proxy === undefined) return originOf(url);
  return isTunnel ? `tunnel ${originOf(url)}` : `proxy ${originOf(url)}`;
}

export class Dialler {
  readonly #settings: ClientSettings;
  readonly #failed: FailedAddresses;

  constructor(settings: ClientSettings) {
    const { addressFailureMs, maxFailedAddresses } = settings.bounds;
    this.#settings = settings;
    this.#failed = new FailedAddresses(addressFailureMs, maxFailedAddresses);
  }

  /** @throws HttpClientError, always `unsent` */
  async dial(route: Route, cancellation: Cancellation): Promise<Connection> {
    const { url, proxy, isTunnel } = route;
    const { host, port } = proxy ?? url;
    const addresses = await this.#addresses(host, cancellation);
    const connection = await this.#connect(host, port, addresses, cancellation);
    try {
      if (proxy !== undefined && isTunnel) await this.#tunnel(connection, proxy, url, cancellation);
      if (url.secure) await this.#startTls(connection, url, cancellation);
      cancellation.check();
      return connection;
    } catch (thrown) {
      connection.destroy();
      throw thrown;
    }
  }

  async #addresses(host: string, cancellation: Cancellation): Promise<readonly string[]> {
    const { resolve, clock, bounds } = this.#settings;
    cancellation.check();
    const isAddress = parseAddress(host) !== undefined;
    if (resolve === undefined || isAddress) return this.#allowed(host, [host]);
    const found = (async () => resolve(host))().catch((cause) => {
      throw failure('resolve-failed', `cannot resolve ${host}: ${messageOf(cause)}`, cause);
    });
    const late = (): HttpClientError => failure('resolve-timeout', `no addresses of ${host} in time`);
    const addresses = await within(clock, bounds.resolveTimeoutMs, cancellation, found, late);
    if (addresses.length === 0) throw failure('resolve-failed', `${host} has no address`);
    return this.#allowed(host, addresses);
  }

  #allowed(host: string, addresses: readonly string[]): readonly string[] {
    const { allowAddress } = this.#settings;
    if (allowAddress === undefined) return addresses;
    // Only what is an address beyond doubt: a name would be resolved once more, unseen.
    const allowed = addresses.filter(
      (address) => parseAddress(address) !== undefined && allowAddress(address),
    );
    if (allowed.length > 0) return allowed;
    throw new HttpClientError('address-refused', `${host} leads only to addresses that are not allowed`, {
      fault: 'local',
      unsent: true,
    });
  }

  async #connect(
    host: string,
    port: number,
    addresses: readonly string[],
    cancellation: Cancellation,
  ): Promise<Connection> {
    const { clock, bounds } = this.#settings;
    const failed = (address: string): void => this.#failed.add(`${address} ${port}`, clock.monotonic());
    const hasFailed = (address: string): boolean => this.#failed.has(`${address} ${port}`, clock.monotonic());
    const order = attemptOrder(addresses, hasFailed).slice(0, bounds.maxAddresses);
    const phase = new AbortController();
    const work = firstConnection(order, (address, signal) => this.#attempt(address, port, signal), {
      clock,
      attemptDelayMs: bounds.attemptDelayMs,
      signal: phase.signal,
      failed,
    });
    const late = (): HttpClientError => {
      for (const address of order) failed(address);
      return failure('connect-timeout', `${host}:${port} did not answer in ${bounds.connectTimeoutMs} ms`);
    };
    const discard = (connection: Connection): void => connection.destroy();
    try {
      return await within(clock, bounds.connectTimeoutMs, cancellation, work, late, discard);
    } catch (thrown) {
      phase.abort();
      throw connectError(thrown, `${host}:${port}`);
    }
  }

  async #attempt(address: string, port: number, signal: AbortSignal): Promise<Connection> {
    const { network, bounds, limits } = this.#settings;
    const connection = await network.connect({
      host: address,
      port,
      timeoutMs: bounds.connectTimeoutMs,
      maxBufferedBytes: limits.maxBufferedBytes,
      signal,
    });
    this.#failed.remove(`${address} ${port}`);
    return connection;
  }

  #tunnel(
    connection: Connection,
    proxy: HttpProxy,
    url: RequestUrl,
    cancellation: Cancellation,
  ): Promise<void> {
    const { clock, bounds, limits } = this.#settings;
    const opened = openTunnel(connection, proxy, url, limits, () => clock.monotonic());
    const late = (): HttpClientError => failure('proxy-timeout', 'the proxy opened no tunnel in time');
    return within(clock, bounds.tunnelTimeoutMs, cancellation, opened, late);
  }

  async #startTls(connection: Connection, url: RequestUrl, cancellation: Cancellation): Promise<void> {
    const { clock, bounds, tls } = this.#settings;
    const { serverName = url.host, unsafeAcceptAnyCertificate, ...rest } = tls;
    const options = { serverName, alpn: ['http/1.1'], verify: unsafeAcceptAnyCertificate !== true, ...rest };
    const secured = (async () => connection.startTlsClient(options))();
    const late = (): HttpClientError => failure('tls-timeout', 'no TLS handshake in time');
    try {
      await within(clock, bounds.tlsTimeoutMs, cancellation, secured, late);
    } catch (thrown) {
      throw thrown instanceof HttpClientError ? thrown : tlsError(thrown, url);
    }
  }
}

function connectError(thrown: unknown, where: string): HttpClientError {
  if (thrown instanceof HttpClientError) return thrown;
  const isLate = thrown instanceof NetError && thrown.code === 'connect-timeout';
  const message = `cannot connect to ${where}: ${messageOf(thrown)}`;
  return failure(isLate ? 'connect-timeout' : 'connect-failed', message, thrown);
}

function tlsError(thrown: unknown, url: RequestUrl): HttpClientError {
  const reason = thrown instanceof NetError ? codeOf(thrown.cause) : undefined;
  const code = reason !== undefined && isCertificateFault(reason) ? 'certificate-refused' : 'tls-failed';
  const message = `no TLS with ${url.authority}: ${messageOf(thrown)}`;
  return new HttpClientError(code, message, { cause: thrown, unsent: true });
}

/** The codes of node:tls for a chain that does not verify. */
function isCertificateFault(code: string): boolean {
  return CERTIFICATE_FAULTS.has(code) || code.startsWith('CERT_') || code.startsWith('UNABLE_TO_');
}

const CERTIFICATE_FAULTS: ReadonlySet<string> = new Set([
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'HOSTNAME_MISMATCH',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
]);

function failure(code: HttpClientErrorCode, message: string, cause?: unknown): HttpClientError {
  return new HttpClientError(code, message, { cause, unsent: true, retryable: true });
}
