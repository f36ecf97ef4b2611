/** `octet curl URL`: one HTTP request by our own client, names resolved by our own DNS where it runs. */
import { readFile } from 'node:fs/promises';
import { createDnsClient } from '../dns/index.ts';
import { createHttpClient } from '../http/index.ts';
import { cliWorld } from './cli-world.ts';
import { CliError, EXIT } from './exit.ts';
import { endpointOf, requireUrl } from './require-url.ts';
import type { SettingFlags } from './settings.ts';
import { runningEnv } from './status.ts';

export interface CurlFlags extends SettingFlags {
  readonly request?: string;
  readonly header?: string[];
  readonly data?: string;
  readonly include?: boolean;
}

/** @returns 0 below status 400, else 1 */
export async function curl(target: string, flags: CurlFlags): Promise<number> {
  const url = target.startsWith('/')
    ? (await requireUrl('BALANCER_URL', 'balancer', flags)) + target
    : target;
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? ''))
    throw new CliError(EXIT.usage, `curl: ${url} is neither an http(s) URL nor a path`);
  const world = cliWorld();
  const resolve = await resolver(flags);
  await using client = createHttpClient({ ...world, ...(resolve === undefined ? {} : { resolve }) });
  const body = flags.data?.startsWith('@') ? await bodyFile(flags.data.slice(1)) : flags.data;
  const headers = (flags.header ?? []).map(splitHeader);
  if (body !== undefined && !headers.some(([name]) => name.toLowerCase() === 'content-type')) {
    headers.push(['Content-Type', 'application/json']);
  }
  const method = flags.request ?? (body === undefined ? 'GET' : 'POST');
  const response = await client.request({ method, url, headers, ...(body === undefined ? {} : { body }) });
  if (flags.include === true) {
    process.stdout.write(`HTTP/1.1 ${response.status} ${response.reason}\n`);
    for (const [name, value] of response.headers) process.stdout.write(`${name}: ${value}\n`);
    process.stdout.write('\n');
  }
  for await (const chunk of response.body) {
    if (!process.stdout.write(chunk)) await new Promise((ready) => process.stdout.once('drain', ready));
  }
  return response.status < 400 ? 0 : 1;
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
