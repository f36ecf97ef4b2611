/** Requests as bytes: an array of bulk strings each. */

export type Argument = string | number | bigint | Uint8Array;

/** One request. Text is sent as UTF-8, or as one byte per character. */
export function encodeRequest(args: readonly Argument[], encoding: 'utf8' | 'latin1'): Buffer {
  const parts: Uint8Array[] = [Buffer.from(`*${args.length}\r\n`, 'latin1')];
  for (const arg of args) {
    const bytes = arg instanceof Uint8Array ? arg : Buffer.from(String(arg), encoding);
    parts.push(Buffer.from(`$${bytes.length}\r\n`, 'latin1'), bytes, CRLF);
  }
  return Buffer.concat(parts);
}

const CRLF = Buffer.from('\r\n');
