/** Development credentials are for this machine only. */
import { ConfigError, resolveConfig } from '../core/config/config.ts';
import { isLoopback } from '../core/net/loopback.ts';
import { type OctetConfig, octetSchema, type ServiceName } from './config.ts';

/** What must be of one's own before a service listens where others can reach it. */
const secrets: Partial<Record<ServiceName, string>> = {
  database: 'password',
  cache: 'password',
  queue: 'password',
  objects: 'secretAccessKey',
  mail: 'password',
};

/** @throws ConfigError naming each setting that must be given, when `host` is not loopback */
export function refuseInsecure(config: OctetConfig): void {
  if (isLoopback(config.host)) return;
  const defaults = resolveConfig(octetSchema, []);
  const missing = Object.entries(secrets).flatMap(([service, setting]) => {
    const name = service as 'database';
    const runs = config.services.includes(name);
    const known = (defaults[name] as Record<string, unknown>)[setting];
    return runs && (config[name] as Record<string, unknown>)[setting] === known
      ? [`${service}.${setting}`]
      : [];
  });
  if (config.adminToken === '') missing.push('adminToken');
  if (missing.length === 0) return;
  throw new ConfigError(
    `listening on ${config.host} needs secrets of your own: set ${missing.join(', ')}, or listen on 127.0.0.1`,
  );
}
