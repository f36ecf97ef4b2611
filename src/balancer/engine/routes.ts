/**
 * Which pool a request goes to, and with which path.
 *
 * A named host wins over none, then the longest prefix wins, then the first in the list. The path is matched
 * and sent on byte for byte, so a path that another program would read differently is refused: one with a
 * `.` or `..` segment, plain or escaped, could leave the prefix that it was routed by.
 */

export interface RouteOptions {
  /** Exact host name, without port; any when absent. */
  readonly host?: string;
  /** `/a` takes `/a` and `/a/b`, never `/ab`. */
  readonly pathPrefix: string;
  readonly pool: string;
  /** Takes the matched prefix off the path sent on. */
  readonly stripPrefix?: boolean;
  /** Put before the path sent on, after stripping: `/bucket`. */
  readonly addPrefix?: string;
}

export interface Route {
  readonly host: string | undefined;
  readonly pathPrefix: string;
  readonly pool: string;
  readonly stripPrefix: boolean;
  readonly addPrefix: string;
}

export class RouteTable {
  readonly #routes: readonly Route[];

  constructor(routes: readonly RouteOptions[]) {
    this.#routes = routes
      .map(normalised)
      .sort(
        (a, b) =>
          Number(b.host !== undefined) - Number(a.host !== undefined) ||
          b.pathPrefix.length - a.pathPrefix.length,
      );
  }

  /** @param host of the request, with or without port; `path` undecoded */
  find(host: string, path: string): Route | undefined {
    const name = hostName(host);
    return this.#routes.find(
      (route) => (route.host === undefined || route.host === name) && covers(route, path),
    );
  }
}

function normalised(options: RouteOptions): Route {
  const prefix = options.pathPrefix;
  return {
    host: options.host?.toLowerCase(),
    pathPrefix: prefix.endsWith('/') ? prefix.slice(0, -1) : prefix,
    pool: options.pool,
    stripPrefix: options.stripPrefix ?? false,
    addPrefix: options.addPrefix ?? '',
  };
}

function covers(route: Route, path: string): boolean {
  const { pathPrefix } = route;
  return (
    path.startsWith(pathPrefix) && (path.length === pathPrefix.length || path[pathPrefix.length] === '/')
  );
}

function hostName(host: string): string {
  const end = host.startsWith('[') ? host.indexOf(']') + 1 : host.indexOf(':');
  return (end <= 0 ? host : host.slice(0, end)).toLowerCase();
}

/** The target to send on; `target` is path and query as received. */
export function rewrite(route: Route, target: string): string {
  if (!route.stripPrefix && route.addPrefix === '') return target;
  const rest = route.stripPrefix ? target.slice(route.pathPrefix.length) : target;
  const path = rest.startsWith('/') || route.addPrefix !== '' ? rest : `/${rest}`;
  return route.addPrefix + path;
}

/** True when a segment of the path is `.` or `..`, also with escaped dots. RFC 3986 section 6.2.2. */
export function hasDotSegment(path: string): boolean {
  if (!path.includes('/.') && !path.includes('%2')) return false;
  return path.split('/').some((segment) => {
    const plain = segment.replaceAll('%2e', '.').replaceAll('%2E', '.');
    return plain === '.' || plain === '..';
  });
}
