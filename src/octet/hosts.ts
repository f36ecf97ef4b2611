/**
 * By which names the API may be called. The balancer passes on the Host that it was given, so what the one lets through
 * the other must, wherever the balancer runs: its names are set in one place.
 */
import { isLoopback } from '../core/net/loopback.ts';
import type { OctetConfig } from './config.ts';

/** @returns undefined for a listener that looks at no Host: one beyond loopback, for which nothing is listed */
export function apiHosts({ api, balancer, host }: OctetConfig): readonly string[] | undefined {
  if (api.allowedHosts === undefined && !isLoopback(host)) return undefined;
  const routed = balancer.routes.flatMap((route) => route.host ?? []);
  return [...(api.allowedHosts ?? []), ...(balancer.allowedHosts ?? []), ...routed];
}
