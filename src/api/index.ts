/** Tables and files of the other services as an HTTP API. See README.md. */
export { ApiError } from './errors.ts';
export { type ApiLimits, DEFAULT_API_LIMITS } from './limits.ts';
export { type ApiOptions, DEFAULT_API_OPTIONS, type ExposedTable } from './options.ts';
export { type Api, startApi } from './server.ts';
