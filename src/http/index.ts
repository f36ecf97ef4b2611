/** HTTP/1.1: server, client, router, and what handlers need. See README.md. */
export {
  type AccessLogOptions,
  type AccessRecord,
  accessLog,
  formatCombined,
  recordsTo,
} from './access-log.ts';
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
export {
  type ByteRange,
  type CompressionOptions,
  type ConditionalRequest,
  type Content,
  chooseCoding,
  chooseLanguage,
  chooseMediaType,
  compressed,
  contentRange,
  createStaticFiles,
  type DecodingLimits,
  decodedBody,
  evaluateConditions,
  ifRangeHolds,
  immutableFingerprints,
  parseRange,
  type RangeRequest,
  type Representation,
  respondWith,
  type StaticFiles,
  type StaticFilesOptions,
  unsatisfiedRange,
  type Validators,
} from './content/index.ts';
export {
  type CookieSigner,
  type Cookies,
  clearCookie,
  createCookieSigner,
  readCookies,
  type SetCookie,
  setCookie,
} from './cookies/index.ts';
export { CorsError, type CorsOptions, cors } from './cors.ts';
export { HttpClientError, type HttpClientErrorCode, HttpError } from './errors.ts';
export {
  DEFAULT_HTTP_CLIENT_LIMITS,
  DEFAULT_HTTP_LIMITS,
  type HttpClientLimits,
  type HttpLimits,
} from './limits.ts';
export { type ProblemDetails, problem, problemOf } from './problem.ts';
export {
  createRateLimiter,
  type RateLimitedOptions,
  type RateLimiter,
  type RateLimitPolicy,
  rateLimited,
} from './rate-limit/index.ts';
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
export { formatServerTiming, type TimingMetric } from './server-timing.ts';
export {
  childContext,
  type TraceContext,
  traceContextOf,
  traceFields,
  withTraceState,
} from './trace-context.ts';
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
