/**
 * Routes requests by method and path: a tree of path segments.
 *
 *   /api/spells          static
 *   /api/:table/:key     a parameter takes one whole segment, not empty
 *   /files/*name         a wildcard takes the rest, which may be empty; last in its pattern
 *
 * At each segment static wins over parameter, parameter over wildcard; a dead end goes back to the next
 * choice. The path is not normalised: no segment is removed or merged and `%2F` never separates. Each segment
 * is percent-decoded once for comparison and for parameters; broken escapes, `%00`, broken UTF-8 and the
 * segments `.` and `..` (also escaped) are refused with 400. HEAD goes to GET's handler and OPTIONS is
 * answered, unless routes of their own exist.
 */
import { OctetError } from '../core/errors.ts';
import { problem } from './problem.ts';
import type { Handler, HttpRequest, HttpResponse } from './types.ts';

export type Params = Readonly<Record<string, string>>;

export type Match =
  | { readonly kind: 'found'; readonly handler: Handler; readonly params: Params; readonly pattern: string }
  | { readonly kind: 'wrong-method'; readonly allow: readonly string[] }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'bad-path' };

export interface Router {
  /** @throws RouteError when the pattern is malformed or taken */
  add(method: string, pattern: string, handler: Handler): Router;
  /** `path` as received, undecoded, without query. */
  find(method: string, path: string): Match;
  /** The whole as a handler; refusals are problems. */
  readonly handle: Handler;
}

/** A route that cannot be added. */
export class RouteError extends OctetError<'bad-route'> {
  constructor(message: string) {
    super('bad-route', message);
  }
}

export function createRouter(): Router {
  return new RouteTree();
}

interface Route {
  readonly handler: Handler;
  readonly pattern: string;
  readonly names: readonly string[];
}

class Node {
  readonly statics = new Map<string, Node>();
  param: Node | undefined;
  wildcard: Node | undefined;
  readonly routes = new Map<string, Route>();
}

class RouteTree implements Router {
  readonly #root = new Node();

  add(method: string, pattern: string, handler: Handler): Router {
    const names: string[] = [];
    let node = this.#root;
    const segments = segmentsOf(pattern);
    for (const [at, segment] of segments.entries()) {
      node = child(node, segment, pattern, at === segments.length - 1, names);
    }
    if (new Set(names).size < names.length) throw new RouteError(`${pattern} names a parameter twice`);
    if (node.routes.has(method)) throw new RouteError(`${method} ${pattern} is already routed`);
    node.routes.set(method, { handler, pattern, names });
    return this;
  }

  find(method: string, path: string): Match {
    if (path === '*') return { kind: 'not-found' };
    const segments: string[] = [];
    for (const raw of path.slice(1).split('/')) {
      const segment = decodeSegment(raw);
      if (segment === undefined) return { kind: 'bad-path' };
      segments.push(segment);
    }
    const search = new Search(method, segments);
    const route = search.visit(this.#root, 0);
    if (route !== undefined) return found(route, search.values);
    return search.allow.size > 0
      ? { kind: 'wrong-method', allow: allowed(search.allow) }
      : { kind: 'not-found' };
  }

  readonly handle: Handler = (request) => {
    const match = this.find(request.method, request.path);
    switch (match.kind) {
      case 'found':
        return match.handler(withParams(request, match.params));
      case 'wrong-method':
        return wrongMethod(request, match.allow);
      case 'not-found':
        return problem(404, { detail: 'nothing is at this path' });
      case 'bad-path':
        return problem(400, { detail: 'the path has a broken escape, a null or a dot segment' });
    }
  };
}

function segmentsOf(pattern: string): string[] {
  if (!pattern.startsWith('/')) throw new RouteError(`${pattern} does not begin with a slash`);
  return pattern.slice(1).split('/');
}

function child(node: Node, segment: string, pattern: string, last: boolean, names: string[]): Node {
  if (segment.startsWith(':')) {
    names.push(nameOf(segment, pattern));
    return (node.param ??= new Node());
  }
  if (segment.startsWith('*')) {
    if (!last) throw new RouteError(`${pattern} goes on behind its wildcard`);
    names.push(nameOf(segment, pattern));
    return (node.wildcard ??= new Node());
  }
  let next = node.statics.get(segment);
  if (next === undefined) node.statics.set(segment, (next = new Node()));
  return next;
}

function nameOf(segment: string, pattern: string): string {
  if (segment.length < 2) throw new RouteError(`${pattern} has a parameter without a name`);
  return segment.slice(1);
}

/** One walk through the tree, with the values of the parameters on the way. */
class Search {
  readonly values: string[] = [];
  readonly allow = new Set<string>();
  readonly #method: string;
  readonly #segments: readonly string[];

  constructor(method: string, segments: readonly string[]) {
    this.#method = method;
    this.#segments = segments;
  }

  visit(node: Node, at: number): Route | undefined {
    if (at === this.#segments.length) return this.#routeOf(node);
    const segment = this.#segments[at]!;
    const fixed = node.statics.get(segment);
    const route = fixed === undefined ? undefined : this.visit(fixed, at + 1);
    if (route !== undefined) return route;
    if (node.param !== undefined && segment !== '') {
      const deeper = this.#with(segment, () => this.visit(node.param!, at + 1));
      if (deeper !== undefined) return deeper;
    }
    if (node.wildcard === undefined) return undefined;
    return this.#with(this.#segments.slice(at).join('/'), () => this.#routeOf(node.wildcard!));
  }

  #with(value: string, go: () => Route | undefined): Route | undefined {
    this.values.push(value);
    const route = go();
    if (route === undefined) this.values.pop();
    return route;
  }

  #routeOf(node: Node): Route | undefined {
    const route = node.routes.get(this.#method);
    if (route !== undefined) return route;
    if (this.#method === 'HEAD' && node.routes.has('GET')) return node.routes.get('GET');
    for (const method of node.routes.keys()) this.allow.add(method);
    return undefined;
  }
}

function found(route: Route, values: readonly string[]): Match {
  const params: Record<string, string> = Object.create(null);
  for (const [at, name] of route.names.entries()) params[name] = values[at]!;
  return { kind: 'found', handler: route.handler, params, pattern: route.pattern };
}

function allowed(methods: ReadonlySet<string>): string[] {
  const allow = new Set(methods);
  if (allow.has('GET')) allow.add('HEAD');
  allow.add('OPTIONS');
  return [...allow].sort();
}

function wrongMethod(request: HttpRequest, allow: readonly string[]): HttpResponse {
  const headers = [['Allow', allow.join(', ')]] as const;
  if (request.method === 'OPTIONS') return { status: 204, headers };
  return problem(405, { detail: `${request.method} is not allowed here`, headers });
}

/** The request object is the router's to complete: it is not shared before the handler sees it. */
function withParams(request: HttpRequest, params: Params): HttpRequest {
  (request as { params: Params }).params = params;
  return request;
}

/** Decoded once, or undefined when it must be refused. */
function decodeSegment(raw: string): string | undefined {
  const segment = raw.includes('%') ? percentDecode(raw) : raw;
  if (segment === '.' || segment === '..') return undefined;
  return segment;
}

/** Percent-decodes UTF-8; undefined for broken escapes, broken or overlong UTF-8, and NUL. RFC 3986 section 2.1. */
export function percentDecode(text: string): string | undefined {
  try {
    const decoded = decodeURIComponent(text);
    return decoded.includes('\0') ? undefined : decoded;
  } catch {
    return undefined;
  }
}
