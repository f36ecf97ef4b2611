/**
 * HTTP: server, client, router, and what every handler needs. See README.md.
 *
 * Who needs more takes it from a face of its own, so that nobody loads what they do without: access/, conditional/,
 * content/, cookies/, cors/, events/, forms/, observe/, rate-limit/, structured-fields/, websocket/.
 */
export { takeArrived } from './body.ts';
export {
  createHttpClient,
  type HttpClient,
  type HttpClientCounters,
  type HttpClientOptions,
  isPublicAddress,
  type ProxyOptions,
  type TlsOptions,
} from './client/index.ts';
export { LimitError } from './complete-limits.ts';
export { HttpClientError, type HttpClientErrorCode, HttpError } from './errors.ts';
export {
  DEFAULT_HTTP_CLIENT_LIMITS,
  DEFAULT_HTTP_LIMITS,
  type HttpClientLimits,
  type HttpLimits,
} from './limits.ts';
export { type MediaType, mediaTypeOf } from './media-type.ts';
export { type ProblemDetails, problem, problemOf } from './problem.ts';
export { empty, json, text } from './reply.ts';
export {
  type Constraint,
  createRouter,
  type FoundRoute,
  type Match,
  type Params,
  type ParamsOf,
  percentDecode,
  type RoutedRequest,
  RouteError,
  type RouteHandler,
  type RouteInfo,
  type RouteOptions,
  type Router,
  type RouterOptions,
} from './router/index.ts';
export { type HttpServer, type HttpServerOptions, startHttpServer } from './server.ts';
export type {
  Body,
  ClientRequest,
  ClientResponse,
  ContentDecoding,
  Handler,
  HeaderFields,
  HeaderList,
  HttpRequest,
  HttpResponse,
  RedirectPolicy,
  RetryAfterPolicy,
} from './types.ts';
export { formatDate, parseDate } from './wire/date.ts';
export { Fields } from './wire/fields.ts';
export { reasonOf } from './wire/status.ts';
