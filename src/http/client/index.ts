/** The HTTP client. See ../README.md. */
export { createHttpClient, type HttpClient, type HttpClientCounters } from './client.ts';
export { isPublicAddress } from './ip-address.ts';
export type { HttpClientOptions, TlsOptions } from './options.ts';
export type { ProxyOptions } from './proxy.ts';
