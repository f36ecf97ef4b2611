/**
 * The terms of permessage-deflate: what a client offers, what a server agrees to. RFC 7692 section 7.1.
 *
 *   permessage-deflate; client_max_window_bits; server_no_context_takeover; server_max_window_bits=10
 *
 *   …_no_context_takeover   that end begins each message with an empty window
 *   …_max_window_bits       that end refers back no further than 2^n bytes, 8 to 15
 *
 * Parameters are taken strictly: an unknown, doubled or ill-valued one makes an offer unacceptable, and an
 * answer a failed handshake.
 */
import type { Extension } from './extensions.ts';

const NAME = 'permessage-deflate';
const MIN_WINDOW_BITS = 8;
export const MAX_WINDOW_BITS = 15;

/** How one end compresses. */
export interface DirectionTerms {
  /** The window is kept from message to message. */
  readonly contextTakeover: boolean;
  readonly windowBits: number;
}

/** What was agreed on. */
export interface DeflateTerms {
  readonly client: DirectionTerms;
  readonly server: DirectionTerms;
}

/** The parameters of one offer or answer as they stand. */
interface Parameters {
  serverNoContextTakeover: boolean;
  clientNoContextTakeover: boolean;
  serverMaxWindowBits: number | undefined;
  /** `any` without a value: the client can be told. */
  clientMaxWindowBits: number | 'any' | undefined;
}

/**
 * A server's answer to what a client offers: the first offer that it can keep, on terms no wider than its own.
 * @returns undefined when there is none; the messages are not compressed then
 */
export function agreeToDeflate(
  offers: readonly Extension[],
  wish: DeflateTerms,
): { readonly terms: DeflateTerms; readonly answer: string } | undefined {
  for (const offer of offers) {
    const parameters = parametersOf(offer);
    if (parameters === undefined) continue;
    const terms = termsOf(parameters, wish);
    return { terms, answer: encodeAnswer(terms, parameters) };
  }
  return undefined;
}

function termsOf(offer: Parameters, wish: DeflateTerms): DeflateTerms {
  const clientBits = offer.clientMaxWindowBits === 'any' ? MAX_WINDOW_BITS : offer.clientMaxWindowBits;
  return {
    server: {
      contextTakeover: wish.server.contextTakeover && !offer.serverNoContextTakeover,
      windowBits: Math.min(wish.server.windowBits, offer.serverMaxWindowBits ?? MAX_WINDOW_BITS),
    },
    client: {
      contextTakeover: wish.client.contextTakeover && !offer.clientNoContextTakeover,
      // A client that does not speak of its window cannot be told to narrow it. Section 7.1.2.2.
      windowBits: clientBits === undefined ? MAX_WINDOW_BITS : Math.min(wish.client.windowBits, clientBits),
    },
  };
}

function encodeAnswer({ client, server }: DeflateTerms, offer: Parameters): string {
  let answer = NAME;
  if (!server.contextTakeover) answer += '; server_no_context_takeover';
  if (!client.contextTakeover) answer += '; client_no_context_takeover';
  if (server.windowBits < MAX_WINDOW_BITS || offer.serverMaxWindowBits !== undefined)
    answer += `; server_max_window_bits=${server.windowBits}`;
  if (client.windowBits < MAX_WINDOW_BITS) answer += `; client_max_window_bits=${client.windowBits}`;
  return answer;
}

/** A client's offer. */
export function encodeOffer({ client, server }: DeflateTerms): string {
  let offer = NAME;
  if (!server.contextTakeover) offer += '; server_no_context_takeover';
  if (!client.contextTakeover) offer += '; client_no_context_takeover';
  if (server.windowBits < MAX_WINDOW_BITS) offer += `; server_max_window_bits=${server.windowBits}`;
  // Always named, so that the server may narrow our window.
  offer += '; client_max_window_bits';
  return client.windowBits < MAX_WINDOW_BITS ? `${offer}=${client.windowBits}` : offer;
}

/**
 * What a server's answer to our offer makes of the messages.
 * @returns undefined when the answer is none to our offer, and the handshake has failed. Section 7.1.3
 */
export function termsOfAnswer(answer: readonly Extension[], offered: DeflateTerms): DeflateTerms | undefined {
  const parameters = answer.length === 1 ? parametersOf(answer[0]!) : undefined;
  if (parameters === undefined || parameters.clientMaxWindowBits === 'any') return undefined;
  const { client, server } = offered;
  const serverBits = parameters.serverMaxWindowBits ?? MAX_WINDOW_BITS;
  const clientBits = parameters.clientMaxWindowBits ?? MAX_WINDOW_BITS;
  // What we asked of the server it must confirm. Sections 7.1.1.1 and 7.1.2.1.
  if (!server.contextTakeover && !parameters.serverNoContextTakeover) return undefined;
  if (serverBits > server.windowBits) return undefined;
  // More than we offered to do. Section 7.1.2.2.
  if (parameters.clientMaxWindowBits !== undefined && clientBits > client.windowBits) return undefined;
  return {
    server: { contextTakeover: !parameters.serverNoContextTakeover, windowBits: serverBits },
    client: {
      contextTakeover: client.contextTakeover && !parameters.clientNoContextTakeover,
      windowBits: Math.min(client.windowBits, clientBits),
    },
  };
}

function parametersOf({ name, parameters }: Extension): Parameters | undefined {
  if (name !== NAME) return undefined;
  const seen = new Set<string>();
  const result: Parameters = {
    serverNoContextTakeover: false,
    clientNoContextTakeover: false,
    serverMaxWindowBits: undefined,
    clientMaxWindowBits: undefined,
  };
  for (const [parameter, value] of parameters) {
    if (seen.has(parameter) || !take(result, parameter, value)) return undefined;
    seen.add(parameter);
  }
  return result;
}

function take(result: Parameters, parameter: string, value: string | undefined): boolean {
  const bits = windowBits(value);
  switch (parameter) {
    case 'server_no_context_takeover':
      result.serverNoContextTakeover = true;
      return value === undefined;
    case 'client_no_context_takeover':
      result.clientNoContextTakeover = true;
      return value === undefined;
    case 'server_max_window_bits':
      result.serverMaxWindowBits = bits;
      return bits !== undefined;
    case 'client_max_window_bits':
      result.clientMaxWindowBits = value === undefined ? 'any' : bits;
      return value === undefined || bits !== undefined;
    default:
      return false;
  }
}

/** 8 to 15 without a leading zero, else undefined. */
function windowBits(value: string | undefined): number | undefined {
  if (value === undefined || value.length > 2) return undefined;
  const bits = Number(value);
  const isPlain = String(bits) === value;
  return isPlain && bits >= MIN_WINDOW_BITS && bits <= MAX_WINDOW_BITS ? bits : undefined;
}
