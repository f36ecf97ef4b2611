/**
 * The inbox over HTTP: list, read, wait for and delete mail.
 *
 *   GET    /api/mailboxes
 *   GET    /api/messages?mailbox=&from=&to=&subject=&limit=&before=
 *   GET    /api/messages/:id            summary, headers, text, HTML, attachment names
 *   GET    /api/messages/:id/raw        the message itself
 *   DELETE /api/messages/:id
 *   DELETE /api/messages?mailbox=       one mailbox, or all
 *   GET    /api/wait?from=&to=&subject=&after=&timeoutMs=   the first match, now or later
 *
 * A web page must not read or delete a developer's mail: requests whose Host is not a loopback name (DNS
 * rebinding), or which a browser sends from another origin, are refused; elsewhere than on loopback the
 * mail user's name and password are asked for.
 */
import { isLoopback } from '../core/net/loopback.ts';
import { basicChallenge, basicCredentials, hostNameOf } from '../http/access/index.ts';
import {
  createRouter,
  type Handler,
  HttpError,
  type HttpRequest,
  type HttpResponse,
  json,
  problem,
} from '../http/index.ts';
import type { MailContext } from './context.ts';
import { type MessageFilter, type MessageSummary, matches } from './engine/message.ts';
import { parseMessage } from './mime.ts';

const DEFAULT_PAGE = 50;
const DEFAULT_WAIT_MS = 10_000;

export function createInbox(context: MailContext): Handler {
  const inbox = new Inbox(context);
  const router = createRouter();
  router.add('GET', '/api/mailboxes', () => json(200, { mailboxes: context.store.mailboxes() }));
  router.add('GET', '/api/messages', (request) => inbox.list(request));
  router.add('DELETE', '/api/messages', (request) => inbox.clear(request));
  router.add('GET', '/api/messages/:id', (request) => inbox.read(request));
  router.add('GET', '/api/messages/:id/raw', (request) => inbox.raw(request));
  router.add('DELETE', '/api/messages/:id', (request) => inbox.remove(request));
  router.add('GET', '/api/wait', (request) => inbox.wait(request));
  return (request) => inbox.refusal(request) ?? router.handle(request);
}

class Inbox {
  readonly #context: MailContext;
  #waiters = 0;

  constructor(context: MailContext) {
    this.#context = context;
  }

  refusal(request: HttpRequest): HttpResponse | undefined {
    if (!isLoopback(request.remote.address)) return this.#unauthorized(request);
    const host = hostNameOf(request.headers);
    if (!isLoopback(host)) {
      return problem(403, { detail: `host ${host} is not this machine` });
    }
    const origin = request.headers.get('origin');
    if (origin === undefined || isLoopbackOrigin(origin)) return undefined;
    return problem(403, { detail: 'requests from other origins are refused' });
  }

  #unauthorized(request: HttpRequest): HttpResponse | undefined {
    const given = basicCredentials(request.headers);
    if (given !== undefined && this.#context.checkPassword(given.user, given.password)) return undefined;
    return problem(401, {
      detail: 'the mail user and password, please',
      headers: [['WWW-Authenticate', basicChallenge('octet mail')]],
    });
  }

  list(request: HttpRequest): HttpResponse {
    const query = new URLSearchParams(request.query);
    const limit = wholeNumber(query, 'limit', DEFAULT_PAGE, this.#context.limits.maxPage);
    const before = query.get('before');
    const messages = this.#context.store.list({
      ...filterOf(query),
      limit,
      ...(before === null ? {} : { before }),
    });
    return json(200, { messages: messages.map(publicSummary) });
  }

  async clear(request: HttpRequest): Promise<HttpResponse> {
    const mailbox = new URLSearchParams(request.query).get('mailbox');
    return json(200, { deleted: await this.#context.store.clear(mailbox?.toLowerCase()) });
  }

  async read(request: HttpRequest): Promise<HttpResponse> {
    const message = this.#find(request);
    const seen = (await this.#context.store.markSeen(message.id)) ?? message;
    if (message.sizeBytes > this.#context.limits.maxParsedBytes) {
      return json(200, { ...publicSummary(seen), tooLargeToShow: true });
    }
    const parts: Buffer[] = [];
    for await (const chunk of this.#context.store.bytes(message)) parts.push(chunk);
    const parsed = await parseMessage(Buffer.concat(parts));
    return json(200, { ...publicSummary(seen), ...parsed });
  }

  raw(request: HttpRequest): HttpResponse {
    const message = this.#find(request);
    return {
      status: 200,
      headers: [
        // Never as HTML on this origin, whatever the sender wrote into it.
        ['Content-Type', 'message/rfc822'],
        ['Content-Length', String(message.sizeBytes)],
        ['X-Content-Type-Options', 'nosniff'],
        ['Content-Security-Policy', 'sandbox'],
      ],
      body: this.#context.store.bytes(message),
    };
  }

  async remove(request: HttpRequest): Promise<HttpResponse> {
    const removed = await this.#context.store.remove(request.params['id'] ?? '');
    return removed ? { status: 204 } : problem(404, { detail: 'no such message' });
  }

  /** The newest match that is there already (unless older than `after`), else the next to come. */
  async wait(request: HttpRequest): Promise<HttpResponse> {
    const query = new URLSearchParams(request.query);
    const filter = filterOf(query);
    const { limits, store, host } = this.#context;
    const timeoutMs = wholeNumber(query, 'timeoutMs', DEFAULT_WAIT_MS, limits.maxWaitMs);
    const afterMs = wholeNumber(query, 'after', 0, Number.MAX_SAFE_INTEGER);
    const [present] = store.list({ ...filter, limit: 1 });
    if (present !== undefined && present.receivedAtMs >= afterMs) return json(200, publicSummary(present));
    if (this.#waiters >= limits.maxWaiters) return problem(503, { detail: 'too many waiting callers' });
    this.#waiters++;
    const { promise, resolve } = Promise.withResolvers<MessageSummary | undefined>();
    const unwatch = store.watch((message) => {
      if (message.receivedAtMs >= afterMs && matches(message, filter)) resolve(message);
    });
    const timer = host.clock.schedule(timeoutMs, () => resolve(undefined));
    request.signal.addEventListener('abort', () => resolve(undefined), { once: true });
    const message = await promise;
    timer.cancel();
    unwatch();
    this.#waiters--;
    if (message !== undefined) return json(200, publicSummary(message));
    return problem(408, { detail: `no matching message within ${timeoutMs} ms` });
  }

  #find(request: HttpRequest): MessageSummary {
    const message = this.#context.store.message(request.params['id'] ?? '');
    if (message === undefined) throw new HttpError(404, 'no such message');
    return message;
  }
}

/** Where the bytes lie is nobody's business. */
function publicSummary(message: MessageSummary): Omit<MessageSummary, 'blobId'> & { receivedAt: string } {
  const { blobId: _, ...shown } = message;
  return { ...shown, receivedAt: new Date(message.receivedAtMs).toISOString() };
}

function filterOf(query: URLSearchParams): MessageFilter {
  const filter: { -readonly [Key in keyof MessageFilter]: MessageFilter[Key] } = {};
  for (const name of ['mailbox', 'from', 'to', 'subject'] as const) {
    const value = query.get(name);
    if (value !== null && value !== '') filter[name] = value;
  }
  return filter;
}

/** @throws HttpError 400 */
function wholeNumber(query: URLSearchParams, name: string, otherwise: number, atMost: number): number {
  const text = query.get(name);
  if (text === null) return otherwise;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new HttpError(400, `${name} must be a whole number`);
  return Math.min(value, atMost);
}

function isLoopbackOrigin(origin: string): boolean {
  const url = URL.canParse(origin) ? new URL(origin) : undefined;
  return url !== undefined && isLoopback(url.hostname);
}
