/** Which pages of other origins may call and read. See cors.ts. */
export { CorsError, type CorsOptions, cors } from './cors.ts';
