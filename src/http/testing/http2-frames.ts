/**
 * HTTP/2 by hand, for tests: frames and header blocks as bytes, whatever their sense. RFC 9113 section 4, RFC 7541.
 */

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array | string = '',
): Buffer {
  const content = Buffer.from(payload as string, 'latin1');
  const head = Buffer.alloc(9);
  head.writeUIntBE(content.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, content]);
}

export const data = (streamId: number, content: Uint8Array | string, flags = 0): Buffer =>
  frame(0, flags, streamId, content);
/** Flags: 1 ends the stream, 4 ends the headers. */
export const headers = (streamId: number, block: Uint8Array, flags = 5): Buffer =>
  frame(1, flags, streamId, block);
export const priority = (streamId: number): Buffer => frame(2, 0, streamId, Buffer.of(0, 0, 0, 0, 15));
export const reset = (streamId: number, code = 8): Buffer => frame(3, 0, streamId, number32(code));
export const settings = (...pairs: (readonly [id: number, value: number])[]): Buffer =>
  frame(
    4,
    0,
    0,
    Buffer.concat(pairs.map(([id, value]) => Buffer.concat([Buffer.of(0, id), number32(value)]))),
  );
export const ping = (): Buffer => frame(6, 0, 0, '12345678');
export const windowUpdate = (streamId: number, increment: number): Buffer =>
  frame(8, 0, streamId, number32(increment));
export const continuation = (streamId: number, block: Uint8Array | string, flags = 0): Buffer =>
  frame(9, flags, streamId, block);

function number32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Literal fields that the table does not keep. RFC 7541 section 6.2.2. */
export function block(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(
    fields.map(([name, value]) => Buffer.concat([Buffer.of(0), literal(name), literal(value)])),
  );
}

/** A literal that the table keeps, for later use as `Buffer.of(0x80 | 62)`. */
export function keptField(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0x40), literal(name), literal(value)]);
}

/** A string without Huffman code, its length with a prefix of seven bits. RFC 7541 sections 5.1 and 5.2. */
function literal(text: string): Buffer {
  const content = Buffer.from(text, 'latin1');
  if (content.length < 127) return Buffer.concat([Buffer.of(content.length), content]);
  const length = [127];
  let rest = content.length - 127;
  for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
  length.push(rest);
  return Buffer.concat([Buffer.from(length), content]);
}

export const GET: readonly (readonly [string, string])[] = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a.test'],
];
