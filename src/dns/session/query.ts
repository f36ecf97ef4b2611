/**
 * One question to us: octets → query, answer → octets. What can be said without looking anything up, is said
 * here: malformed messages, unknown opcodes, EDNS versions. RFC 1035 section 4.1.1, RFC 6891, RFC 8906, RFC 9619.
 */
import type { Answer } from '../engine/answer.ts';
import { EDNS_UDP_BYTES, MAX_MESSAGE_BYTES, PLAIN_UDP_BYTES } from '../limits.ts';
import { CLASS, EXTENDED_ERROR, OPCODE, RCODE, TYPE } from '../wire/codes.ts';
import { type Edns, type ExtendedError, extendedErrorOption } from '../wire/edns.ts';
import {
  decodeHeader,
  decodeMessage,
  encodeMessage,
  type Header,
  type Message,
  type Question,
} from '../wire/message.ts';

export type Transport = 'udp' | 'tcp';

export interface Query {
  readonly message: Message;
  readonly question: Question;
  readonly transport: Transport;
}

export type Opened =
  | { readonly kind: 'query'; readonly query: Query }
  /** Answered here: `rcode` is what `bytes` says. */
  | { readonly kind: 'reply'; readonly bytes: Buffer; readonly rcode: number; readonly reason: string }
  /** Not to be answered at all. */
  | { readonly kind: 'drop'; readonly reason: string };

export function openQuery(bytes: Buffer, transport: Transport): Opened {
  const header = decodeHeader(bytes);
  if (header === undefined) return { kind: 'drop', reason: 'shorter than a header' };
  // Answering an answer could go on for ever between two servers.
  if (header.response) return { kind: 'drop', reason: 'an answer, not a question' };
  if (header.opcode !== OPCODE.QUERY) return headerReply(header, RCODE.NOTIMP, `opcode ${header.opcode}`);
  const decoded = decodeMessage(bytes);
  if (decoded.kind === 'malformed') return headerReply(header, RCODE.FORMERR, decoded.problem);
  const { message } = decoded;
  const [question] = message.questions;
  if (question === undefined || message.questions.length > 1) {
    return reply(message, transport, RCODE.FORMERR, `${message.questions.length} questions (RFC 9619)`);
  }
  if ((message.edns?.version ?? 0) > 0) return reply(message, transport, RCODE.BADVERS, 'EDNS version');
  return refusal(message, question, transport) ?? { kind: 'query', query: { message, question, transport } };
}

/** Questions that no name could answer here. */
function refusal(message: Message, question: Question, transport: Transport): Opened | undefined {
  const { type } = question;
  if (type === TYPE.AXFR || type === TYPE.IXFR) {
    return reply(
      message,
      transport,
      RCODE.REFUSED,
      'zone transfer is not supported',
      EXTENDED_ERROR.NOT_SUPPORTED,
    );
  }
  if (type === TYPE.OPT || type === 0)
    return reply(message, transport, RCODE.FORMERR, `type ${type} in a question`);
  if (type > 127 && type < 255 && type !== TYPE.NXNAME) {
    return reply(message, transport, RCODE.NOTIMP, `query type ${type}`, EXTENDED_ERROR.NOT_SUPPORTED);
  }
  if (question.class !== CLASS.IN) {
    return reply(message, transport, RCODE.REFUSED, `class ${question.class}`, EXTENDED_ERROR.NOT_SUPPORTED);
  }
  return undefined;
}

function headerReply(header: Header, rcode: number, reason: string): Opened {
  const message = { ...header, questions: [], answers: [], authorities: [], additionals: [] };
  const bytes = encodeReply(
    message,
    { rcode, authoritative: false, answers: [], authorities: [], additionals: [] },
    false,
    'udp',
  );
  return { kind: 'reply', bytes, rcode, reason };
}

function reply(
  message: Message,
  transport: Transport,
  rcode: number,
  reason: string,
  infoCode?: number,
): Opened {
  const extendedErrors = infoCode === undefined ? [] : [{ infoCode, text: reason }];
  const answer = {
    rcode,
    authoritative: false,
    answers: [],
    authorities: [],
    additionals: [],
    extendedErrors,
  };
  return { kind: 'reply', bytes: encodeReply(message, answer, false, transport), rcode, reason };
}

/** The octets of the answer to a query, cut to what the client can take. */
export function closeQuery(query: Query, answer: Answer, recursionAvailable: boolean): Buffer {
  return encodeReply(query.message, answer, recursionAvailable, query.transport);
}

function encodeReply(
  query: Message,
  answer: Answer,
  recursionAvailable: boolean,
  transport: Transport,
): Buffer {
  const message: Message = {
    id: query.id,
    response: true,
    opcode: query.opcode,
    authoritative: answer.authoritative,
    truncated: false,
    recursionDesired: query.recursionDesired,
    recursionAvailable,
    authenticData: false,
    checkingDisabled: query.checkingDisabled,
    rcode: answer.rcode,
    questions: query.questions,
    answers: answer.answers,
    authorities: answer.authorities,
    additionals: answer.additionals,
    ...(query.edns === undefined ? {} : { edns: ourEdns(query.edns, answer.extendedErrors ?? []) }),
  };
  return encodeMessage(message, {
    maxBytes: responseBytes(query, transport),
    requiredAdditionals: answer.requiredAdditionals ?? 0,
  });
}

function ourEdns(theirs: Edns, extendedErrors: readonly ExtendedError[]): Edns {
  return {
    udpBytes: EDNS_UDP_BYTES,
    version: 0,
    dnssecOk: theirs.dnssecOk,
    options: extendedErrors.map(extendedErrorOption),
  };
}

/** The largest answer that this client takes over this transport. RFC 6891 section 6.2.3, RFC 9715. */
function responseBytes(query: Message, transport: Transport): number {
  if (transport === 'tcp') return MAX_MESSAGE_BYTES;
  if (query.edns === undefined) return PLAIN_UDP_BYTES;
  return Math.min(Math.max(query.edns.udpBytes, PLAIN_UDP_BYTES), EDNS_UDP_BYTES);
}
