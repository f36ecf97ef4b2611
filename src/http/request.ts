/** A request as its handler sees it; what is rarely asked for is made when asked. */
import type { Connection, Endpoint, PeerIdentity } from '../core/net/network.ts';
import type { Random } from '../core/random/random.ts';
import type { Body, HeaderFields, HttpRequest } from './types.ts';
import { isToken } from './wire/grammar.ts';
import type { RequestHead } from './wire/request-head.ts';

const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze(Object.create(null));
/** Longer ids are replaced: they end up in logs and in the requests to other services. */
const MAX_ID_LENGTH = 128;

/** What both versions of the protocol know of a request before its content. */
type HeadOfRequest = Pick<RequestHead, 'method' | 'target' | 'fields' | 'upgrade' | 'expectContinue'> &
  Pick<HttpRequest, 'version'>;

export class ServerRequest implements HttpRequest {
  readonly method: string;
  readonly target: string;
  readonly version: HttpRequest['version'];
  readonly headers: HeaderFields;
  readonly body: Body;
  readonly upgrade: string | undefined;
  readonly expectContinue: boolean;
  params: Readonly<Record<string, string>> = NO_PARAMS;
  readonly #connection: Connection;
  readonly #random: Random;
  readonly #queryAt: number;
  #id: string | undefined;
  #controller: AbortController | undefined;
  #fate: 'open' | 'answered' | 'aborted' = 'open';

  constructor(head: HeadOfRequest, body: Body, connection: Connection, random: Random) {
    this.method = head.method;
    this.target = head.target;
    this.version = head.version;
    this.headers = head.fields;
    this.upgrade = head.upgrade;
    this.expectContinue = head.expectContinue;
    this.body = body;
    this.#connection = connection;
    this.#random = random;
    this.#queryAt = head.target.indexOf('?');
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
