/**
 * A Chromium without a window, driven by the DevTools protocol
 * (https://chromedevtools.github.io/devtools-protocol/): JSON messages over one WebSocket, a session for each page.
 *
 *   → { id, sessionId, method: 'Page.navigate', params }
 *   ← { id, result } or { id, error }
 *   ← { sessionId, method: 'Log.entryAdded', params }        whenever it happens
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

const PROGRAM = '/usr/bin/chromium';
const START_TIMEOUT_MS = 60_000;

/** No window, no sandbox (CI is root), and no traffic but to what a page asks for. */
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-features=Translate,OptimizationHints,MediaRouter',
  '--autoplay-policy=no-user-gesture-required',
  '--remote-debugging-port=0',
];

export function chromiumIsThere(): boolean {
  return existsSync(PROGRAM);
}

interface Reply {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

export class Chromium implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, PromiseWithResolvers<Record<string, unknown>>>();
  readonly #pages = new Map<string, Page>();
  #sent = 0;

  constructor(process: ChildProcess, profile: string, socket: WebSocket) {
    this.#process = process;
    this.#profile = profile;
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => this.#receive(JSON.parse(String(data)) as Reply));
    socket.addEventListener('close', () => this.#fail(new Error('Chromium is gone')));
  }

  /** @throws Error with what Chromium said when it does not start */
  static async start(flags: readonly string[] = []): Promise<Chromium> {
    const profile = await mkdtemp(path.join(os.tmpdir(), 'octet-chromium-'));
    const child = spawn(PROGRAM, [...FLAGS, ...flags, `--user-data-dir=${profile}`, 'about:blank'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const endWithUs = (): void => void child.kill('SIGKILL');
    process.once('exit', endWithUs);
    child.once('exit', () => process.off('exit', endWithUs));
    const socket = new WebSocket(await endpointOf(child));
    await once(socket, 'open', { signal: AbortSignal.timeout(START_TIMEOUT_MS) });
    return new Chromium(child, profile, socket);
  }

  async newPage(): Promise<Page> {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const attached = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const sessionId = String(attached['sessionId']);
    const page = new Page(this, sessionId);
    this.#pages.set(sessionId, page);
    for (const domain of ['Runtime', 'Log', 'Page']) await this.send(`${domain}.enable`, {}, sessionId);
    return page;
  }

  send(
    method: string,
    params: Record<string, unknown>,
    sessionId?: string,
  ): Promise<Record<string, unknown>> {
    const id = ++this.#sent;
    const reply = Promise.withResolvers<Record<string, unknown>>();
    this.#waiting.set(id, reply);
    this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) }));
    return reply.promise;
  }

  #receive(reply: Reply): void {
    if (reply.id === undefined) {
      this.#pages.get(reply.sessionId ?? '')?.happened(reply.method ?? '', reply.params ?? {});
      return;
    }
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (reply.error === undefined) waiting?.resolve(reply.result ?? {});
    else waiting?.reject(new Error(reply.error.message));
  }

  #fail(error: Error): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = this.#process.exitCode === null ? once(this.#process, 'exit') : undefined;
    this.#process.kill('SIGKILL');
    await gone;
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

/** One tab. */
export class Page {
  /** Whatever its console shows as an error, and whatever nobody caught, in order. */
  readonly errors: string[] = [];
  readonly #chromium: Chromium;
  readonly #sessionId: string;
  #loaded = Promise.withResolvers<void>();

  constructor(chromium: Chromium, sessionId: string) {
    this.#chromium = chromium;
    this.#sessionId = sessionId;
  }

  /** Resolves when the page has loaded. */
  async open(url: string): Promise<void> {
    this.#loaded = Promise.withResolvers();
    const { errorText } = await this.#send('Page.navigate', { url });
    if (errorText !== undefined) throw new Error(`${url}: ${String(errorText)}`);
    await this.#loaded.promise;
  }

  /**
   * Runs `expression` in the page and waits for its promise. What it gives must survive JSON.
   * @throws Error with what the page threw
   */
  async evaluate(expression: string): Promise<unknown> {
    const answer = await this.#send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
      userGesture: true,
    });
    const thrown = answer['exceptionDetails'] as ExceptionDetails | undefined;
    if (thrown !== undefined) throw new Error(describeException(thrown));
    return (answer['result'] as { value?: unknown }).value;
  }

  /** An event of the protocol. */
  happened(method: string, params: Record<string, unknown>): void {
    switch (method) {
      case 'Page.loadEventFired':
        this.#loaded.resolve();
        break;
      case 'Runtime.exceptionThrown':
        this.errors.push(describeException(params['exceptionDetails'] as ExceptionDetails));
        break;
      case 'Runtime.consoleAPICalled':
        if (params['type'] === 'error' || params['type'] === 'assert')
          this.errors.push(JSON.stringify(params['args']));
        break;
      case 'Log.entryAdded': {
        const entry = params['entry'] as { level: string; text: string; url?: string };
        if (entry.level === 'error') this.errors.push(`${entry.text} ${entry.url ?? ''}`.trim());
        break;
      }
    }
  }

  #send(method: string, params: Record<string, unknown>): Promise<Record<string, unknown>> {
    return this.#chromium.send(method, params, this.#sessionId);
  }
}

interface ExceptionDetails {
  readonly text: string;
  readonly exception?: { readonly description?: string };
}

function describeException({ text, exception }: ExceptionDetails): string {
  return exception?.description ?? text;
}

/** Chromium says on its standard error where it listens. */
async function endpointOf(child: ChildProcess): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-16_384);
    const endpoint = /DevTools listening on (ws:\S+)/.exec(said)?.[1];
    if (endpoint !== undefined) resolve(endpoint);
  });
  const fail = (why: string): void => reject(new Error(`Chromium ${why}:\n${said}`));
  child.once('exit', () => fail('ended'));
  child.once('error', (error) => fail(String(error)));
  const late = AbortSignal.timeout(START_TIMEOUT_MS);
  late.addEventListener('abort', () => fail('did not start'));
  return promise;
}
