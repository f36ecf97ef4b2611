/**
 * The fields of a request under lower-case names, one value each. A field that this service reads and that
 * comes twice is refused, for the signature covers the joined value while a reader might take one of the two.
 */
import { S3Error } from '../errors.ts';

export type Fields = ReadonlyMap<string, string>;

/** Fields that proxies add to and that this service does not interpret. */
const LISTS = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'cache-control',
  'connection',
  'cookie',
  'forwarded',
  'pragma',
  'te',
  'trailer',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
]);

/** @throws S3Error InvalidArgument for a repeated field */
export function collectFields(received: Iterable<readonly [name: string, value: string]>): Fields {
  const fields = new Map<string, string>();
  for (const [name, value] of received) {
    const key = name.toLowerCase();
    const earlier = fields.get(key);
    if (earlier !== undefined && !LISTS.has(key)) {
      throw new S3Error('InvalidArgument', `The header ${key} was given more than once.`, {
        elements: { ArgumentName: key },
      });
    }
    fields.set(key, earlier === undefined ? value : `${earlier},${value}`);
  }
  return fields;
}
