/**
 * Why a request was not answered by a server: the error types of Proxy-Status (RFC 9209 section 2.3), each
 * with the status it gives, and the one error class of this service.
 */
import { OctetError } from '../core/errors.ts';

export class BalancerError extends OctetError<'bad-configuration' | 'no-such-server'> {}

export const REFUSALS = {
  'no-route': { status: 404, proxyStatus: 'destination_not_found' },
  'foreign-host': { status: 421, proxyStatus: 'http_request_denied' },
  'no-server': { status: 503, proxyStatus: 'destination_unavailable' },
  'connect-failed': { status: 502, proxyStatus: 'connection_refused' },
  'connect-timeout': { status: 504, proxyStatus: 'connection_timeout' },
  'tls-failed': { status: 502, proxyStatus: 'tls_protocol_error' },
  'server-busy': { status: 503, proxyStatus: 'connection_limit_reached' },
  'server-timeout': { status: 504, proxyStatus: 'http_response_timeout' },
  'server-closed': { status: 502, proxyStatus: 'connection_terminated' },
  'malformed-response': { status: 502, proxyStatus: 'http_protocol_error' },
  'malformed-request': { status: 400, proxyStatus: 'http_request_error' },
  'client-closed': { status: 400, proxyStatus: 'http_request_error' },
  loop: { status: 508, proxyStatus: 'proxy_loop_detected' },
  internal: { status: 500, proxyStatus: 'proxy_internal_error' },
} as const satisfies Record<string, { status: number; proxyStatus: string }>;

export type Reason = keyof typeof REFUSALS;
