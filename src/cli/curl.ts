/** `octet curl URL`: one HTTP request by our own client, names resolved by our own DNS where it runs. */
import { readFile } from 'node:fs/promises';
import { createDnsClient } from '../dns/index.ts';
import {
  type ClientRequest,
  type ClientResponse,
  createHttpClient,
  HttpClientError,
  type HttpClientOptions,
} from '../http/index.ts';
import { cliWorld } from './cli-world.ts';
import { CliError, EXIT } from './exit.ts';
import { endpointOf, requireUrl } from './require-url.ts';
import type { SettingFlags } from './settings.ts';
import { runningEnv } from './status.ts';

/** As curl's of the same names; times in seconds. */
export interface CurlFlags extends SettingFlags {
  readonly request?: string;
  readonly header?: string[];
  readonly data?: string;
  readonly include?: boolean;
  readonly location?: boolean;
  readonly maxRedirs?: string;
  readonly connectTimeout?: string;
  readonly maxTime?: string;
  readonly proxy?: string;
  readonly proxyUser?: string;
  readonly noproxy?: string;
  readonly cacert?: string;
  readonly insecure?: boolean;
}

/** Where the answer goes. */
export interface Output {
  /** @returns false when it is behind, until `drain` */
  write(chunk: string | Uint8Array): boolean;
  once(event: 'drain', listener: () => void): unknown;
}

/** curl's own bound is 50. */
const DEFAULT_MAX_REDIRS = '50';

/** @returns 0 below status 400, else 1 */
export async function curl(
  target: string,
  flags: CurlFlags,
  output: Output = process.stdout,
): Promise<number> {
  const url = target.startsWith('/')
    ? (await requireUrl('BALANCER_URL', 'balancer', flags)) + target
    : target;
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? ''))
    throw new CliError(EXIT.usage, `curl: ${url} is neither an http(s) URL nor a path`);
  const request = await requestOf(url, flags);
  const options = await clientOptions(flags);
  try {
    await using client = createHttpClient({ ...cliWorld(), ...options });
    const response = await client.request(request);
    await show(response, flags.include === true, output);
    return response.status < 400 ? 0 : 1;
  } catch (thrown) {
    throw thrown instanceof HttpClientError ? inWords(thrown) : thrown;
  }
}

async function requestOf(url: string, flags: CurlFlags): Promise<ClientRequest> {
  const body = flags.data?.startsWith('@') ? await bodyFile(flags.data.slice(1)) : flags.data;
  const headers = (flags.header ?? []).map(splitHeader);
  if (body !== undefined && !headers.some(([name]) => name.toLowerCase() === 'content-type')) {
    headers.push(['Content-Type', 'application/json']);
  }
  const method = flags.request ?? (body === undefined ? 'GET' : 'POST');
  const maxMs = milliseconds('--max-time', flags.maxTime);
  return {
    method,
    url,
    headers,
    ...(body === undefined ? {} : { body }),
    ...(maxMs === undefined ? {} : { totalTimeoutMs: maxMs, timeoutMs: maxMs }),
    ...(flags.location === true ? { redirect: { follow: maxRedirs(flags) } } : {}),
  };
}

async function clientOptions(flags: CurlFlags): Promise<Partial<HttpClientOptions>> {
  const resolve = await resolver(flags);
  const connectTimeoutMs = milliseconds('--connect-timeout', flags.connectTimeout);
  const ca = flags.cacert === undefined ? undefined : await caFile(flags.cacert);
  const tls = { ...(ca && { ca }), ...(flags.insecure === true && { unsafeAcceptAnyCertificate: true }) };
  return {
    tls,
    ...(resolve === undefined ? {} : { resolve }),
    ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs, tlsTimeoutMs: connectTimeoutMs }),
    ...(flags.proxy === undefined ? {} : { proxy: proxyOf(flags.proxy, flags) }),
  };
}

function proxyOf(proxy: string, flags: CurlFlags): NonNullable<HttpClientOptions['proxy']> {
  const url = proxy.includes('://') ? proxy : `http://${proxy}`;
  const { proxyUser, noproxy } = flags;
  const except = (noproxy ?? '').split(',').map((rule) => rule.trim());
  return {
    url,
    except: except.filter((rule) => rule !== ''),
    ...(proxyUser === undefined
      ? {}
      : { authorization: `Basic ${Buffer.from(proxyUser).toString('base64')}` }),
  };
}

function maxRedirs(flags: CurlFlags): number {
  const text = flags.maxRedirs ?? DEFAULT_MAX_REDIRS;
  const count = Number(text);
  if (text.trim() === '' || !Number.isInteger(count) || count < 0 || count > 50)
    throw new CliError(EXIT.usage, `curl: --max-redirs ${text} is not 0 to 50`);
  return count;
}

/** Seconds, perhaps with a fraction, as curl has them. */
function milliseconds(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = Number(text);
  if (text.trim() === '' || !Number.isFinite(seconds) || seconds <= 0)
    throw new CliError(EXIT.usage, `curl: ${flag} ${text} is no number of seconds`);
  return seconds * 1_000;
}

async function show(response: ClientResponse, withHead: boolean, output: Output): Promise<void> {
  if (withHead) {
    output.write(`HTTP/1.1 ${response.status} ${response.reason}\n`);
    for (const [name, value] of response.headers) output.write(`${name}: ${value}\n`);
    output.write('\n');
  }
  for await (const chunk of response.body) {
    if (!output.write(chunk)) await new Promise<void>((ready) => output.once('drain', () => ready()));
  }
}

/** A failure as a person reads it, with the code that a script may look for. */
function inWords(error: HttpClientError): CliError {
  const exitCode =
    error.code === 'invalid-request'
      ? EXIT.usage
      : error.code.endsWith('-timeout')
        ? EXIT.timedOut
        : EXIT.failed;
  return new CliError(exitCode, `curl: ${error.message} (${error.code})`);
}

async function caFile(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => {
    throw new CliError(EXIT.failed, `curl: there is no file ${file}`);
  });
}

async function bodyFile(file: string): Promise<Buffer> {
  return readFile(file).catch(() => {
    throw new CliError(EXIT.failed, `curl: there is no file ${file}`);
  });
}

function splitHeader(line: string): [string, string] {
  const colon = line.indexOf(':');
  if (colon <= 0) throw new CliError(EXIT.usage, `curl: -H "${line}" is not "Name: value"`);
  return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
}

/** Our DNS, when it runs; the machine's resolver otherwise. */
async function resolver(
  flags: SettingFlags,
): Promise<((host: string) => Promise<readonly string[]>) | undefined> {
  const env = await runningEnv(flags).catch(() => ({}) as Readonly<Record<string, string>>);
  const server = process.env['DNS_SERVER'] ?? env['DNS_SERVER'];
  if (server === undefined) return undefined;
  const client = createDnsClient({ ...cliWorld(), server: endpointOf(server) });
  return async (host) => (host === 'localhost' ? ['127.0.0.1'] : client.lookupAddress(host));
}
