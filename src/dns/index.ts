export { DnsError, ZoneError } from './errors.ts';
export { DEFAULT_DNS_OPTIONS, type DnsOptions, type ZoneSource } from './server/options.ts';
export { type Dns, startDns } from './server/server.ts';
