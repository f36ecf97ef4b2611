/** What a client is made with, and what becomes of it. */
import type { Network, TlsIdentity } from '../../core/net/network.ts';
import type { Clock } from '../../core/time/clock.ts';
import { completeLimits } from '../complete-limits.ts';
import { HttpClientError } from '../errors.ts';
import {
  DEFAULT_HTTP_CLIENT_LIMITS,
  DEFAULT_HTTP_LIMITS,
  type HttpClientLimits,
  type HttpLimits,
} from '../limits.ts';
import { type HttpProxy, type ProxyOptions, parseProxy } from './proxy.ts';

export interface TlsOptions {
  /** PEM of the authorities to trust instead of the usual ones. */
  readonly ca?: string;
  /** Our certificate, for servers that ask for one. */
  readonly identity?: TlsIdentity;
  /** The name that certificates must carry, instead of the host of the URL. */
  readonly serverName?: string;
  /** Default `TLSv1.2`. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
  /** True takes any certificate from anybody: the peer may be whoever sits in between. For trials. */
  readonly unsafeAcceptAnyCertificate?: boolean;
}

export interface HttpClientOptions extends Partial<HttpClientLimits> {
  readonly network: Network;
  readonly clock: Clock;
  readonly limits?: Partial<HttpLimits>;
  readonly tls?: TlsOptions;
  /** Addresses of a host name, in order of preference; the machine's resolver when absent. Not asked for addresses. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  /**
   * Says which addresses may be connected to (`isPublicAddress`, where strangers choose the URL). It is asked after
   * resolution, on every connection, and the address it was asked about is the one connected to. Needs `resolve`.
   */
  readonly allowAddress?: (address: string) => boolean;
  /** Not together with `allowAddress`, as the proxy resolves names itself. */
  readonly proxy?: ProxyOptions;
}

export interface ClientSettings {
  readonly network: Network;
  readonly clock: Clock;
  readonly limits: HttpLimits;
  readonly bounds: HttpClientLimits;
  readonly tls: TlsOptions;
  readonly resolve: HttpClientOptions['resolve'];
  readonly allowAddress: HttpClientOptions['allowAddress'];
  readonly proxy: HttpProxy | undefined;
}

/** @throws HttpClientError `invalid-request` for options that contradict each other; LimitError for a bound that is none */
export function settingsOf(options: HttpClientOptions): ClientSettings {
  const { network, clock, limits, tls = {}, resolve, allowAddress, proxy, ...bounds } = options;
  if (allowAddress !== undefined && resolve === undefined)
    throw invalid('allowAddress needs resolve: addresses are checked before the connection');
  if (allowAddress !== undefined && proxy !== undefined)
    throw invalid('allowAddress cannot be kept through a proxy, which resolves names itself');
  return {
    network,
    clock,
    limits: completeLimits(DEFAULT_HTTP_LIMITS, limits),
    bounds: completeLimits(DEFAULT_HTTP_CLIENT_LIMITS, bounds),
    tls,
    resolve,
    allowAddress,
    proxy: proxy === undefined ? undefined : parseProxy(proxy),
  };
}

function invalid(message: string): HttpClientError {
  return new HttpClientError('invalid-request', message, { fault: 'local', unsent: true });
}
