/** Wraps postal-mime: it shows mail, it never decides about mail. Loaded at its first use. */

/** A message as a person sees it. HTML is as it came: show it only sandboxed. */
export interface ParsedMessage {
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly text: string | undefined;
  readonly html: string | undefined;
  readonly attachments: readonly {
    readonly filename: string | undefined;
    readonly contentType: string;
    readonly sizeBytes: number;
  }[];
}

/** Parts deeper or headers longer than this are an attack, not mail. */
const MAX_NESTING = 100;
const MAX_HEADER_BYTES = 1024 * 1024;

/** @throws Error of postal-mime when the message is nested too deeply or its headers are too long */
export async function parseMessage(raw: Buffer): Promise<ParsedMessage> {
  const { default: PostalMime } = await import('postal-mime');
  const email = await PostalMime.parse(raw, {
    maxNestingDepth: MAX_NESTING,
    maxHeadersSize: MAX_HEADER_BYTES,
  });
  return {
    headers: email.headers.map((header) => ({ name: header.originalKey, value: header.value })),
    text: email.text,
    html: email.html,
    attachments: (email.attachments ?? []).map((attachment) => ({
      filename: attachment.filename ?? undefined,
      contentType: attachment.mimeType,
      sizeBytes: sizeOf(attachment.content),
    })),
  };
}

function sizeOf(content: ArrayBuffer | Uint8Array | string): number {
  return typeof content === 'string' ? Buffer.byteLength(content) : content.byteLength;
}

/** Turns encoded words (RFC 2047) in a header value into text. */
export async function loadWordDecoder(): Promise<(value: string) => string> {
  const { decodeWords } = await import('postal-mime');
  return decodeWords;
}
