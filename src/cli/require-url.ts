import { CliError, EXIT } from './exit.ts';
import type { SettingFlags } from './settings.ts';
import { runningEnv } from './status.ts';

/** The connection string of a running service. A variable of the same name in the environment wins, so that
 * the small clients work against any server. @throws CliError */
export async function requireUrl(variable: string, service: string, flags: SettingFlags): Promise<string> {
  const given = process.env[variable];
  if (given !== undefined && given !== '') return given;
  const running = (await runningEnv(flags))[variable];
  if (running !== undefined) return running;
  throw new CliError(
    EXIT.notRunning,
    `no ${service} runs here`,
    `start one with \`octet ${service}\`, or set ${variable}`,
  );
}

/** `127.0.0.1:5300`, `[::1]:5300`. */
export function endpointOf(hostPort: string): { readonly address: string; readonly port: number } {
  const colon = hostPort.lastIndexOf(':');
  return { address: bare(hostPort.slice(0, colon)), port: Number(hostPort.slice(colon + 1)) };
}

/** An IPv6 address without the brackets that it wears in a URL. */
export function bare(host: string): string {
  return host.startsWith('[') ? host.slice(1, -1) : host;
}
