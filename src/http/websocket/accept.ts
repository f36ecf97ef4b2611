/**
 * The server's end of the opening handshake. RFC 6455 section 4.2.
 *
 * A browser lets any page open a WebSocket to anywhere, and sends its cookies along; only the server can tell
 * its own pages from others, by Origin (section 10.2). So a server says which origins it serves. Clients that are
 * no browsers send none, and are not what this guards against: they must prove who they are otherwise.
 */
import type { Clock } from '../../core/time/clock.ts';
import { problem } from '../problem.ts';
import type { HttpRequest, HttpResponse } from '../types.ts';
import { equalsIgnoreCase, listElements } from '../wire/grammar.ts';
import { OpenWebSocket, type WebSocketConnection } from './connection.ts';
import {
  acceptValue,
  type DeflateWish,
  deflateTermsOf,
  isKey,
  parseProtocols,
  VERSION,
} from './handshake.ts';
import { DEFAULT_WEBSOCKET_LIMITS, type WebSocketLimits } from './limits.ts';
import type { WebSocketSet } from './set.ts';
import { agreeToDeflate, type DeflateTerms } from './wire/deflate-terms.ts';
import { parseExtensions } from './wire/extensions.ts';

export interface AcceptOptions {
  readonly clock: Clock;
  /** Whose pages may connect, as browsers write them (`https://example.com`, `null` for local files); `any` for all. */
  readonly origins: readonly string[] | 'any';
  /** Told of the WebSocket once the 101 is on its way; attaches a handler or iterates. */
  readonly open: (socket: WebSocketConnection) => void;
  /** Subprotocols in order of preference; the first that the client offers is taken, none when it offers none. */
  readonly protocols?: readonly string[];
  /** permessage-deflate where the client offers it. It costs time and up to 64 KiB a connection. Default: no. */
  readonly deflate?: boolean | DeflateWish;
  readonly limits?: Partial<WebSocketLimits>;
  /** Closes the WebSocket with the others of its service. */
  readonly set?: WebSocketSet;
}

/** The parts of a handshake that the answer depends on. */
interface Handshake {
  readonly key: string;
  readonly protocol: string;
  readonly deflate: ReturnType<typeof agreeToDeflate>;
}

/**
 * The answer to a request for a WebSocket: a 101 that opens it, or a problem that says what is wrong.
 * @throws WebSocketError `invalid-argument` when the options cannot be
 */
export function acceptWebSocket(request: HttpRequest, options: AcceptOptions): HttpResponse {
  const wish = deflateTermsOf(options.deflate);
  const handshake = refusal(request, options) ?? readHandshake(request, options, wish);
  if ('status' in handshake) return handshake;
  const { key, protocol, deflate } = handshake;
  const headers: [string, string][] = [
    ['Upgrade', 'websocket'],
    ['Sec-WebSocket-Accept', acceptValue(key)],
  ];
  if (protocol !== '') headers.push(['Sec-WebSocket-Protocol', protocol]);
  if (deflate !== undefined) headers.push(['Sec-WebSocket-Extensions', deflate.answer]);
  return {
    status: 101,
    headers,
    upgrade(connection, early) {
      const { clock, set, open } = options;
      const limits = { ...DEFAULT_WEBSOCKET_LIMITS, ...options.limits };
      const terms = deflate?.terms;
      const socket = new OpenWebSocket({
        role: 'server',
        connection,
        early,
        clock,
        limits,
        protocol,
        deflate: terms,
      });
      set?.add(socket);
      open(socket);
    },
  };
}

/** Why the request is none for a WebSocket that we serve. */
function refusal(request: HttpRequest, options: AcceptOptions): HttpResponse | undefined {
  const { headers } = request;
  if (request.method !== 'GET')
    return problem(405, { detail: 'a WebSocket begins with GET', headers: [['Allow', 'GET']] });
  if (!asksForWebSocket(request)) return upgradeRequired('this resource is a WebSocket');
  const versions = headers.getAll('sec-websocket-version');
  if (versions.length !== 1 || versions[0] !== VERSION)
    return upgradeRequired(`this server speaks version ${VERSION} of the WebSocket protocol`);
  // Even of a length of zero, for the server switches only behind a request that has ended.
  if (headers.has('content-length') || headers.has('transfer-encoding'))
    return badHandshake('a request for a WebSocket has no content');
  if (!isAllowedOrigin(headers.getAll('origin'), options.origins))
    return problem(403, { detail: 'pages of this origin may not connect' });
  if (options.set?.hasRoom === false)
    return problem(503, { detail: 'no further WebSocket is taken now', headers: [['Retry-After', '1']] });
  return undefined;
}

function asksForWebSocket({ upgrade }: HttpRequest): boolean {
  return upgrade !== undefined && listElements(upgrade).some((name) => equalsIgnoreCase(name, 'websocket'));
}

/** RFC 9110 section 15.5.22: a 426 names what to upgrade to; RFC 6455 section 4.4: and the version. */
function upgradeRequired(detail: string): HttpResponse {
  return problem(426, {
    detail,
    headers: [
      ['Upgrade', 'websocket'],
      ['Sec-WebSocket-Version', VERSION],
    ],
  });
}

function isAllowedOrigin(given: readonly string[], allowed: AcceptOptions['origins']): boolean {
  if (given.length === 0) return true;
  if (given.length > 1) return false;
  return allowed === 'any' || allowed.some((origin) => equalsIgnoreCase(origin, given[0]!));
}

function readHandshake(
  { headers }: HttpRequest,
  options: AcceptOptions,
  wish: DeflateTerms | undefined,
): Handshake | HttpResponse {
  const keys = headers.getAll('sec-websocket-key');
  const key = keys[0];
  if (key === undefined || keys.length > 1 || !isKey(key))
    return badHandshake('Sec-WebSocket-Key is not one base64 value of 16 bytes');
  const protocolField = headers.get('sec-websocket-protocol');
  const offered = protocolField === undefined ? [] : parseProtocols(protocolField);
  if (offered === undefined) return badHandshake('Sec-WebSocket-Protocol is not a list of distinct tokens');
  const extensionField = headers.get('sec-websocket-extensions');
  const extensions = extensionField === undefined ? [] : parseExtensions(extensionField);
  if (extensions === undefined) return badHandshake('Sec-WebSocket-Extensions is malformed');
  return {
    key,
    protocol: options.protocols?.find((protocol) => offered.includes(protocol)) ?? '',
    deflate: wish === undefined ? undefined : agreeToDeflate(extensions, wish),
  };
}

function badHandshake(detail: string): HttpResponse {
  return problem(400, { detail });
}
