/** The client's end of the opening handshake. RFC 6455 section 4.1. */
import type { Random } from '../../core/random/random.ts';
import type { Clock } from '../../core/time/clock.ts';
import type { HttpClient } from '../client/index.ts';
import { HttpClientError } from '../errors.ts';
import type { ClientRequest, ClientResponse, HeaderList } from '../types.ts';
import { equalsIgnoreCase, isToken } from '../wire/grammar.ts';
import { OpenWebSocket, type WebSocketConnection } from './connection.ts';
import { WebSocketError } from './errors.ts';
import { acceptValue, type DeflateWish, deflateTermsOf, VERSION } from './handshake.ts';
import { DEFAULT_WEBSOCKET_LIMITS, type WebSocketLimits } from './limits.ts';
import { type DeflateTerms, encodeOffer, termsOfAnswer } from './wire/deflate-terms.ts';
import { parseExtensions } from './wire/extensions.ts';

export interface ConnectOptions {
  readonly client: HttpClient;
  readonly clock: Clock;
  /** The source of the key and of the masks. */
  readonly random: Random;
  /** Absolute; ws, wss, http or https, without a fragment. */
  readonly url: string;
  /** Subprotocols in order of preference, distinct tokens. */
  readonly protocols?: readonly string[];
  /** Offers permessage-deflate. Default: no. */
  readonly deflate?: boolean | DeflateWish;
  /** Further fields, such as Origin, Authorization or Cookie. */
  readonly headers?: HeaderList;
  readonly limits?: Partial<WebSocketLimits>;
  readonly signal?: AbortSignal;
  /** For the handshake. Default 30,000. */
  readonly timeoutMs?: number;
}

const KEY_BYTES = 16;
/** Fields that the handshake is made of; a caller may not give them. */
const OWN_FIELDS = new Set([
  'upgrade',
  'connection',
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-protocol',
  'sec-websocket-extensions',
]);

/**
 * Opens a WebSocket; nothing is read from it before a handler is attached.
 * @throws WebSocketError; HttpClientError when no answer came
 */
export async function connectWebSocket(options: ConnectOptions): Promise<WebSocketConnection> {
  const { protocols = [], random } = options;
  checkProtocols(protocols);
  const wish = deflateTermsOf(options.deflate);
  const key = random.bytes(KEY_BYTES).toString('base64');
  const response = await requestOnce(options.client, {
    url: httpUrl(options.url),
    upgrade: 'websocket',
    headers: [...callersFields(options.headers ?? []), ...ownFields(key, protocols, wish)],
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
  });
  const { upgraded } = response;
  if (upgraded === undefined) {
    response.body.discard();
    const message = `the server answered ${response.status} instead of switching to a WebSocket`;
    throw new WebSocketError('refused', message, { status: response.status });
  }
  const answer = readAnswer(response, key, protocols, wish);
  if (typeof answer === 'string') {
    upgraded.connection.destroy();
    throw new WebSocketError('bad-handshake', answer);
  }
  return new OpenWebSocket({
    role: 'client',
    ...upgraded,
    ...answer,
    clock: options.clock,
    limits: { ...DEFAULT_WEBSOCKET_LIMITS, ...options.limits },
    maskKey: () => random.bytes(4).readUInt32LE(0),
  });
}

/** Once more when a pooled connection turned out to be closed: a handshake changes nothing before its 101. */
async function requestOnce(client: HttpClient, request: ClientRequest): Promise<ClientResponse> {
  try {
    return await client.request(request);
  } catch (thrown) {
    if (!(thrown instanceof HttpClientError) || thrown.code !== 'connection-lost') throw thrown;
    return client.request(request);
  }
}

/** RFC 6455 section 3: `ws` is http and `wss` https, and neither has a fragment. */
function httpUrl(url: string): string {
  if (url.includes('#')) throw invalid('the URL of a WebSocket has no fragment');
  const scheme = url.slice(0, url.indexOf(':')).toLowerCase();
  return scheme === 'ws' || scheme === 'wss' ? `http${url.slice(2)}` : url;
}

function checkProtocols(protocols: readonly string[]): void {
  if (!protocols.every(isToken)) throw invalid('a subprotocol is no token');
  if (new Set(protocols).size !== protocols.length) throw invalid('a subprotocol is named twice');
}

function callersFields(headers: HeaderList): HeaderList {
  const own = headers.find(([name]) => OWN_FIELDS.has(name.toLowerCase()));
  if (own !== undefined) throw invalid(`${own[0]} is the handshake’s to set`);
  return headers;
}

function ownFields(key: string, protocols: readonly string[], wish: DeflateTerms | undefined): HeaderList {
  return [
    ['Sec-WebSocket-Version', VERSION],
    ['Sec-WebSocket-Key', key],
    ...(protocols.length === 0 ? [] : [['Sec-WebSocket-Protocol', protocols.join(', ')] as const]),
    ...(wish === undefined ? [] : [['Sec-WebSocket-Extensions', encodeOffer(wish)] as const]),
  ];
}

/** @returns what was agreed on, or why the answer is none to our handshake */
function readAnswer(
  { headers }: ClientResponse,
  key: string,
  protocols: readonly string[],
  wish: DeflateTerms | undefined,
): { protocol: string; deflate: DeflateTerms | undefined } | string {
  const upgrades = headers.getAll('upgrade');
  if (upgrades.length !== 1 || !equalsIgnoreCase(upgrades[0]!, 'websocket'))
    return 'the server switches to something other than a WebSocket';
  const accepts = headers.getAll('sec-websocket-accept');
  if (accepts.length !== 1 || accepts[0] !== acceptValue(key))
    return 'Sec-WebSocket-Accept does not answer our key';
  const chosen = headers.getAll('sec-websocket-protocol');
  if (chosen.length > 1 || (chosen.length === 1 && !protocols.includes(chosen[0]!)))
    return 'the server chose a subprotocol that was not offered';
  const extensions = headers.get('sec-websocket-extensions');
  const protocol = chosen[0] ?? '';
  if (extensions === undefined) return { protocol, deflate: undefined };
  const answer = wish === undefined ? undefined : parseExtensions(extensions);
  const deflate = answer === undefined ? undefined : termsOfAnswer(answer, wish!);
  return deflate === undefined
    ? 'the server chose an extension or terms that were not offered'
    : { protocol, deflate };
}

function invalid(message: string): WebSocketError {
  return new WebSocketError('invalid-argument', message);
}
