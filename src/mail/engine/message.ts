/**
 * What is kept of a message beside its bytes, and the trace fields put before them.
 */
import { formatMailbox, type Mailbox } from '../wire/address.ts';
import { fieldOf, type HeaderField, scanHeader } from '../wire/header-scan.ts';

/** The summary that lists, searches and waits work on. One per mailbox that holds the message. */
export interface MessageSummary {
  /** Ours, unguessable; the same message in two mailboxes has two. */
  readonly id: string;
  readonly mailbox: string;
  /** Grows within the mailbox, never used twice. RFC 9051 section 2.3.1.1. */
  readonly uid: number;
  /** The mailbox's change counter when this entry last changed. RFC 7162. */
  readonly modSeq: number;
  readonly receivedAtMs: number;
  readonly sizeBytes: number;
  /** Envelope: who the bounces go to, '' for none, and who it was sent to here. */
  readonly envelopeFrom: string;
  readonly envelopeTo: string;
  /** Header fields, decoded; '' when absent. */
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly messageId: string;
  readonly date: string;
  /** X-Request-Id, when the sender set it: carries a request through the mail. */
  readonly requestId?: string;
  readonly seen: boolean;
  readonly blobId: string;
}

export type HeaderSummary = Pick<MessageSummary, 'from' | 'to' | 'subject' | 'messageId' | 'date'> & {
  readonly requestId?: string;
};

/** @param header the beginning of the message @param decode turns encoded words (RFC 2047) into text */
export function summariseHeader(header: Buffer, decode: (value: string) => string): HeaderSummary {
  const fields = scanHeader(header);
  const text = (name: string): string => decode(fieldOf(fields, name) ?? '');
  const requestId = fieldOf(fields, 'x-request-id');
  return {
    from: text('from'),
    to: text('to'),
    subject: text('subject'),
    messageId: fieldOf(fields, 'message-id') ?? '',
    date: fieldOf(fields, 'date') ?? '',
    ...(requestId === undefined ? {} : { requestId }),
  };
}

/** How often a message has been handed on. RFC 5321 section 6.3. */
export function countHops(fields: readonly HeaderField[]): number {
  return fields.filter((field) => field.name === 'received').length;
}

export interface TraceInput {
  readonly hostname: string;
  readonly heloName: string;
  readonly remoteAddress: string;
  readonly protocol: string;
  readonly id: string;
  readonly from: Mailbox | undefined;
  readonly recipients: readonly Mailbox[];
  readonly receivedAtMs: number;
}

/** Return-Path and Received (RFC 5321 section 4.4). `for` only where it gives nobody else's address away. */
export function traceFields(input: TraceInput): string {
  const remote = input.remoteAddress.includes(':') ? `IPv6:${input.remoteAddress}` : input.remoteAddress;
  const [only, ...others] = input.recipients;
  const forClause = only !== undefined && others.length === 0 ? `\r\n\tfor <${formatMailbox(only)}>` : '';
  const returnPath = input.from === undefined ? '' : formatMailbox(input.from);
  return (
    `Return-Path: <${returnPath}>\r\n` +
    `Received: from ${input.heloName} ([${remote}])\r\n` +
    `\tby ${input.hostname} with ${input.protocol} id ${input.id}${forClause};\r\n` +
    `\t${formatDate(input.receivedAtMs)}\r\n`
  );
}

/** RFC 5322 section 3.3, in UTC. */
export function formatDate(atMs: number): string {
  // toUTCString gives `Mon, 23 Nov 2026 01:02:03 GMT`; mail writes the zone as an offset.
  return new Date(atMs).toUTCString().replace('GMT', '+0000');
}

/** What a caller asks for. Texts match anywhere, without case; `to` and `mailbox` match whole addresses too. */
export interface MessageFilter {
  readonly mailbox?: string;
  readonly from?: string;
  readonly to?: string;
  readonly subject?: string;
}

export function matches(message: MessageSummary, filter: MessageFilter): boolean {
  const contains = (text: string, wanted: string | undefined): boolean =>
    wanted === undefined || text.toLowerCase().includes(wanted.toLowerCase());
  return (
    (filter.mailbox === undefined || message.mailbox === filter.mailbox.toLowerCase()) &&
    (contains(message.from, filter.from) || contains(message.envelopeFrom, filter.from)) &&
    (contains(message.to, filter.to) || contains(message.envelopeTo, filter.to)) &&
    contains(message.subject, filter.subject)
  );
}
