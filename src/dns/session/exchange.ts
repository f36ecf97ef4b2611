/**
 * One question from us to one server, and which of the messages that come back is its answer. RFC 5452.
 *
 * A forger who does not see our questions has to guess everything that is checked here: the identifier
 * (16 bits), the port it came from (the driver opens a new socket for each question), the server's address and
 * port, the question, and the case of each letter in it (draft-vixie-dnsext-dns0x20). One that keeps guessing is
 * met over TCP, where guessing does not help.
 */
import { EDNS_UDP_BYTES, MAX_MESSAGE_BYTES } from '../limits.ts';
import { CLASS, OPCODE, RCODE } from '../wire/codes.ts';
import {
  decodeHeader,
  decodeMessage,
  encodeMessage,
  type Message,
  makeQuery,
  type Question,
} from '../wire/message.ts';
import { canonical, type Name } from '../wire/name.ts';

export interface ExchangeOptions {
  readonly name: Name;
  readonly type: number;
  /** Default IN. */
  readonly class?: number;
  readonly recursionDesired: boolean;
  readonly edns: boolean;
  /** DO: ask for DNSSEC records. Default false. */
  readonly dnssecOk?: boolean;
  /** Where the answer must come from. */
  readonly server: Source;
  /** After so many messages that do not match, TCP. */
  readonly maxMismatches: number;
}

/** What a forger has to guess, drawn for this one question. */
export interface Secrets {
  /** 0 to 65535. */
  readonly id: number;
  /** At least as many random bits as the name has octets; without, the name is sent as it is. */
  readonly letterCase?: Buffer;
}

/** Where a datagram came from. */
export interface Source {
  readonly address: string;
  readonly port: number;
}

export type Received =
  | { readonly kind: 'answer'; readonly message: Message }
  /** Ask the same over TCP: the answer was cut off, or somebody is guessing. */
  | { readonly kind: 'use-tcp'; readonly reason: string }
  /** The right server, and not a usable message. */
  | { readonly kind: 'garbage'; readonly problem: string }
  /** Not the answer to this question; keep waiting. */
  | { readonly kind: 'mismatch' };

const MISMATCH: Received = { kind: 'mismatch' };

export class Exchange {
  /** The message to send, over UDP as it is and over TCP in a frame. */
  readonly query: Buffer;
  mismatches = 0;
  readonly #options: ExchangeOptions;
  readonly #id: number;
  readonly #question: Question;

  constructor(options: ExchangeOptions, { id, letterCase }: Secrets) {
    this.#options = options;
    this.#id = id;
    const name = letterCase === undefined ? options.name : withCase(options.name, letterCase);
    this.#question = { name, type: options.type, class: options.class ?? CLASS.IN };
    const edns = { udpBytes: EDNS_UDP_BYTES, version: 0, dnssecOk: options.dnssecOk ?? false, options: [] };
    const details = { recursionDesired: options.recursionDesired, ...(options.edns ? { edns } : {}) };
    const message = makeQuery(this.#id, this.#question, details);
    this.query = encodeMessage(message, { maxBytes: MAX_MESSAGE_BYTES });
  }

  /** A datagram came. */
  datagram(bytes: Buffer, from: Source): Received {
    const { server } = this.#options;
    if (from.address !== server.address || from.port !== server.port) return this.#mismatch();
    const received = this.#match(bytes, (name) => name === this.#question.name);
    if (received.kind === 'answer' && received.message.truncated)
      return { kind: 'use-tcp', reason: 'truncated' };
    if (received.kind !== 'mismatch') return received;
    // The right answer in the wrong case: an old server, or a good guess. TCP serves either.
    const lenient = this.#match(bytes, (name) => canonical(name) === canonical(this.#question.name));
    return lenient.kind === 'answer'
      ? { kind: 'use-tcp', reason: 'the case of the question changed' }
      : this.#mismatch();
  }

  /** A message came on our own connection to the server. */
  streamed(bytes: Buffer): Received {
    return this.#match(bytes, (name) => canonical(name) === canonical(this.#question.name));
  }

  #match(bytes: Buffer, sameName: (name: Name) => boolean): Received {
    const header = decodeHeader(bytes);
    if (header === undefined || header.id !== this.#id || !header.response) return MISMATCH;
    const decoded = decodeMessage(bytes);
    if (decoded.kind === 'malformed') return { kind: 'garbage', problem: decoded.problem };
    const { message } = decoded;
    const [question, another] = message.questions;
    if (message.opcode !== OPCODE.QUERY || another !== undefined) return MISMATCH;
    if (question === undefined) return isBareComplaint(message) ? { kind: 'answer', message } : MISMATCH;
    const { type, class: cls } = this.#question;
    const same = question.type === type && question.class === cls && sameName(question.name);
    return same ? { kind: 'answer', message } : MISMATCH;
  }

  #mismatch(): Received {
    this.mismatches += 1;
    return this.mismatches < this.#options.maxMismatches
      ? MISMATCH
      : { kind: 'use-tcp', reason: 'answers that do not match' };
  }
}

/** Servers that cannot read a message may answer with its header alone. It carries nothing that could be believed. */
function isBareComplaint(message: Message): boolean {
  return (message.rcode === RCODE.FORMERR || message.rcode === RCODE.NOTIMP) && message.answers.length === 0;
}

/** The name with its letters in upper case where `bits` has ones, else in lower case. */
export function withCase(name: Name, bits: Buffer): Name {
  let mixed = '';
  for (let at = 0; at < name.length; at += 1) {
    const octet = name.charCodeAt(at);
    const lower = octet | 0x20;
    const isLetter = lower >= 0x61 && lower <= 0x7a;
    const upper = ((bits[at >> 3] ?? 0) >> (at & 7)) & 1;
    mixed += isLetter ? String.fromCharCode(upper === 1 ? octet & ~0x20 : lower) : name[at];
  }
  return mixed as Name;
}
