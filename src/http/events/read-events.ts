/** The events of a response's body, as they arrive: `parser` over a stream of bytes. */
import { HttpError } from '../errors.ts';
import { EventStreamParser, type ReceivedEvent } from './event-parser.ts';

/**
 * Reads until the stream ends; the caller reconnects, with `parser.lastEventId` after `parser.retryMs`.
 * @param parser a new one per connection
 * @throws HttpError 502 when an event is larger than the parser's bound; whatever the body throws
 */
export async function* readEvents(
  body: AsyncIterable<Buffer>,
  parser: EventStreamParser = new EventStreamParser(),
): AsyncGenerator<ReceivedEvent, void, void> {
  for await (const chunk of body) {
    parser.receive(chunk);
    for (;;) {
      const parsed = parser.next();
      if (parsed.kind === 'need-data') break;
      if (parsed.kind === 'too-large') throw new HttpError(502, 'an event of the stream is too large');
      yield parsed;
    }
  }
}
