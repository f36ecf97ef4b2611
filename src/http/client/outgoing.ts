/** A caller's request as it goes out: its target's form, its fields, where its content ends. */
import { HttpClientError } from '../errors.ts';
import type { OutgoingRequest } from '../session.ts';
import type { ClientRequest, HeaderList } from '../types.ts';
import { decimal, equalsIgnoreCase } from '../wire/grammar.ts';
import { asBytes, type RequestBody } from './connection.ts';
import type { Route } from './dial.ts';

const DEFAULT_TIMEOUT_MS = 30_000;

/** Methods whose requests say that they have no content. RFC 9110 section 8.6. */
const WITH_CONTENT: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/** @throws HttpClientError `invalid-request` */
export function outgoingOf(request: ClientRequest, route: Route): OutgoingRequest {
  const { url, proxy, isTunnel } = route;
  const method = request.method ?? 'GET';
  if (method === 'CONNECT') throw invalid('CONNECT is for proxies: give the client one');
  const viaProxy = proxy !== undefined && !isTunnel;
  const { headers, declared, close } = withoutFraming(request.headers ?? []);
  if (!hasField(headers, 'host')) headers.unshift(['Host', url.authority]);
  if (request.decoding !== undefined && !hasField(headers, 'accept-encoding'))
    headers.push(['Accept-Encoding', request.decoding.acceptEncoding]);
  if (viaProxy && proxy.authorization !== undefined)
    headers.push(['Proxy-Authorization', proxy.authorization]);
  return {
    method,
    // absolute-form for a proxy. RFC 9112 section 3.2.2.
    target: viaProxy ? `http://${url.authority}${url.target}` : url.target,
    headers,
    size: sizeOf(request, declared, method),
    upgrade: request.upgrade,
    expectContinue: request.expectContinue === true && request.body !== undefined,
    close,
    timeoutMs: request.timeoutMs ?? DEFAULT_TIMEOUT_MS,
  };
}

/** Takes out what the session sets itself. */
function withoutFraming(given: HeaderList): {
  headers: (readonly [string, string])[];
  declared: number | undefined;
  close: boolean;
} {
  const headers: (readonly [string, string])[] = [];
  let declared: number | undefined;
  let close = false;
  for (const field of given) {
    const [name, value] = field;
    if (equalsIgnoreCase(name, 'content-length')) declared = decimal(value);
    else if (equalsIgnoreCase(name, 'connection')) close ||= equalsIgnoreCase(value, 'close');
    else headers.push(field);
  }
  if (declared !== undefined && declared < 0) throw invalid('Content-Length is not a decimal number');
  return { headers, declared, close };
}

function sizeOf(
  request: ClientRequest,
  declared: number | undefined,
  method: string,
): OutgoingRequest['size'] {
  const { body } = request;
  if (request.trailers !== undefined) {
    if (declared !== undefined) throw invalid('trailers follow chunked content, which has no Content-Length');
    return undefined;
  }
  if (body === undefined) {
    if (declared !== undefined && declared > 0) throw invalid('Content-Length without content');
    return declared === 0 || WITH_CONTENT.has(method) ? 0 : 'none';
  }
  return sizeOfBody(body, declared);
}

function sizeOfBody(body: RequestBody, declared: number | undefined): number | undefined {
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) return declared;
  const size = typeof body === 'string' ? asBytes(body).length : body.length;
  if (declared !== undefined && declared !== size) throw invalid('Content-Length differs from the content');
  return size;
}

function hasField(headers: HeaderList, name: string): boolean {
  return headers.some(([given]) => equalsIgnoreCase(given, name));
}

function invalid(message: string): HttpClientError {
  return new HttpClientError('invalid-request', message, { fault: 'local', unsent: true });
}
