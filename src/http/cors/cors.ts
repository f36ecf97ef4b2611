/**
 * Which pages of other origins may call and read. Fetch standard section 3.3; Private Network Access section 3.
 *
 *   the browser asks first, unless the call is one that a form could make
 *     OPTIONS /x                                       204
 *     Origin: https://app.example                      Access-Control-Allow-Origin: https://app.example
 *     Access-Control-Request-Method: PUT               Access-Control-Allow-Methods: GET, PUT
 *     Access-Control-Request-Headers: content-type     Access-Control-Allow-Headers: content-type
 *                                                      Access-Control-Max-Age: 600
 *   and then calls, and gives the answer to the page if it may read it
 *     PUT /x                                           200
 *     Origin: https://app.example                      Access-Control-Allow-Origin: https://app.example
 *                                                      Access-Control-Expose-Headers: ETag
 *
 * An origin is compared whole with those listed, never by its end or its beginning. With credentials there is no `*`
 * and no `null`, which every sandboxed frame can claim. What depends on a field names it in `Vary`, also when it
 * refuses and when the field is absent, or a cache gives one origin's answer to another.
 *
 * CORS keeps answers from pages, not calls from handlers: a form may post from anywhere. `refuseUnlisted` does that.
 */
import { OctetError } from '../../core/errors.ts';
import { decorated } from '../decorated.ts';
import { CORS_LIMITS } from '../limits.ts';
import { problem } from '../problem.ts';
import type { Handler, HeaderFields, HeaderList, HttpRequest, HttpResponse } from '../types.ts';
import { isHostAndPort, isToken, listElements } from '../wire/grammar.ts';

export interface CorsOptions {
  /** `*`, or the origins as browsers spell them: `https://app.example`, `http://localhost:5173`, `null`. */
  readonly origins: '*' | readonly string[];
  /** Pages may send cookies and read what comes back. Default false; needs a list without `null`. */
  readonly credentials?: boolean;
  /** What a page may use, case-sensitive. Default GET, HEAD, POST, which need no leave. */
  readonly methods?: readonly string[];
  /** Request fields that pages may set beside those that need no leave. Name Authorization and Content-Type. `*` is
   * whatever they ask for; not with credentials. */
  readonly requestFields?: '*' | readonly string[];
  /** Response fields that pages may read beside those that need no leave. */
  readonly exposedFields?: readonly string[];
  /** How long a browser may keep the leave, whole seconds up to a day. Default 600. 0 asks each time. */
  readonly maxAgeSeconds?: number;
  /** Public pages may call this server in a private network or on loopback. Default false. */
  readonly privateNetwork?: boolean;
  /** Answers 403 to what changes state (all but GET, HEAD, OPTIONS) and comes from an origin not listed; list the
   * server's own, as browsers send it too. Default false. */
  readonly refuseUnlisted?: boolean;
}

/** The options contradict themselves, or would allow what nobody meant. */
export class CorsError extends OctetError<'bad-cors'> {
  constructor(message: string) {
    super('bad-cors', message);
  }
}

/**
 * Wraps a handler: preflights are answered here, other answers get their CORS fields, in the place of any that the
 * handler set. An OPTIONS request that is no preflight goes to the handler.
 * @throws CorsError at once
 */
export function cors(options: CorsOptions, handler: Handler): Handler {
  const policy = new CorsPolicy(options);
  return (request) => {
    if (isPreflight(request)) return answerOf(policy.preflight(request.headers));
    const fields = policy.answerFields(request);
    if (policy.mustRefuse(request))
      return problem(403, { detail: 'calls from this origin are not allowed', headers: fields });
    return decorated(handler, request, (headers) => withCors(headers, fields));
  };
}

function answerOf(preflight: Preflight): HttpResponse {
  const { headers } = preflight;
  if (preflight.kind === 'allowed') return { status: 204, headers };
  return problem(403, { detail: `the ${preflight.what} is not allowed`, headers });
}

/** A browser's question; a client's own OPTIONS has no such field. */
export function isPreflight({ method, headers }: Pick<HttpRequest, 'method' | 'headers'>): boolean {
  return method === 'OPTIONS' && headers.has('origin') && headers.has('access-control-request-method');
}

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
/** What the answer to a preflight depends on; nothing may give it to another question. */
const PREFLIGHT_VARY = [
  'Origin',
  'Access-Control-Request-Method',
  'Access-Control-Request-Headers',
  'Access-Control-Request-Private-Network',
].join(', ');

/** What a browser is told that asked, with the fields of the answer. */
export type Preflight =
  | { readonly kind: 'allowed'; readonly headers: HeaderList }
  /** `what` was too much of it: `origin`, `method`, `field`, … */
  | { readonly kind: 'refused'; readonly what: string; readonly headers: HeaderList };

/** The rules alone, for a protocol that words its own refusals; `cors` is for everybody else. */
export class CorsPolicy {
  readonly #origins: ReadonlySet<string> | '*';
  readonly #credentials: boolean;
  readonly #methods: ReadonlySet<string>;
  readonly #requestFields: ReadonlySet<string> | '*';
  readonly #exposed: string;
  readonly #maxAgeSeconds: number;
  readonly #privateNetwork: boolean;
  readonly #refuseUnlisted: boolean;

  /** @throws CorsError */
  constructor(options: CorsOptions) {
    const { origins, credentials = false, maxAgeSeconds = 600, refuseUnlisted = false } = options;
    const { requestFields = [] } = options;
    checkOrigins(origins, credentials || refuseUnlisted);
    if (requestFields === '*' && credentials)
      throw new CorsError('with credentials the request fields are listed, not *');
    if (!Number.isInteger(maxAgeSeconds) || maxAgeSeconds < 0 || maxAgeSeconds > CORS_LIMITS.maxAgeSeconds)
      throw new CorsError(`maxAgeSeconds is no whole number from 0 to ${CORS_LIMITS.maxAgeSeconds}`);
    this.#origins = origins === '*' ? '*' : new Set(origins);
    this.#credentials = credentials;
    this.#methods = new Set(tokens(options.methods ?? ['GET', 'HEAD', 'POST']));
    this.#requestFields =
      requestFields === '*' ? '*' : new Set(tokens(requestFields).map((name) => name.toLowerCase()));
    this.#exposed = tokens(options.exposedFields ?? []).join(', ');
    this.#maxAgeSeconds = maxAgeSeconds;
    this.#privateNetwork = options.privateNetwork ?? false;
    this.#refuseUnlisted = refuseUnlisted;
  }

  preflight(headers: HeaderFields): Preflight {
    const origin = this.#allowedOrigin(headers.get('origin'));
    const vary = ['Vary', PREFLIGHT_VARY] as const;
    const names = listElements(headers.get('access-control-request-headers') ?? '');
    const what = origin === undefined ? 'origin' : this.#refusedPart(headers, names);
    if (origin === undefined || what !== undefined)
      return { kind: 'refused', what: what ?? 'origin', headers: [vary] };
    const fields: [string, string][] = [
      ['Access-Control-Allow-Origin', origin],
      ['Access-Control-Allow-Methods', [...this.#methods].join(', ')],
      ['Access-Control-Max-Age', String(this.#maxAgeSeconds)],
    ];
    // What was asked for rather than `*`, which browsers do not take for Authorization.
    const allowed = this.#requestFields === '*' ? names : [...this.#requestFields];
    if (allowed.length > 0) fields.push(['Access-Control-Allow-Headers', allowed.join(', ')]);
    if (this.#credentials) fields.push(['Access-Control-Allow-Credentials', 'true']);
    if (asksForPrivateNetwork(headers)) fields.push(['Access-Control-Allow-Private-Network', 'true']);
    return { kind: 'allowed', headers: [...fields, vary] };
  }

  /** Says what a refused preflight asked for too much. */
  #refusedPart(headers: HeaderFields, names: readonly string[]): string | undefined {
    const method = headers.get('access-control-request-method') ?? '';
    if (!this.#methods.has(method)) return 'method';
    if (names.length > CORS_LIMITS.requestFields) return 'number of fields';
    if (!names.every((name) => this.#takesField(name))) return 'field';
    return asksForPrivateNetwork(headers) && !this.#privateNetwork ? 'private network' : undefined;
  }

  #takesField(name: string): boolean {
    return this.#requestFields === '*' ? isToken(name) : this.#requestFields.has(name.toLowerCase());
  }

  /** What an answer that is no preflight's says, whatever its status. */
  answerFields({ method, headers }: Pick<HttpRequest, 'method' | 'headers'>): HeaderList {
    const fields: [string, string][] = [];
    const origin = this.#allowedOrigin(headers.get('origin'));
    if (origin !== undefined) {
      fields.push(['Access-Control-Allow-Origin', origin]);
      if (this.#credentials) fields.push(['Access-Control-Allow-Credentials', 'true']);
      if (this.#exposed !== '') fields.push(['Access-Control-Expose-Headers', this.#exposed]);
    }
    if (method === 'OPTIONS') fields.push(['Vary', PREFLIGHT_VARY]);
    else if (this.#origins !== '*') fields.push(['Vary', 'Origin']);
    return fields;
  }

  mustRefuse({ method, headers }: HttpRequest): boolean {
    if (!this.#refuseUnlisted || SAFE_METHODS.has(method)) return false;
    const origin = headers.get('origin');
    return origin !== undefined && this.#allowedOrigin(origin) === undefined;
  }

  /** What Access-Control-Allow-Origin is, or undefined. `*` is the same for all, so nothing varies by it. */
  #allowedOrigin(origin: string | undefined): string | undefined {
    if (this.#origins === '*') return '*';
    return origin !== undefined && this.#origins.has(origin) ? origin : undefined;
  }
}

function asksForPrivateNetwork(headers: HeaderFields): boolean {
  return headers.get('access-control-request-private-network') === 'true';
}

/** Browsers leave these out. */
const USUAL_PORTS: ReadonlyMap<string, string> = new Map([
  ['http', '80'],
  ['https', '443'],
]);

function checkOrigins(origins: '*' | readonly string[], needsList: boolean): void {
  if (origins === '*') {
    if (needsList) throw new CorsError('with credentials or refuseUnlisted the origins are listed, not *');
    return;
  }
  for (const origin of origins) {
    if (origin === 'null' && needsList)
      throw new CorsError('null is every sandboxed frame, and cannot be trusted');
    if (origin !== 'null' && !isOrigin(origin))
      throw new CorsError(`${JSON.stringify(origin)} is not how a browser spells an origin`);
  }
}

/** scheme `://` host [`:` port], lower case, without the scheme's own port and without anything behind. */
function isOrigin(text: string): boolean {
  const at = text.indexOf('://');
  const scheme = text.slice(0, at);
  const authority = text.slice(at + 3);
  if (at < 1 || text !== text.toLowerCase() || !isScheme(scheme) || !isHostAndPort(authority)) return false;
  const port = /:(\d*)$/.exec(authority)?.[1];
  return !authority.includes('*') && port !== '' && (port === undefined || port !== USUAL_PORTS.get(scheme));
}

function isScheme(text: string): boolean {
  return isToken(text) && /^[a-z][a-z0-9+.-]*$/.test(text);
}

function tokens(names: readonly string[]): readonly string[] {
  const bad = names.find((name) => !isToken(name) || name === '*');
  if (bad !== undefined) throw new CorsError(`${JSON.stringify(bad)} is no name: each is listed by its own`);
  return names;
}

/** The handler's fields without any CORS of its own, which would say it twice, and with one Vary. */
function withCors(headers: HeaderList, fields: HeaderList): HeaderList {
  const kept = headers.filter(([name]) => !name.toLowerCase().startsWith('access-control-'));
  const vary = fields.find(([name]) => name === 'Vary')?.[1];
  const added = fields.filter(([name]) => name !== 'Vary');
  return vary === undefined ? [...kept, ...added] : [...withVary(kept, vary), ...added];
}

function withVary(headers: HeaderList, added: string): HeaderList {
  const isVary = (name: string): boolean => name.toLowerCase() === 'vary';
  const said = listElements(
    headers
      .filter(([name]) => isVary(name))
      .map(([, value]) => value)
      .join(', '),
  );
  if (said.includes('*')) return headers;
  const lower = new Set(said.map((name) => name.toLowerCase()));
  const all = [...said, ...listElements(added).filter((name) => !lower.has(name.toLowerCase()))];
  return [...headers.filter(([name]) => !isVary(name)), ['Vary', all.join(', ')]];
}
