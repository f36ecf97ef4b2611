/** What the pages of `http.test.ts` talk to: servers of the HTTP library, with a route for each check. */
import { createHash } from 'node:crypto';
import { createDevelopmentIdentity } from '../../src/core/net/certificates.ts';
import { type TestHost, testHost } from '../../src/core/testing/host.ts';
import { compressed, respondWith } from '../../src/http/content/index.ts';
import { readCookies, setCookie } from '../../src/http/cookies/index.ts';
import { cors } from '../../src/http/cors/index.ts';
import { EventHub, eventStream } from '../../src/http/events/index.ts';
import { readMultipart } from '../../src/http/forms/index.ts';
import {
  createRouter,
  empty,
  type Handler,
  type HttpRequest,
  type HttpResponse,
  type HttpServer,
  json,
  startHttpServer,
  text,
} from '../../src/http/index.ts';
import { acceptWebSocket } from '../../src/http/websocket/index.ts';

const MAX_VIDEO_BYTES = 16 * 1024 * 1024;
const PAGE = `<!doctype html><meta charset="utf-8"><title>Octet in a browser</title><link rel="icon" href="data:,">`;
const RECONNECT_MS = 50;

export class TestSite implements AsyncDisposable {
  /** Range fields that came for the recorded video, and for the long recording. */
  readonly videoRanges: string[] = [];
  readonly recordingRanges: string[] = [];
  readonly recording = silentWave(60);
  /** Values of Last-Event-ID, of each time that somebody asked for events. */
  readonly lastEventIds: (string | undefined)[] = [];
  /** Resolves when the client of `/endless` is gone. */
  readonly endlessAborted: Promise<void>;
  readonly #host: TestHost = testHost('browser');
  readonly #hub = new EventHub({ epoch: this.#host.random.uuid() });
  readonly #nextPart = new Gate();
  readonly #goOn = new Gate();
  readonly #aborted = Promise.withResolvers<void>();
  readonly #servers: HttpServer[] = [];
  #video: Buffer = Buffer.alloc(0);
  /** Without TLS, with TLS, and a third that lets pages of the first read it. */
  origin = '';
  secureOrigin = '';
  otherOrigin = '';

  constructor() {
    this.endlessAborted = this.#aborted.promise;
  }

  static async start(): Promise<TestSite> {
    const site = new TestSite();
    const handler = compressed(site.#routes().handle);
    site.origin = `http://127.0.0.1:${await site.#listen(handler)}`;
    const tls = await createDevelopmentIdentity(site.#host.clock, ['127.0.0.1']);
    site.secureOrigin = `https://127.0.0.1:${await site.#listen(handler, { tls })}`;
    const options = { origins: [site.origin], methods: ['PUT'], requestFields: ['X-Spell'] };
    const other: Handler = (request) => text(200, `${request.method} ${request.headers.get('x-spell')}`);
    site.otherOrigin = `http://127.0.0.1:${await site.#listen(cors(options, other))}`;
    return site;
  }

  async #listen(
    handler: Handler,
    options: Partial<Parameters<typeof startHttpServer>[0]> = {},
  ): Promise<number> {
    const server = await startHttpServer({
      host: this.#host,
      address: { host: '127.0.0.1', port: 0 },
      handler,
      name: `site-${this.#servers.length}`,
      // A page that gives up looks like one that has closed its half.
      limits: { halfClosedTimeoutMs: 500 },
      ...options,
    });
    this.#servers.push(server);
    return server.endpoint.port;
  }

  #routes() {
    return createRouter()
      .add('GET', '/', () => ({
        status: 200,
        headers: [['Content-Type', 'text/html; charset=utf-8']],
        body: PAGE,
      }))
      .add('GET', '/parts', () => plain(parts(this.#nextPart)))
      .add('POST', '/parts/next', () => opened(this.#nextPart))
      .add('GET', '/endless', (request) => {
        request.signal.addEventListener('abort', () => this.#aborted.resolve());
        return plain(once('begin\n'));
      })
      .add('GET', '/echo', (request) => this.#echo(request))
      .add('GET', '/long', () => text(200, 'a line that is like the next\n'.repeat(10_000)))
      .add('POST', '/upload', (request) => digestOf(request, this.#goOn))
      .add('POST', '/upload/go-on', () => opened(this.#goOn))
      .add('POST', '/stream', (request) => digestOf(request))
      .add('PUT', '/video', async (request) => {
        this.#video = await request.body.bytes(MAX_VIDEO_BYTES);
        return empty(204);
      })
      .add('GET', '/video', (request) => this.#ranged(request, this.#video, 'video/webm', this.videoRanges))
      .add('GET', '/recording.wav', (request) =>
        this.#ranged(request, this.recording, 'audio/wav', this.recordingRanges),
      )
      .add('GET', '/events', (request) => this.#events(request))
      .add('POST', '/events', async (request) => {
        this.#hub.publish({ event: 'spell', data: await request.body.text(1_000) });
        return empty(204);
      })
      .add('POST', '/form', (request) => formOf(request))
      .add('POST', '/login', () => {
        const cookie = setCookie({ name: 'sid', value: 'abc', secure: false });
        return text(200, 'in', [['Set-Cookie', cookie]]);
      })
      .add('GET', '/who', (request) => text(200, readCookies(request.headers).get('sid') ?? 'nobody'));
  }

  #echo(request: HttpRequest): HttpResponse {
    return acceptWebSocket(request, {
      clock: this.#host.clock,
      origins: [this.origin],
      protocols: ['echo'],
      deflate: {},
      open: (socket) => socket.attach({ message: (message) => void socket.send(message) }),
    });
  }

  /** The first stream ends after its first event, as if the connection had broken. */
  #events(request: HttpRequest): HttpResponse {
    this.lastEventIds.push(request.headers.get('last-event-id'));
    const response = eventStream({
      request,
      clock: this.#host.clock,
      events: this.#hub,
      retryMs: RECONNECT_MS,
    });
    if (this.lastEventIds.length > 1) return response;
    return { ...response, body: untilEvent(response.body as AsyncIterable<Uint8Array>) };
  }

  #ranged(
    request: HttpRequest,
    content: Buffer,
    type: string,
    seen: string[],
  ): HttpResponse | Promise<HttpResponse> {
    const field = request.headers.get('range');
    if (field !== undefined) seen.push(field);
    return respondWith(request, { sizeBytes: content.length, type, content }, this.#host.random);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#hub.close();
    await Promise.all(this.#servers.map((server) => server.close(0)));
  }
}

/** Lets one waiter through for each time it is opened. */
class Gate {
  #openings = 0;
  #waiting: (() => void) | undefined;

  open(): void {
    this.#openings++;
    this.#waiting?.();
  }

  async pass(): Promise<void> {
    if (this.#openings === 0) await new Promise<void>((resolve) => (this.#waiting = resolve));
    this.#waiting = undefined;
    this.#openings--;
  }
}

function opened(gate: Gate): HttpResponse {
  gate.open();
  return empty(204);
}

function plain(body: AsyncIterable<Uint8Array>): HttpResponse {
  return { status: 200, headers: [['Content-Type', 'text/plain']], body };
}

async function* parts(gate: Gate): AsyncGenerator<Uint8Array> {
  for (const part of ['part 1\n', 'part 2\n', 'part 3\n']) {
    yield Buffer.from(part);
    await gate.pass();
  }
}

/** One part, and then nothing more for as long as somebody listens. */
async function* once(part: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(part);
  await new Promise(() => undefined);
}

async function* untilEvent(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of stream) {
    yield piece;
    if (Buffer.from(piece).includes('data:')) return;
  }
}

/** @param gate to be passed after the first piece */
async function digestOf(request: HttpRequest, gate?: Gate): Promise<HttpResponse> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const part of request.body) {
    if (bytes === 0) await gate?.pass();
    hash.update(part);
    bytes += part.length;
  }
  return json(200, { bytes, sha256: hash.digest('hex'), version: request.version });
}

async function formOf(request: HttpRequest): Promise<HttpResponse> {
  const fields: unknown[] = [];
  for await (const part of readMultipart(request)) {
    if (part.filename === undefined) {
      fields.push([part.name, await part.text()]);
      continue;
    }
    let bytes = 0;
    for await (const piece of part) bytes += piece.length;
    fields.push([part.name, part.filename, bytes]);
  }
  return json(200, fields);
}

/** PCM, two channels of 16 bits at 48 kHz: a container whose seconds are at known bytes. */
function silentWave(seconds: number): Buffer {
  const bytesPerSecond = 48_000 * 4;
  const head = Buffer.alloc(44);
  head.write('RIFF', 0, 'latin1');
  head.writeUInt32LE(36 + seconds * bytesPerSecond, 4);
  head.write('WAVEfmt ', 8, 'latin1');
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(2, 22);
  head.writeUInt32LE(48_000, 24);
  head.writeUInt32LE(bytesPerSecond, 28);
  head.writeUInt16LE(4, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36, 'latin1');
  head.writeUInt32LE(seconds * bytesPerSecond, 40);
  return Buffer.concat([head, Buffer.alloc(seconds * bytesPerSecond)]);
}
