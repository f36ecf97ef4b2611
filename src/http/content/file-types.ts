/** Which media type a file has by its name, and which types are worth a content coding. */
import { lookup } from 'mrmime';

const UNKNOWN = 'application/octet-stream';

/** The Content-Type for a file of this name; text is UTF-8. RFC 9110 section 8.3. */
export function contentTypeOf(name: string): string {
  const type = lookup(name) ?? UNKNOWN;
  return type.startsWith('text/') ? `${type}; charset=utf-8` : type;
}

/** Beside everything that is text, JSON or XML; what is compressed in itself only grows. */
const COMPRESSIBLE: ReadonlySet<string> = new Set([
  'application/javascript',
  'application/json',
  'application/json-seq',
  'application/manifest+json',
  'application/rtf',
  'application/vnd.ms-fontobject',
  'application/wasm',
  'application/x-javascript',
  'application/x-ndjson',
  'application/xml',
  'application/yaml',
  'font/otf',
  'font/ttf',
  'image/bmp',
  'image/vnd.microsoft.icon',
  'image/x-icon',
]);

/** @param essence a media type in lower case, without parameters */
export function isCompressible(essence: string): boolean {
  return (
    essence.startsWith('text/') ||
    essence.endsWith('+json') ||
    essence.endsWith('+xml') ||
    COMPRESSIBLE.has(essence)
  );
}
