/**
 * How each service is started from the configuration. Modules are loaded when their service is wanted, so
 * that one service alone starts without the other seven.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Host, RunningService } from '../core/lifecycle.ts';
import type { OctetConfig, ServiceName } from './config.ts';
import { portOf } from './ports.ts';
import type { Endpoints } from './urls.ts';

export interface StartContext {
  readonly config: OctetConfig;
  /** Files named in the configuration lie beside it. */
  readonly baseDir: string;
  /** What runs already in this process. */
  readonly endpoints: Endpoints;
  host(service: string): Host;
  /** Takes a started service over, so that it is closed whatever happens after. */
  keep(service: RunningService): void;
}

/** Starts one service, the API all its instances. What the configuration declares is there when it resolves. */
export type Starter = (context: StartContext) => Promise<void>;

export const starters: Readonly<Record<ServiceName, Starter>> = {
  async dns(context) {
    const { startDns, DEFAULT_DNS_OPTIONS } = await import('../dns/index.ts');
    const { config } = context;
    const zones = await Promise.all(
      Object.entries(config.dns.zones).map(async ([origin, source]) => ({
        origin,
        text: await zoneText(context, source),
      })),
    );
    const options = {
      ...DEFAULT_DNS_OPTIONS,
      host: config.host,
      port: portOf(config, config.dns.port),
      zones,
      recursion: config.dns.recursion,
      allowRecursion: config.dns.allowRecursion,
      forward: config.dns.forward,
      ...(config.dns.rootHints === undefined ? {} : { rootHints: config.dns.rootHints }),
    };
    context.keep(await startDns(options, context.host('dns')));
  },

  async mail(context) {
    const { startMail, DEFAULT_MAIL_OPTIONS } = await import('../mail/index.ts');
    const { config } = context;
    const { startTls, port, httpPort, ...rest } = config.mail;
    const host = context.host('mail');
    const tls = async () => {
      const { createDevelopmentIdentity } = await import('../core/net/certificates.ts');
      return createDevelopmentIdentity(host.clock, [config.mail.hostname, 'localhost', '127.0.0.1']);
    };
    const options = {
      ...DEFAULT_MAIL_OPTIONS,
      ...rest,
      host: config.host,
      port: portOf(config, port),
      httpPort: portOf(config, httpPort),
      ...(startTls ? { tls } : {}),
    };
    context.keep(await startMail(options, host));
  },

  async cache(context) {
    const { startCache, DEFAULT_CACHE_OPTIONS } = await import('../cache/index.ts');
    const { config } = context;
    const { port, password, ...rest } = config.cache;
    const options = {
      ...DEFAULT_CACHE_OPTIONS,
      ...rest,
      host: config.host,
      port: portOf(config, port),
      ...(password === '' ? {} : { password }),
    };
    context.keep(await startCache(options, context.host('cache')));
  },
} as Partial<Record<ServiceName, Starter>> as Record<ServiceName, Starter>;

/** A zone's text has line breaks; a path has none. */
async function zoneText(context: StartContext, source: string): Promise<string> {
  return source.includes('\n') ? source : readFile(path.resolve(context.baseDir, source), 'utf8');
}
