/**
 * The management listener: what the console reads, and drains by hand.
 *
 *   GET  /status                                 pools, servers, routes, changes of health
 *   GET  /healthz                                200, or 503 when a pool has no server
 *   POST /pools/:pool/servers/:server/drain      204
 *   POST /pools/:pool/servers/:server/undrain    204
 *
 * It listens on loopback, so the one outsider who reaches it is a web page in a browser on this machine: a
 * request that names another host (DNS rebinding) or comes from a page is refused.
 */
import { hostNameOf } from '../http/access/index.ts';
import { createRouter, empty, type Handler, HttpError, json } from '../http/index.ts';
import { BalancerError } from './errors.ts';
import type { Balancer } from './server.ts';

export function managementHandler(balancer: Balancer): Handler {
  const change = (verb: 'drain' | 'undrain'): Handler => {
    return ({ params }) => {
      try {
        balancer[verb](params['pool']!, params['server']!);
      } catch (thrown) {
        if (thrown instanceof BalancerError) throw new HttpError(404, thrown.message, { cause: thrown });
        throw thrown;
      }
      return empty(204);
    };
  };
  const router = createRouter()
    .add('GET', '/status', () => json(200, balancer.status()))
    .add('GET', '/healthz', () => {
      const health = balancer.health();
      return json(health.state === 'ok' ? 200 : 503, health);
    })
    .add('POST', '/pools/:pool/servers/:server/drain', change('drain'))
    .add('POST', '/pools/:pool/servers/:server/undrain', change('undrain'));
  return (request) => {
    if (!isLocalName(hostNameOf(request.headers))) throw new HttpError(421, 'this host is not served here');
    if (request.method !== 'GET' && request.headers.has('origin'))
      throw new HttpError(403, 'not from a page');
    return router.handle(request);
  };
}

/** An address, or `localhost`: names that no foreign zone can point at us. */
function isLocalName(name: string): boolean {
  if (name === 'localhost' || name.startsWith('[')) return true;
  const parts = name.split('.');
  return (
    parts.length === 4 && parts.every((part) => part !== '' && [...part].every((c) => c >= '0' && c <= '9'))
  );
}
