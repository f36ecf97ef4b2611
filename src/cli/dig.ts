/** `octet dig name [type] [@server] [+tcp] [+short]`, by default against the running Octet's DNS. */
import { createDnsClient, formatDig, formatShort, reverseName } from '../dns/index.ts';
import { cliWorld } from './cli-world.ts';
import { CliError, EXIT } from './exit.ts';
import type { SettingFlags } from './settings.ts';
import { runningEnv } from './status.ts';

const DEFAULT_PORT = 53;

export async function dig(
  words: readonly string[],
  flags: SettingFlags & { port?: string; reverse?: string },
): Promise<number> {
  const server = words.find((word) => word.startsWith('@'))?.slice(1);
  const switches = new Set(words.filter((word) => word.startsWith('+')));
  const [name = '.', type] = words.filter((word) => !word.startsWith('@') && !word.startsWith('+'));
  for (const unknown of switches) {
    if (unknown !== '+tcp' && unknown !== '+short')
      throw new CliError(EXIT.usage, `dig: ${unknown} is not known; there are +tcp and +short`);
  }
  const asked = flags.reverse === undefined ? name : reverseName(flags.reverse);
  if (asked === undefined) throw new CliError(EXIT.usage, `dig: ${flags.reverse} is not an address`);
  const client = createDnsClient({ ...cliWorld(), server: await serverOf(server, flags) });
  const reply = await client.query(
    asked,
    type ?? (flags.reverse === undefined ? 'A' : 'PTR'),
    switches.has('+tcp') ? { transport: 'tcp' } : {},
  );
  process.stdout.write(switches.has('+short') ? formatShort(reply) : formatDig(reply));
  return 0;
}

async function serverOf(
  named: string | undefined,
  flags: SettingFlags & { port?: string },
): Promise<{ address: string; port: number }> {
  if (named !== undefined) return { address: named, port: Number(flags.port ?? DEFAULT_PORT) };
  const { DNS_SERVER: running } = await runningEnv(flags);
  if (running === undefined)
    throw new CliError(
      EXIT.notRunning,
      'no DNS service runs here',
      'name a server: octet dig example.test @127.0.0.1 -p 5300',
    );
  const colon = running.lastIndexOf(':');
  return { address: running.slice(0, colon), port: Number(running.slice(colon + 1)) };
}
