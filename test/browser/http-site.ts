/** What the pages of `http.test.ts` talk to: one server of the HTTP library, with a route for each check. */
import { createHash } from 'node:crypto';
import { testHost } from '../../src/core/testing/host.ts';
import {
  compressed,
  contentRange,
  createRouter,
  empty,
  type HttpRequest,
  type HttpResponse,
  json,
  parseRange,
  startHttpServer,
  text,
  unsatisfiedRange,
} from '../../src/http/index.ts';
import { acceptWebSocket } from '../../src/http/websocket/index.ts';

const MAX_VIDEO_BYTES = 16 * 1024 * 1024;
const PAGE = `<!doctype html><meta charset="utf-8"><title>Octet in a browser</title><link rel="icon" href="data:,">`;

export interface TestSite extends AsyncDisposable {
  readonly origin: string;
  /** Resolves when the client of `/endless` is gone. */
  readonly endlessAborted: Promise<void>;
  /** Range fields that came for the recorded video, and for the long recording. */
  readonly videoRanges: readonly string[];
  readonly recordingRanges: readonly string[];
  readonly recordingBytes: number;
}

export async function startTestSite(): Promise<TestSite> {
  const host = testHost('browser');
  const gate = new Gate();
  const goOn = new Gate();
  const aborted = Promise.withResolvers<void>();
  const recording = silentWave(60);
  const videoRanges: string[] = [];
  const recordingRanges: string[] = [];
  let video: Buffer = Buffer.alloc(0);
  const router = createRouter()
    .add('GET', '/', () => html(PAGE))
    .add('GET', '/parts', () => ({
      status: 200,
      headers: [['Content-Type', 'text/plain']],
      body: parts(gate),
    }))
    .add('POST', '/parts/next', () => {
      gate.open();
      return empty(204);
    })
    .add('GET', '/endless', (request) => {
      request.signal.addEventListener('abort', () => aborted.resolve());
      return { status: 200, headers: [['Content-Type', 'text/plain']], body: once('begin\n') };
    })
    .add('GET', '/echo', (request) =>
      acceptWebSocket(request, {
        clock: host.clock,
        origins: [`http://${request.headers.get('host') ?? ''}`],
        protocols: ['echo'],
        deflate: {},
        open: (socket) => socket.attach({ message: (message) => void socket.send(message) }),
      }),
    )
    .add('GET', '/long', () => text(200, 'a line that is like the next\n'.repeat(10_000)))
    .add('POST', '/upload', (request) => upload(request, goOn))
    .add('POST', '/upload/go-on', () => {
      goOn.open();
      return empty(204);
    })
    .add('PUT', '/video', async (request) => {
      video = await request.body.bytes(MAX_VIDEO_BYTES);
      return empty(204);
    })
    .add('GET', '/video', (request) => ranged(request, video, 'video/webm', videoRanges))
    .add('GET', '/recording.wav', (request) => ranged(request, recording, 'audio/wav', recordingRanges));
  const server = await startHttpServer({
    host,
    address: { host: '127.0.0.1', port: 0 },
    handler: compressed(router.handle),
    // A page that gives up looks like one that has closed its half.
    limits: { halfClosedTimeoutMs: 500 },
  });
  return {
    origin: `http://127.0.0.1:${server.endpoint.port}`,
    endlessAborted: aborted.promise,
    videoRanges,
    recordingRanges,
    recordingBytes: recording.length,
    [Symbol.asyncDispose]: () => server.close(0),
  };
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

async function* parts(gate: Gate): AsyncGenerator<Uint8Array> {
  for (const part of ['part 1\n', 'part 2\n', 'part 3\n']) {
    yield Buffer.from(part);
    await gate.pass();
  }
}

/** One part, and then nothing more for as long as somebody listens. */
async function* once(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
  await new Promise(() => undefined);
}

async function upload(request: HttpRequest, goOn: Gate): Promise<HttpResponse> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const part of request.body) {
    if (bytes === 0) await goOn.pass();
    hash.update(part);
    bytes += part.length;
  }
  return json(200, { bytes, sha256: hash.digest('hex') });
}

function html(text: string): HttpResponse {
  return { status: 200, headers: [['Content-Type', 'text/html; charset=utf-8']], body: text };
}

function ranged(request: HttpRequest, content: Buffer, type: string, seen: string[]): HttpResponse {
  const field = request.headers.get('range');
  if (field !== undefined) seen.push(field);
  const asked = parseRange(field, content.length);
  const headers = [
    ['Content-Type', type],
    ['Accept-Ranges', 'bytes'],
  ] as const;
  if (asked.kind === 'unsatisfiable') {
    return { status: 416, headers: [['Content-Range', unsatisfiedRange(content.length)]] };
  }
  const range = asked.kind === 'ranges' ? asked.ranges[0] : undefined;
  if (range === undefined) return { status: 200, headers, body: content };
  return {
    status: 206,
    headers: [...headers, ['Content-Range', contentRange(range, content.length)]],
    body: content.subarray(range.first, range.last + 1),
  };
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
