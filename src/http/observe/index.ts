/** What a server tells of its requests: the access log, the trace they belong to, and the time they took. */
export {
  type AccessLogOptions,
  type AccessRecord,
  accessLog,
  formatCombined,
  recordsTo,
} from './access-log.ts';
export { formatServerTiming, type TimingMetric } from './server-timing.ts';
export {
  childContext,
  type TraceContext,
  traceContextOf,
  traceFields,
  withTraceState,
} from './trace-context.ts';
