/** HTTP/1.1: server, client, router, and what handlers need. See README.md. */
export { takeArrived } from './body.ts';
export { createHttpClient, type HttpClient, type HttpClientOptions } from './client.ts';
export { type ConditionalRequest, evaluateConditions, ifRangeHolds, type Validators } from './conditional.ts';
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
export { DEFAULT_HTTP_LIMITS, type HttpLimits } from './limits.ts';
export { type ProblemDetails, problem, problemOf } from './problem.ts';
export { type ByteRange, contentRange, parseRange, type RangeRequest, unsatisfiedRange } from './range.ts';
export {
  createRateLimiter,
  type RateLimitedOptions,
  type RateLimiter,
  type RateLimitPolicy,
  rateLimited,
} from './rate-limit/index.ts';
export { empty, json, text } from './reply.ts';
export { createRouter, type Match, type Params, percentDecode, type Router } from './router.ts';
export { type HttpServer, type HttpServerOptions, startHttpServer } from './server.ts';
export type {
  Body,
  ClientRequest,
  ClientResponse,
  Handler,
  HeaderFields,
  HeaderList,
  HttpRequest,
  HttpResponse,
} from './types.ts';
export { formatDate, parseDate } from './wire/date.ts';
export { Fields } from './wire/fields.ts';
export { reasonOf } from './wire/status.ts';
