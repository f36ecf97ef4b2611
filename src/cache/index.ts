/** In-memory key-value service that speaks RESP2 and RESP3. */
export { type CacheClient, type CacheClientOptions, connectCache } from './client.ts';
export type { EvictionPolicy } from './engine/eviction.ts';
export { CacheError } from './errors.ts';
export { type Cache, type CacheOptions, DEFAULT_CACHE_OPTIONS, startCache } from './server.ts';
export type { Reply } from './wire/reply-parser.ts';
