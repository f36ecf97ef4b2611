/**
 * Percent-encoding as SigV4 for S3 has it: every byte of the UTF-8 form except `A-Z a-z 0-9 - . _ ~` becomes
 * `%XX` with upper-case digits, once, and the path is never normalised: `a//b`, `a/../b` and `a/b` are three
 * keys. Source: "Create a signed AWS API request", step 1, UriEncode.
 */

const UNRESERVED = unreservedTable();
/** Keeps nothing between two calls. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const SLASH = 0x2f;
const PERCENT = 0x25;
const PLUS = 0x2b;
const SPACE = 0x20;

function unreservedTable(): Uint8Array {
  const table = new Uint8Array(256);
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~';
  for (let index = 0; index < letters.length; index++) table[letters.charCodeAt(index)] = 1;
  return table;
}

/** UriEncode of a query name or value, or of one path segment. */
export function encodeUri(text: string): string {
  return encodeBytes(Buffer.from(text, 'utf8'), false);
}

/** UriEncode of a path: `/` stays. */
export function encodePath(path: string): string {
  return encodeBytes(Buffer.from(path, 'utf8'), true);
}

function encodeBytes(bytes: Buffer, keepSlash: boolean): string {
  let out = '';
  for (const byte of bytes) {
    if (UNRESERVED[byte] === 1 || (keepSlash && byte === SLASH)) out += String.fromCharCode(byte);
    else out += `%${byte < 16 ? '0' : ''}${byte.toString(16).toUpperCase()}`;
  }
  return out;
}

/**
 * Undoes percent-encoding. Raw bytes above 0x7f, given as latin1 characters, count as themselves.
 * @param plusIsSpace as in query strings
 * @returns undefined when an escape is broken or the bytes are not UTF-8
 */
export function decodeUri(encoded: string, plusIsSpace = false): string | undefined {
  const bytes = Buffer.allocUnsafe(encoded.length);
  let length = 0;
  for (let index = 0; index < encoded.length; index++) {
    const code = encoded.charCodeAt(index);
    if (code > 0xff) return undefined;
    if (code === PERCENT) {
      const high = hexDigit(encoded.charCodeAt(index + 1));
      const low = hexDigit(encoded.charCodeAt(index + 2));
      if (high < 0 || low < 0) return undefined;
      bytes[length++] = high * 16 + low;
      index += 2;
    } else {
      bytes[length++] = plusIsSpace && code === PLUS ? SPACE : code;
    }
  }
  return decodeUtf8(bytes.subarray(0, length));
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** @returns undefined when `bytes` are not UTF-8 */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return UTF8.decode(bytes);
  } catch {
    return undefined;
  }
}
