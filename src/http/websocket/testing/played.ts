/** A session played to its end by a test: bytes in, what came of them out. */
import { Inflater } from '../deflate.ts';
import { DEFAULT_WEBSOCKET_LIMITS, type WebSocketLimits } from '../limits.ts';
import { type Ending, type SessionEvent, WebSocketSession } from '../session.ts';
import { TEST_MASK } from './frames.ts';

export interface PlayOptions {
  readonly role: 'client' | 'server';
  readonly compression?: boolean;
  readonly limits?: Partial<WebSocketLimits>;
  readonly streaming?: boolean;
}

export interface Played {
  readonly messages: (string | Buffer)[];
  readonly parts: { readonly of: string; readonly bytes: Buffer; readonly last: boolean }[];
  /** All that the session wrote. */
  output: Buffer;
  ending: Ending | undefined;
  /** Bytes fed until the ending was told. */
  endedAfterBytes: number | undefined;
  readonly session: WebSocketSession;
}

/** Feeds copies of `chunks`: a session changes what it is given. */
export function play(chunks: Iterable<Uint8Array>, options: PlayOptions): Played {
  const { role, compression = false, streaming = false } = options;
  const limits = { ...DEFAULT_WEBSOCKET_LIMITS, deflateInlineBytes: 1 << 30, ...options.limits };
  const maskKey = role === 'client' ? { maskKey: () => TEST_MASK } : {};
  const session = new WebSocketSession({ role, limits, compression, ...maskKey }, 0);
  session.streaming = streaming;
  const inflater = new Inflater({ contextTakeover: true, windowBits: 15 }, limits);
  const played: Played = {
    messages: [],
    parts: [],
    output: Buffer.alloc(0),
    ending: undefined,
    endedAfterBytes: undefined,
    session,
  };
  let fed = 0;
  const note = (event: SessionEvent | undefined): void => {
    if (event?.kind === 'text') played.messages.push(event.text);
    else if (event?.kind === 'binary') played.messages.push(Buffer.from(event.bytes));
    else if (event?.kind === 'part') played.parts.push({ ...event, bytes: Buffer.from(event.bytes) });
    else if (event?.kind === 'ended') {
      played.ending = event.ending;
      played.endedAfterBytes = fed;
    } else if (event?.kind === 'compressed') {
      // Short enough to be done at once.
      note(session.inflated(event.of, inflater.inflate(event.bytes) as Buffer));
    }
  };
  for (const chunk of chunks) {
    fed += chunk.length;
    session.receive(Buffer.from(chunk), 0);
    for (let event = session.next(0); event.kind !== 'need-data'; event = session.next(0)) note(event);
  }
  played.output = Buffer.concat(session.takeOutput());
  return played;
}
