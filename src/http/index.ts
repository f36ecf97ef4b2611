/** HTTP/1.1: server, client, router, and what handlers need. See README.md. */
export {
  type AccessLogOptions,
  type AccessRecord,
  accessLog,
  formatCombined,
  recordsTo,
} from './access-log.ts';
export { takeArrived } from './body.ts';
export { createHttpClient, type HttpClient, type HttpClientOptions } from './client.ts';
export { type ConditionalRequest, evaluateConditions, ifRangeHolds, type Validators } from './conditional.ts';
export { HttpClientError, type HttpClientErrorCode, HttpError } from './errors.ts';
export { DEFAULT_HTTP_LIMITS, type HttpLimits } from './limits.ts';
export { type ProblemDetails, problem, problemOf } from './problem.ts';
export { type ByteRange, contentRange, parseRange, type RangeRequest, unsatisfiedRange } from './range.ts';
export { empty, json, text } from './reply.ts';
export { createRouter, type Match, type Params, percentDecode, type Router } from './router.ts';
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
  Handler,
  HeaderFields,
  HeaderList,
  HttpRequest,
  HttpResponse,
} from './types.ts';
export { formatDate, parseDate } from './wire/date.ts';
export { Fields } from './wire/fields.ts';
export { reasonOf } from './wire/status.ts';
