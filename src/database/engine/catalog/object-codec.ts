/** Objects of the catalogue as rows of the store: a version byte, then JSON with bigints as `{"$": "digits"}`. */
import { DatabaseError } from '../../errors.ts';
import type { CatalogObject } from './catalog.ts';

const VERSION = 1;

export function encodeObject(object: CatalogObject): Buffer {
  const text = JSON.stringify(object, (_, value: unknown) =>
    typeof value === 'bigint' ? { $: value.toString() } : value,
  );
  return Buffer.concat([Buffer.of(VERSION), Buffer.from(text)]);
}

export function decodeObject(bytes: Buffer): CatalogObject {
  if (bytes[0] !== VERSION)
    throw new DatabaseError('XX001', `catalogue format ${bytes[0]} is not known`, { fault: 'local' });
  return JSON.parse(bytes.toString('utf8', 1), (_, value: unknown) =>
    typeof value === 'object' && value !== null && '$' in value ? BigInt(value.$ as string) : value,
  ) as CatalogObject;
}
