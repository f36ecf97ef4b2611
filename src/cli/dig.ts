/** `octet dig name [type] [@server] [+tcp] [+short]`, by default against the running Octet's DNS. */
import { createDnsClient, DnsError, formatDig, formatShort, reverseName } from '../dns/index.ts';
import { cliWorld } from './cli-world.ts';
import { CliError, EXIT } from './exit.ts';
import { endpointOf, requireUrl } from './require-url.ts';
import type { SettingFlags } from './settings.ts';

export interface DigFlags extends SettingFlags {
  readonly port?: string;
  readonly reverse?: string;
}

interface Question {
  readonly name: string;
  readonly type: string;
  readonly server: string | undefined;
  readonly tcp: boolean;
  readonly short: boolean;
}

const DEFAULT_PORT = 53;
const SWITCHES: readonly string[] = ['+tcp', '+short'];

export async function dig(words: readonly string[], flags: DigFlags): Promise<number> {
  const { name, type, server, tcp, short } = parse(words, flags);
  const client = createDnsClient({ ...cliWorld(), server: await serverOf(server, flags) });
  const reply = await client.query(name, type, tcp ? { transport: 'tcp' } : {}).catch((error: unknown) => {
    if (error instanceof DnsError && (error.code === 'bad-text' || error.code === 'bad-option'))
      throw new CliError(EXIT.usage, `dig: ${error.message}`);
    throw error;
  });
  process.stdout.write(short ? formatShort(reply) : formatDig(reply));
  return EXIT.ok;
}

/** @throws CliError for words that mean nothing */
function parse(words: readonly string[], flags: DigFlags): Question {
  const switches = words.filter((word) => word.startsWith('+'));
  const unknown = switches.find((word) => !SWITCHES.includes(word));
  if (unknown !== undefined)
    throw new CliError(EXIT.usage, `dig: ${unknown} is not known; there are ${SWITCHES.join(' and ')}`);
  const servers = words.filter((word) => word.startsWith('@'));
  const names = words.filter((word) => !word.startsWith('@') && !word.startsWith('+'));
  if (flags.reverse !== undefined) names.unshift(addressName(flags.reverse));
  if (names.length > 2 || servers.length > 1)
    throw new CliError(EXIT.usage, 'dig: one name, one type and one @server at a time');
  const [name = '.', askedType] = names;
  const standard = flags.reverse !== undefined ? 'PTR' : name === '.' ? 'NS' : 'A';
  return {
    name,
    type: askedType ?? standard,
    server: servers[0]?.slice(1),
    tcp: switches.includes('+tcp'),
    short: switches.includes('+short'),
  };
}

function addressName(address: string): string {
  const name = reverseName(address);
  if (name === undefined) throw new CliError(EXIT.usage, `dig: ${address} is not an address`);
  return name;
}

async function serverOf(
  named: string | undefined,
  flags: DigFlags,
): Promise<{ address: string; port: number }> {
  if (named !== undefined) return { address: named, port: portOf(flags.port ?? String(DEFAULT_PORT)) };
  if (flags.port !== undefined) throw new CliError(EXIT.usage, 'dig: --port is that of a @server');
  return endpointOf(await requireUrl('DNS_SERVER', 'dns', flags));
}

function portOf(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port <= 65_535) return port;
  throw new CliError(EXIT.usage, `dig: ${text} is not a port`);
}
