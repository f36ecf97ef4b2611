/** The load balancer. See README.md. */
export type { RouteOptions } from './engine/routes.ts';
export { BalancerError, type Reason } from './errors.ts';
export {
  type BalancerOptions,
  DEFAULT_BALANCER_OPTIONS,
  type HealthOptions,
  type PoolOptions,
} from './options.ts';
export { type Balancer, type BalancerStatus, type ServerStatus, startBalancer } from './server.ts';
