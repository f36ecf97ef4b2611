/** In-memory key-value service that speaks RESP2 and RESP3. */
export { CacheError } from './errors.ts';
export { type Cache, type CacheOptions, DEFAULT_CACHE_OPTIONS, startCache } from './server.ts';
