/**
 * A tunnel through a proxy: CONNECT. RFC 9110 section 9.3.6.
 *
 *   CONNECT host:443 HTTP/1.1 ──▶
 *                             ◀── HTTP/1.1 200 …      from here on the bytes are the server's
 *
 * Bytes right behind the 200 would be the proxy speaking in the server's name; nobody speaks before us here.
 */
import { messageOf } from '../../core/errors.ts';
import type { Connection } from '../../core/net/network.ts';
import { HttpClientError } from '../errors.ts';
import type { HttpLimits } from '../limits.ts';
import { HttpSession, type SessionEvent } from '../session.ts';
import type { HeaderList } from '../types.ts';
import type { HttpProxy } from './proxy.ts';
import type { RequestUrl } from './url.ts';

/**
 * Asks the proxy at the other end of `connection`; afterwards the connection is paused and leads to the server.
 * @param now monotonic milliseconds
 * @throws HttpClientError `proxy-failed`
 */
export function openTunnel(
  connection: Connection,
  proxy: HttpProxy,
  url: RequestUrl,
  limits: HttpLimits,
  now: () => number,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const session = new HttpSession('client', limits, now());
  const fail = (message: string, cause?: unknown): void =>
    reject(new HttpClientError('proxy-failed', message, { cause, unsent: true, retryable: true }));
  const take = (): void => {
    for (;;) {
      const event = session.next(now());
      if (event.kind === 'informational') continue;
      if (event.kind === 'need-data') return;
      const refusal = refusalOf(event) ?? unaskedBytes(session);
      if (refusal !== undefined) return fail(refusal);
      connection.pause();
      return resolve();
    }
  };
  connection.attach({
    data: (chunk) => {
      session.receive(chunk, now());
      take();
    },
    end: () => fail('the proxy closed the connection'),
    close: (cause) => fail(`the proxy closed the connection${cause ? `: ${messageOf(cause)}` : ''}`, cause),
  });
  session.sendRequest(connectRequest(proxy, url), now());
  for (const part of session.takeOutput()) connection.write(part);
  return promise;
}

function connectRequest(proxy: HttpProxy, url: RequestUrl): Parameters<HttpSession['sendRequest']>[0] {
  const target = withPort(url);
  const { authorization } = proxy;
  const headers: HeaderList = [
    ['Host', target],
    ...(authorization === undefined ? [] : [['Proxy-Authorization', authorization] as const]),
  ];
  return { method: 'CONNECT', target, headers, size: 'none', timeoutMs: 0 };
}

/** authority-form always has the port. RFC 9112 section 3.2.3. */
function withPort({ host, port }: RequestUrl): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function refusalOf(event: SessionEvent): string | undefined {
  switch (event.kind) {
    case 'response':
      return event.status < 300 ? undefined : `the proxy refused the tunnel with ${event.status}`;
    case 'malformed':
      return `the proxy’s answer is malformed: ${event.message} (${event.code})`;
    default:
      return 'the proxy gave no answer to CONNECT';
  }
}

function unaskedBytes(session: HttpSession): string | undefined {
  return session.takeRest().length === 0 ? undefined : 'the proxy sent bytes in the server’s name';
}
