/** The router. See router.ts. */
export type { Constraint } from './constraint.ts';
export type { ParamsOf } from './params.ts';
export { percentDecode } from './path.ts';
export { RouteError } from './pattern.ts';
export type { RouteInfo, RouteOptions } from './route.ts';
export {
  createRouter,
  type FoundRoute,
  type Match,
  type Params,
  type RoutedRequest,
  type RouteHandler,
  type Router,
  type RouterOptions,
} from './router.ts';
