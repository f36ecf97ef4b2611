/** Which pages of other origins may call and read. See cors.ts. */
export { CorsError, type CorsOptions, CorsPolicy, cors, isPreflight, type Preflight } from './cors.ts';
