/** Object storage that speaks S3. See README.md. */
export {
  createObjectsClient,
  type FetchedObject,
  type ObjectHead,
  type ObjectsClient,
  type ObjectsClientOptions,
} from './client.ts';
export { type S3Code, S3Error } from './errors.ts';
export { DEFAULT_OBJECTS_LIMITS, type ObjectsLimits } from './limits.ts';
export { DEFAULT_OBJECTS_OPTIONS, type ObjectsOptions, ObjectsOptionsError } from './options.ts';
export { type ObjectsService, startObjects } from './server.ts';
