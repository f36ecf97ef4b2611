/** Frames by hand, for tests: they must not be made with the code that they test. */

/** The first byte (FIN, RSV, opcode) and the payload; text is UTF-8. */
export type TestFrame = readonly [first: number, payload: string | Uint8Array];

/** What clients of the tests mask with; so a wrong order of the key's bytes shows. */
export const TEST_KEY = Buffer.of(0x37, 0xfa, 0x21, 0x3d);
/** The same as the session takes it. */
export const TEST_MASK = 0x3d21fa37;

/** @param key masks the frame; without one it is a server's */
export function testFrame([first, payload]: TestFrame, key?: Buffer): Buffer {
  const bytes = Buffer.from(payload as string, 'utf8');
  const mask = key === undefined ? 0 : 0x80;
  const header =
    bytes.length < 126
      ? Buffer.of(first, mask | bytes.length)
      : bytes.length < 65_536
        ? Buffer.of(first, mask | 126, bytes.length >> 8, bytes.length & 0xff)
        : Buffer.concat([Buffer.of(first, mask | 127, 0, 0, 0, 0), uint32(bytes.length)]);
  if (key === undefined) return Buffer.concat([header, bytes]);
  return Buffer.concat([header, key, bytes.map((byte, at) => byte ^ key[at % 4]!)]);
}

/** All of them in a row, as that end would send them. */
export function testFrames(frames: readonly TestFrame[], from: 'client' | 'server'): Buffer {
  return Buffer.concat(frames.map((frame) => testFrame(frame, from === 'client' ? TEST_KEY : undefined)));
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A close frame's payload. */
export function closePayload(code: number, reason: string | Uint8Array = ''): Buffer {
  return Buffer.concat([Buffer.of(code >> 8, code & 0xff), Buffer.from(reason as string, 'utf8')]);
}

export function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}
