/** Every bound of the mail service, with its unit, its default and the reason. */
import type { ConnectionLimits } from '../core/net/network.ts';

export interface MailLimits {
  readonly connections: ConnectionLimits;
  /** Octets of a command line with its CRLF. RFC 5321 section 4.5.3.1.4 asks for 512 and what extensions add
   * (SIZE, BODY, RET, ENVID, NOTIFY, ORCPT, SMTPUTF8); Postfix takes 2,048. */
  readonly maxCommandBytes: number;
  /** The same for AUTH and its answers. RFC 4954 section 4: 12,288. */
  readonly maxAuthLineBytes: number;
  /** Recipients of one transaction. RFC 5321 section 4.5.3.1.8: at least 100; Postfix takes 1,000. */
  readonly maxRecipients: number;
  /** Octets of one message, announced as SIZE. Postfix: 10,240,000; Mailpit: no bound until v1.30.4. */
  readonly maxMessageBytes: number;
  /** Octets of one line of a message, CRLF not counted. RFC 5321 section 4.5.3.1.6 says 998, which much real mail exceeds. */
  readonly maxTextLineBytes: number;
  /** Octets of a message's header that are looked at for its summary. */
  readonly maxHeaderBytes: number;
  /** `Received` fields before a message is taken for one that loops. RFC 5321 section 6.3: at least 100. */
  readonly maxHops: number;
  /** Transactions of one connection, announced as LIMITS MAILMAX (RFC 9422). */
  readonly maxMessagesPerConnection: number;
  /** Refused commands after which the connection is closed with 421. Postfix: 20. */
  readonly maxErrors: number;
  /** Failed AUTH attempts after which the connection is closed with 421. */
  readonly maxAuthFailures: number;
  /** Messages per minute from one address outside loopback; more are deferred with 450 4.7.0. */
  readonly maxMessagesPerMinute: number;
  /** Connections at once from one address outside loopback. Postfix: 50. */
  readonly maxConnectionsPerAddress: number;
  /** Silence before a command. RFC 5321 section 4.5.3.2.7: five minutes. */
  readonly commandTimeoutMs: number;
  /** Silence within a message. RFC 5321 section 4.5.3.2.5: three minutes. */
  readonly dataTimeoutMs: number;
  /** A whole connection, however busy: a drip of one byte at a time must end too. */
  readonly sessionTimeoutMs: number;
  /** Message bytes received but not yet on their way to disk; above it the connection is not read from. */
  readonly maxUnwrittenBytes: number;
  /** Callers of the wait endpoint at once. */
  readonly maxWaiters: number;
  /** The longest wait one call may ask for. */
  readonly maxWaitMs: number;
  /** Messages in one page of a list. */
  readonly maxPage: number;
  /** A message up to this size is parsed for display; a larger one is shown raw only. */
  readonly maxParsedBytes: number;
}

const MiB = 1024 * 1024;

export const DEFAULT_MAIL_LIMITS: MailLimits = {
  connections: {
    maxConnections: 4_096,
    firstByteTimeoutMs: 0,
    idleTimeoutMs: 360_000,
    maxBufferedBytes: MiB,
    closeTimeoutMs: 2_000,
  },
  maxCommandBytes: 2_048,
  maxAuthLineBytes: 12_288,
  maxRecipients: 1_000,
  maxMessageBytes: 50 * MiB,
  maxTextLineBytes: MiB,
  maxHeaderBytes: 256 * 1024,
  maxHops: 100,
  maxMessagesPerConnection: 10_000,
  maxErrors: 20,
  maxAuthFailures: 3,
  maxMessagesPerMinute: 600,
  maxConnectionsPerAddress: 50,
  commandTimeoutMs: 300_000,
  dataTimeoutMs: 180_000,
  sessionTimeoutMs: 3_600_000,
  maxUnwrittenBytes: MiB,
  maxWaiters: 1_000,
  maxWaitMs: 60_000,
  maxPage: 200,
  maxParsedBytes: 20 * MiB,
};

/** Octets of a local part, a domain and a path. RFC 5321 section 4.5.3.1. */
export const MAX_LOCAL_PART_BYTES = 64;
export const MAX_DOMAIN_BYTES = 255;
export const MAX_PATH_BYTES = 256;
/** RFC 3461 section 4.4 and 4.2, after xtext is decoded. */
export const MAX_ENVID_BYTES = 100;
export const MAX_ORCPT_BYTES = 500;
/** A message up to this size, trace fields included, is stored beside its summary; most mail is smaller. */
export const INLINE_MAX_BYTES = 64 * 1024;
