/** Server-sent events: streams out, streams in. WHATWG HTML section 9.2. */
export { formatComment, formatEvent, type ServerEvent } from './event-format.ts';
export { EventHub, type EventHubOptions } from './event-hub.ts';
export { EventStreamParser, type ParsedEvent, type ReceivedEvent } from './event-parser.ts';
export { type EventStreamOptions, eventStream } from './event-stream.ts';
export { readEvents } from './read-events.ts';
