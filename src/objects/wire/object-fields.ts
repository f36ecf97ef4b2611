/**
 * What an object carries besides its bytes: six fields of HTTP and the client's own `x-amz-meta-*`.
 * `aws-chunked` is framing of the transfer, not of the object, and is taken off Content-Encoding.
 */
import { S3Error } from '../errors.ts';
import { PROTOCOL_LIMITS } from '../limits.ts';
import type { Fields } from './fields.ts';

/** In the spelling of S3's answers; stored under the lower-case name. */
const SYSTEM_FIELDS = [
  'Content-Type',
  'Cache-Control',
  'Content-Disposition',
  'Content-Encoding',
  'Content-Language',
  'Expires',
] as const;
const METADATA_PREFIX = 'x-amz-meta-';
export const DEFAULT_CONTENT_TYPE = 'binary/octet-stream';

export interface ObjectFields {
  /** Lower-case name → value; Content-Type always among them. */
  readonly system: Readonly<Record<string, string>>;
  /** Lower-case name without the prefix → value. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** @throws S3Error MetadataTooLarge; InvalidArgument for a control character */
export function readObjectFields(fields: Fields): ObjectFields {
  const system: Record<string, string> = { 'content-type': DEFAULT_CONTENT_TYPE };
  for (const name of SYSTEM_FIELDS) {
    const key = name.toLowerCase();
    const value = key === 'content-encoding' ? storedEncoding(fields.get(key)) : fields.get(key);
    if (value !== undefined && value !== '') system[key] = requirePrintable(key, value);
  }
  return { system, metadata: readMetadata(fields) };
}

function storedEncoding(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const codings = value.split(',').map((coding) => coding.trim());
  return codings.filter((coding) => coding !== '' && coding.toLowerCase() !== 'aws-chunked').join(', ');
}

function readMetadata(fields: Fields): Record<string, string> {
  const metadata: Record<string, string> = {};
  let bytes = 0;
  for (const [name, value] of fields) {
    if (!name.startsWith(METADATA_PREFIX)) continue;
    const key = name.slice(METADATA_PREFIX.length);
    if (key === '') throw new S3Error('InvalidArgument', 'A metadata header has no name.');
    metadata[key] = requirePrintable(name, value);
    bytes += key.length + value.length;
  }
  if (bytes > PROTOCOL_LIMITS.metadataBytes) {
    throw new S3Error('MetadataTooLarge', undefined, {
      elements: { Size: String(bytes), MaxSizeAllowed: String(PROTOCOL_LIMITS.metadataBytes) },
    });
  }
  return metadata;
}

/** Values go back out as fields: nothing that could end one may come in. */
export function requirePrintable(name: string, value: string): string {
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f || code > 0xff) {
      throw new S3Error('InvalidArgument', 'A header value holds a control character.', {
        elements: { ArgumentName: name },
      });
    }
  }
  return value;
}

/** The fields of an answer, `overrides` (lower-case name → value) in place of the stored ones. */
export function writeObjectFields(
  fields: ObjectFields,
  overrides: Readonly<Record<string, string>> = {},
): [name: string, value: string][] {
  const out: [string, string][] = [];
  for (const name of SYSTEM_FIELDS) {
    const key = name.toLowerCase();
    const value = overrides[key] ?? fields.system[key];
    if (value !== undefined) out.push([name, value]);
  }
  for (const [name, value] of Object.entries(fields.metadata)) out.push([METADATA_PREFIX + name, value]);
  return out;
}
