/**
 * Messages in a byte stream: two octets of length before each. RFC 1035 section 4.2.2, RFC 7766 section 8.
 *
 *   ┌──────────┬──────────────────┐┌──────────┬────────────…
 *   │ length 2 │ message          ││ length 2 │ message
 *   └──────────┴──────────────────┘└──────────┴────────────…
 */
import type { ReceiveBuffer } from '../../core/bytes/receive-buffer.ts';

const PREFIX_BYTES = 2;

/** Takes the next whole message off the stream: a view, valid until more is appended. Undefined when more
 * octets are needed. */
export function takeFrame(stream: ReceiveBuffer): Buffer | undefined {
  if (stream.length < PREFIX_BYTES) return undefined;
  const view = stream.view();
  const end = PREFIX_BYTES + view.readUInt16BE(0);
  if (view.length < end) return undefined;
  stream.consume(end);
  return view.subarray(PREFIX_BYTES, end);
}

/** Several messages as one piece to write. */
export function frame(messages: readonly Buffer[]): Buffer {
  const total = messages.reduce((sum, message) => sum + PREFIX_BYTES + message.length, 0);
  const bytes = Buffer.allocUnsafe(total);
  let at = 0;
  for (const message of messages) {
    at = bytes.writeUInt16BE(message.length, at);
    at += message.copy(bytes, at);
  }
  return bytes;
}
