import { type ErrorDetails, OctetError } from '../core/errors.ts';

/** What ends with a failure: the channel it happened on, or the whole connection. */
export type ReplyScope = 'none' | 'channel' | 'connection';

/** Reply codes with the name they carry in reply texts. AMQP 0-9-1, constants of the class reference. */
export const REPLY_CODES = {
  success: { replyCode: 200, text: 'REPLY_SUCCESS', scope: 'none' },
  'content-too-large': { replyCode: 311, text: 'CONTENT_TOO_LARGE', scope: 'channel' },
  'no-route': { replyCode: 312, text: 'NO_ROUTE', scope: 'channel' },
  'no-consumers': { replyCode: 313, text: 'NO_CONSUMERS', scope: 'channel' },
  'connection-forced': { replyCode: 320, text: 'CONNECTION_FORCED', scope: 'connection' },
  'invalid-path': { replyCode: 402, text: 'INVALID_PATH', scope: 'connection' },
  'access-refused': { replyCode: 403, text: 'ACCESS_REFUSED', scope: 'channel' },
  'not-found': { replyCode: 404, text: 'NOT_FOUND', scope: 'channel' },
  'resource-locked': { replyCode: 405, text: 'RESOURCE_LOCKED', scope: 'channel' },
  'precondition-failed': { replyCode: 406, text: 'PRECONDITION_FAILED', scope: 'channel' },
  'frame-error': { replyCode: 501, text: 'FRAME_ERROR', scope: 'connection' },
  'syntax-error': { replyCode: 502, text: 'SYNTAX_ERROR', scope: 'connection' },
  'command-invalid': { replyCode: 503, text: 'COMMAND_INVALID', scope: 'connection' },
  'channel-error': { replyCode: 504, text: 'CHANNEL_ERROR', scope: 'connection' },
  'unexpected-frame': { replyCode: 505, text: 'UNEXPECTED_FRAME', scope: 'connection' },
  'resource-error': { replyCode: 506, text: 'RESOURCE_ERROR', scope: 'connection' },
  'not-allowed': { replyCode: 530, text: 'NOT_ALLOWED', scope: 'connection' },
  'not-implemented': { replyCode: 540, text: 'NOT_IMPLEMENTED', scope: 'connection' },
  'internal-error': { replyCode: 541, text: 'INTERNAL_ERROR', scope: 'connection' },
} as const satisfies Record<
  string,
  { readonly replyCode: number; readonly text: string; readonly scope: ReplyScope }
>;

export type ReplyName = keyof typeof REPLY_CODES;

/** Failures that only a client meets; the rest are the reply codes of the protocol by name. */
export type ClientFault =
  | 'connect-failed'
  | 'connection-lost'
  | 'timed-out'
  | 'nacked'
  | 'returned'
  | 'closed';

export type AmqpErrorCode = ReplyName | ClientFault;

export interface AmqpErrorDetails extends ErrorDetails {
  /** Where the standard leaves the scope open, or a peer widens it. Default: as the reply code says. */
  readonly scope?: ReplyScope;
}

/**
 * A failure in AMQP's own terms. The server sends it as `channel.close` or `connection.close`, by `scope`;
 * the client throws it.
 */
export class AmqpError extends OctetError<AmqpErrorCode> {
  /** The number on the wire; 0 for failures that never were on one. */
  readonly replyCode: number;
  readonly scope: ReplyScope;
  /** `NOT_FOUND - no queue 'q' in vhost '/'`. */
  readonly replyText: string;

  constructor(code: AmqpErrorCode, message: string, details: AmqpErrorDetails = {}) {
    super(code, message, { fault: 'remote', ...details });
    const reply = isReplyName(code) ? REPLY_CODES[code] : undefined;
    this.replyCode = reply?.replyCode ?? 0;
    this.scope = details.scope ?? reply?.scope ?? 'none';
    this.replyText = reply === undefined ? message : `${reply.text} - ${message}`;
  }
}

function isReplyName(code: string): code is ReplyName {
  return Object.hasOwn(REPLY_CODES, code);
}

/** The name of a reply code received from a peer; `internal-error` for one that the standard does not have. */
export function replyNameOf(replyCode: number): ReplyName {
  for (const [name, reply] of Object.entries(REPLY_CODES)) {
    if (reply.replyCode === replyCode) return name as ReplyName;
  }
  return 'internal-error';
}
