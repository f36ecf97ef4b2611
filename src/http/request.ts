/** A request as its handler sees it; what is rarely asked for is made when asked. */
import type { Connection, Endpoint, PeerIdentity } from '../core/net/network.ts';
import type { Random } from '../core/random/random.ts';
import { emptyBody, type IncomingBody } from './body.ts';
import type { RouteInfo } from './router/route.ts';
import type { Body, HeaderFields, HeaderList, HttpRequest } from './types.ts';
import { isToken } from './wire/grammar.ts';
import type { RequestHead } from './wire/request-head.ts';

const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze(Object.create(null));
/** Longer ids are replaced: they end up in logs and in the requests to other services. */
const MAX_ID_LENGTH = 128;

/** What both versions of the protocol know of a request before its content. */
type HeadOfRequest = Pick<RequestHead, 'method' | 'target' | 'fields' | 'upgrade' | 'expectContinue'> &
  Pick<HttpRequest, 'version'>;

/** What sends informational responses for a request. */
export interface Informant {
  inform(request: ServerRequest, status: number, headers: HeaderList): void;
}

export class ServerRequest implements HttpRequest {
  readonly method: string;
  readonly target: string;
  readonly version: HttpRequest['version'];
  readonly headers: HeaderFields;
  /** What its content comes in through; undefined when it has none. */
  readonly incoming: IncomingBody | undefined;
  readonly upgrade: string | undefined;
  readonly expectContinue: boolean;
  params: Readonly<Record<string, string>> = NO_PARAMS;
  route: RouteInfo | undefined = undefined;
  readonly #connection: Connection;
  readonly #informant: Informant;
  readonly #random: Random;
  readonly #queryAt: number;
  #body: Body | undefined;
  #id: string | undefined;
  #controller: AbortController | undefined;
  #fate: 'open' | 'answered' | 'aborted' = 'open';

  constructor(
    head: HeadOfRequest,
    incoming: IncomingBody | undefined,
    connection: Connection,
    random: Random,
    informant: Informant,
  ) {
    this.method = head.method;
    this.target = head.target;
    this.version = head.version;
    this.headers = head.fields;
    this.upgrade = head.upgrade;
    this.expectContinue = head.expectContinue;
    this.incoming = incoming;
    this.#body = incoming;
    this.#connection = connection;
    this.#informant = informant;
    this.#random = random;
    this.#queryAt = head.target.indexOf('?');
  }

  get body(): Body {
    this.#body ??= emptyBody();
    return this.#body;
  }

  get path(): string {
    return this.#queryAt < 0 ? this.target : this.target.slice(0, this.#queryAt);
  }

  get query(): string {
    return this.#queryAt < 0 ? '' : this.target.slice(this.#queryAt + 1);
  }

  get remote(): Endpoint {
    return this.#connection.remote;
  }

  get secure(): boolean {
    return this.#connection.secure;
  }

  get peerIdentity(): PeerIdentity | undefined {
    return this.#connection.peerIdentity;
  }

  get id(): string {
    if (this.#id === undefined) {
      const given = this.headers.get('x-request-id');
      const usable = given !== undefined && given.length <= MAX_ID_LENGTH && isToken(given);
      this.#id = usable ? given : this.#random.uuid();
    }
    return this.#id;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#fate === 'aborted') this.#controller.abort();
    return this.#controller.signal;
  }

  inform(status: number, headers: HeaderList = []): void {
    this.#informant.inform(this, status, headers);
  }

  /** The response was sent; the signal stays quiet from now on. */
  answered(): void {
    this.#fate = 'answered';
  }

  /** The client is gone, unless the response was sent before. */
  abort(): void {
    if (this.#fate !== 'open') return;
    this.#fate = 'aborted';
    this.#controller?.abort();
  }
}
