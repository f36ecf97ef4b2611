/**
 * Mail's errors are replies: a code (RFC 5321 section 4.2), an enhanced status code (RFC 3463, registry of
 * RFC 5248) and a text. What refuses a command throws nothing; it returns one of these.
 */
import { OctetError } from '../core/errors.ts';

/** A reply as `wire/reply.ts` puts it on the wire. */
export interface Reply {
  readonly code: number;
  /** Absent in greetings, answers to HELO and EHLO, and 3yz. */
  readonly enhanced?: string;
  readonly lines: readonly string[];
}

export const refusals = {
  syntax: [500, '5.5.2', 'command not recognised'],
  argument: [501, '5.5.4', 'syntax error in parameters or arguments'],
  notImplemented: [502, '5.5.1', 'command not implemented'],
  sequence: [503, '5.5.1', 'bad sequence of commands'],
  parameter: [555, '5.5.4', 'parameter not recognised or not implemented'],
  badSender: [553, '5.1.7', 'sender address is not valid'],
  badRecipient: [553, '5.1.3', 'recipient address is not valid'],
  needsUtf8: [553, '5.6.7', 'address with non-ASCII characters needs SMTPUTF8'],
  noMailbox: [550, '5.1.1', 'no such mailbox here'],
  relay: [550, '5.7.1', 'relaying denied'],
  tooManyRecipients: [452, '4.5.3', 'too many recipients'],
  noRecipients: [554, '5.5.1', 'no valid recipients'],
  tooLarge: [552, '5.3.4', 'message size exceeds the limit'],
  badLineEnding: [550, '5.6.0', 'bare CR, bare LF or NUL in the message'],
  longLine: [550, '5.6.0', 'line too long'],
  loop: [554, '5.4.6', 'too many hops, the message loops'],
  lineTooLong: [500, '5.5.2', 'line too long'],
  bareLineFeed: [521, '5.5.2', 'bare LF received, closing'],
  crossProtocol: [521, '5.7.0', 'this is not an HTTP server, closing'],
  tooManyErrors: [421, '4.7.0', 'too many errors, closing'],
  tooManyMessages: [421, '4.7.0', 'too many messages in one connection, closing'],
  tooManyConnections: [421, '4.7.0', 'too many connections, try again later'],
  rate: [450, '4.7.0', 'too many messages, slow down'],
  timeout: [421, '4.4.2', 'timeout, closing'],
  shutdown: [421, '4.3.2', 'service closing'],
  noSpace: [452, '4.3.1', 'insufficient storage'],
  storeFailed: [451, '4.3.0', 'the message could not be stored'],
  authRequired: [530, '5.7.0', 'authentication required'],
  authFailed: [535, '5.7.8', 'authentication failed'],
  authCancelled: [501, '5.7.0', 'authentication cancelled'],
  authMechanism: [504, '5.5.4', 'mechanism not supported'],
  authNeedsTls: [538, '5.7.11', 'encryption required for this mechanism'],
  authEncoding: [501, '5.5.2', 'cannot decode base64'],
} as const satisfies Record<string, readonly [code: number, enhanced: string, text: string]>;

export type RefusalName = keyof typeof refusals;

/** The reply of a named refusal, with more words where the cause is known. */
export function refusal(name: RefusalName, detail?: string): Reply {
  const [code, enhanced, text] = refusals[name];
  return { code, enhanced, lines: [detail === undefined ? text : `${text}: ${detail}`] };
}

export type MailCode = 'refused' | 'protocol' | 'connection' | 'not-found';

/** What the client reports. For `refused`, `replyCode` and `enhanced` are the server's. */
export class MailError extends OctetError<MailCode> {
  readonly replyCode: number | undefined;
  readonly enhanced: string | undefined;

  constructor(code: MailCode, message: string, reply?: Reply, cause?: unknown) {
    // 4yz says "later": RFC 5321 section 4.2.1.
    super(code, message, { fault: 'remote', retryable: reply !== undefined && reply.code < 500, cause });
    this.replyCode = reply?.code;
    this.enhanced = reply?.enhanced;
  }
}
