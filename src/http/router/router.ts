/**
 * Routes requests by method and path, and is the one table of what a service serves.
 *
 *   /api/spells          text
 *   /api/:table/:key     a parameter takes one segment, not empty
 *   /img/:name.:kind     or a part of one
 *   /spells/:id<int>     with a constraint
 *   /files/*name         a wildcard takes the rest, which may be empty; last in its pattern
 *
 * Text wins over parameters, more text inside a segment over less, a constraint over none, and what was added
 * first over the rest; a wildcard comes last. A dead end, also for want of the method, goes back to the next
 * choice. HEAD goes to GET's handler; OPTIONS, also of `*`, is answered, unless routes of their own exist.
 * Case, trailing slashes and empty segments count; path.ts has what is refused.
 */
import { problem } from '../problem.ts';
import type { Handler, HttpRequest, HttpResponse } from '../types.ts';
import { BoundedBody, tooLarge } from './bounded-body.ts';
import { BUILT_IN_CONSTRAINTS, type Constraint } from './constraint.ts';
import type { ParamsOf } from './params.ts';
import { decodePath } from './path.ts';
import { type Constraints, type Piece, parameterNames, parsePattern, RouteError } from './pattern.ts';
import type { RouteInfo, RouteOptions } from './route.ts';
import { RadixTree } from './tree.ts';

export type Params = Readonly<Record<string, string>>;

export interface FoundRoute {
  readonly kind: 'found';
  readonly route: RouteInfo;
  /** Percent-decoded once. */
  readonly params: Params;
  /** What the wildcard took, byte for byte as received: for keys and proxies. Undefined without a wildcard. */
  readonly rawRest: string | undefined;
  readonly handler: RouteHandler;
}

export type Match =
  | FoundRoute
  | { readonly kind: 'wrong-method'; readonly allow: readonly string[] }
  | { readonly kind: 'unknown-method' }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'bad-path' };

export type RoutedRequest<Pattern extends string = string> = Omit<HttpRequest, 'params'> & {
  readonly params: ParamsOf<Pattern>;
};

export type RouteHandler<Pattern extends string = string> = (
  request: RoutedRequest<Pattern>,
  found: FoundRoute,
) => HttpResponse | Promise<HttpResponse>;

export interface RouterOptions {
  /** Names for `:parameter<name>`, besides `int` and `uuid`. */
  readonly constraints?: Readonly<Record<string, Constraint>>;
  /** What a method that no route has is answered with: 405 like any that is not allowed here (default), or 501. */
  readonly unknownMethod?: 405 | 501;
}

export interface Router {
  /**
   * Adds a route for one method or several.
   * @throws RouteError when the pattern is malformed, or takes the same paths as another
   */
  add<const Pattern extends string>(
    method: string | readonly string[],
    pattern: Pattern,
    handler: RouteHandler<Pattern>,
    options?: RouteOptions,
  ): Router;
  /**
   * Adds all routes of `router` with `prefix` put before their patterns, `/v1` and `/spells/:id` giving
   * `/v1/spells/:id`. A mounted router takes no more routes.
   * @throws RouteError as `add` does, and when the prefix ends with a slash
   */
  mount(prefix: string, router: Router): Router;
  /** `path` as received, undecoded, without query. */
  find(method: string, path: string): Match;
  /** In the order in which they were added. */
  readonly routes: readonly RouteInfo[];
  /** The whole as a handler; refusals are problems. */
  readonly handle: Handler;
}

/** @throws RouteError for a constraint whose name is taken */
export function createRouter(options: RouterOptions = {}): Router {
  return new RouteTree(options);
}

interface Route {
  readonly info: RouteInfo;
  readonly pieces: readonly Piece[];
  readonly names: readonly string[];
  /** Slashes before the wildcard; 0 without one. */
  readonly restDepth: number;
  readonly handler: RouteHandler;
}

class RouteTree implements Router {
  readonly #tree = new RadixTree<Route>();
  readonly #routes: Route[] = [];
  readonly #constraints: Constraints;
  readonly #unknownMethod: 405 | 501;
  readonly #methods = new Set(['OPTIONS']);
  #mountedAt: string | undefined;

  constructor({ constraints = {}, unknownMethod = 405 }: RouterOptions) {
    const own = Object.entries(constraints);
    const taken = own.find(([name]) => BUILT_IN_CONSTRAINTS.has(name));
    if (taken !== undefined) throw new RouteError(`the constraint <${taken[0]}> is built in`);
    this.#constraints = new Map([...BUILT_IN_CONSTRAINTS, ...own]);
    this.#unknownMethod = unknownMethod;
  }

  add<const Pattern extends string>(
    method: string | readonly string[],
    pattern: Pattern,
    handler: RouteHandler<Pattern>,
    options: RouteOptions = {},
  ): Router {
    if (this.#mountedAt !== undefined) {
      throw new RouteError(`${pattern} comes late: its router is already mounted at ${this.#mountedAt}`);
    }
    const pieces = parsePattern(pattern, this.#constraints);
    for (const each of typeof method === 'string' ? [method] : method) {
      // The parameters that its type names are those of its pattern, which is what it will be called for.
      this.#insert({ ...options, method: each, pattern }, pieces, handler as RouteHandler);
    }
    return this;
  }

  #insert(given: Omit<RouteInfo, 'parameters'>, pieces: readonly Piece[], handler: RouteHandler): void {
    const { method, pattern } = given;
    const names = parameterNames(pieces, pattern).map(asKey);
    const leaf = this.#tree.leafAt(pieces);
    const other = leaf.get(method);
    if (other !== undefined) {
      throw new RouteError(`${method} ${pattern} takes the same paths as ${method} ${other.info.pattern}`);
    }
    const info = { ...given, parameters: parametersOf(pieces) };
    const route = { info, pieces, names, restDepth: restDepth(pieces), handler };
    leaf.set(method, route);
    this.#routes.push(route);
    this.#methods.add(method);
    if (method === 'GET') this.#methods.add('HEAD');
  }

  mount(prefix: string, router: Router): Router {
    if (!(router instanceof RouteTree) || router === this) throw new RouteError('only another router mounts');
    if (prefix.endsWith('/')) throw new RouteError(`the prefix ${prefix} ends with a slash`);
    const before = parsePattern(prefix, this.#constraints);
    if (before.some((piece) => piece.kind === 'wildcard')) {
      throw new RouteError(`the prefix ${prefix} has a wildcard`);
    }
    router.#mountedAt = prefix;
    for (const { info, pieces, handler } of router.#routes) {
      this.#insert({ ...info, pattern: `${prefix}${info.pattern}` }, [...before, ...pieces], handler);
    }
    return this;
  }

  get routes(): readonly RouteInfo[] {
    return this.#routes.map(({ info }) => info);
  }

  find(method: string, path: string): Match {
    if (path === '*') return this.#findAny(method);
    const decoded = decodePath(path);
    if (decoded === undefined) return { kind: 'bad-path' };
    const search = this.#tree.search(method, decoded, decoded !== path);
    const { route, allow } = search;
    if (route === undefined) return this.#missed(method, allow);
    const params: Record<string, string> = new EmptyParams();
    for (let at = 0; at < route.names.length; at++) params[route.names[at]!] = search.value(at);
    const rawRest = route.restDepth === 0 ? undefined : afterSlashes(path, route.restDepth);
    return { kind: 'found', route: route.info, params, rawRest, handler: route.handler };
  }

  /** The target `*` is the server as a whole. RFC 9110 section 9.3.7. */
  #findAny(method: string): Match {
    if (method !== 'OPTIONS') return { kind: 'not-found' };
    return { kind: 'wrong-method', allow: [...this.#methods].sort() };
  }

  #missed(method: string, allow: ReadonlySet<string> | undefined): Match {
    if (this.#unknownMethod === 501 && !this.#methods.has(method)) return { kind: 'unknown-method' };
    return allow === undefined ? { kind: 'not-found' } : { kind: 'wrong-method', allow: allowed(allow) };
  }

  readonly handle: Handler = (request) => {
    const match = this.find(request.method, request.path);
    switch (match.kind) {
      case 'found':
        return match.handler(prepared(request, match), match);
      case 'wrong-method':
        return wrongMethod(request, match.allow);
      case 'unknown-method':
        return problem(501, { detail: 'the method is not known here' });
      case 'not-found':
        return problem(404, { detail: 'nothing is at this path' });
      case 'bad-path':
        return problem(400, { detail: 'the path has a broken escape, a null or a dot segment' });
    }
  };
}

/** Inherits nothing, as a parameter may have any name; made by a constructor, as V8 lays out such objects by shape, and
 * those of `Object.create(null)` as hash tables. */
const EmptyParams = function EmptyParams() {} as unknown as new () => Record<string, string>;
EmptyParams.prototype = Object.freeze(Object.create(null));

/** The same text, but V8's own copy for keys: another is looked up among those with every store. */
function asKey(name: string): string {
  return Object.keys({ [name]: true })[0]!;
}

function parametersOf(pieces: readonly Piece[]): RouteInfo['parameters'] {
  return pieces.flatMap((piece) => {
    if (piece.kind === 'template') return piece.parameters.map(({ name, type }) => ({ name, type }));
    return piece.kind === 'wildcard' ? [{ name: piece.name, type: undefined }] : [];
  });
}

function restDepth(pieces: readonly Piece[]): number {
  if (pieces.at(-1)?.kind !== 'wildcard') return 0;
  const texts = pieces.map((piece) => (piece.kind === 'text' ? piece.text : ''));
  return texts.join('').split('/').length - 1;
}

function afterSlashes(path: string, count: number): string {
  let at = -1;
  for (let slashes = 0; slashes < count; slashes++) at = path.indexOf('/', at + 1);
  return path.slice(at + 1);
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
function prepared(request: HttpRequest, { route, params }: FoundRoute): HttpRequest {
  const completed = request as { params: Params; route: RouteInfo };
  completed.params = params;
  completed.route = route;
  const { bodyBytes } = route;
  if (bodyBytes === undefined) return request;
  const { sizeBytes } = request.body;
  if (sizeBytes !== undefined && sizeBytes > bodyBytes) throw tooLarge(bodyBytes);
  if (sizeBytes === undefined) {
    Object.defineProperty(request, 'body', { value: new BoundedBody(request.body, bodyBytes) });
  }
  return request;
}
