export {
  createDnsClient,
  type DnsClient,
  type DnsClientOptions,
  type DnsRecord,
  type DnsReply,
} from './client/client.ts';
export { formatDig, formatShort, reverseName } from './client/dig.ts';
export { DnsError, ZoneError } from './errors.ts';
export { DEFAULT_DNS_LIMITS, type DnsLimits } from './limits.ts';
export { DEFAULT_DNS_OPTIONS, type DnsOptions, type ZoneSource } from './server/options.ts';
export { type Dns, startDns } from './server/server.ts';
