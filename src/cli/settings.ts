/** Gathers the settings of a command: defaults < configuration file < OCTET_* variables < flags. */
import path from 'node:path';
import {
  ConfigError,
  type ConfigLayer,
  environmentLayer,
  nearest,
  resolveConfig,
} from '../core/config/config.ts';
import { findConfig, loadConfig } from '../core/config/load.ts';
import { type OctetConfig, octetSchema, SERVICE_NAMES } from '../octet/config.ts';

/** Flags that every command takes. */
export interface SettingFlags {
  readonly config?: string;
  readonly dataDir?: string;
  readonly portOffset?: string;
  readonly host?: string;
  readonly services?: string;
  readonly logLevel?: string;
}

export interface Settings {
  readonly config: OctetConfig;
  /** Relative paths in the configuration start here: the file's folder, or the current one. */
  readonly baseDir: string;
  /** Absolute. */
  readonly dataDir: string;
  readonly configFile: string | undefined;
}

/**
 * @param lowest layers that stand in for the defaults
 * @throws ConfigError naming key and place
 */
export async function readSettings(
  flags: SettingFlags,
  lowest: readonly ConfigLayer[] = [],
): Promise<Settings> {
  const cwd = process.cwd();
  // `octet env` prints this one for others, and a shell that has taken it in goes on to call us.
  const { OCTET_ADMIN_URL: _, ...variables } = process.env;
  const configFile = flags.config ?? (await findConfig(cwd));
  const layers: ConfigLayer[] = [...lowest];
  if (configFile !== undefined) layers.push(await loadConfig(configFile));
  layers.push(environmentLayer(octetSchema, variables), {
    place: 'the command line',
    values: flagValues(flags),
  });
  const config = resolveConfig(octetSchema, layers);
  const baseDir = configFile === undefined ? cwd : path.dirname(path.resolve(configFile));
  // A flag is typed where one stands; a setting in the file belongs to the file.
  const dataDir = path.resolve(flags.dataDir === undefined ? baseDir : cwd, config.dataDir);
  return { config, baseDir, dataDir, configFile };
}

function flagValues(flags: SettingFlags): Record<string, unknown> {
  const { portOffset, services } = flags;
  return {
    dataDir: flags.dataDir,
    host: flags.host,
    logLevel: flags.logLevel,
    portOffset: portOffset === undefined ? undefined : wholeNumber('--port-offset', portOffset),
    services: services?.split(',').map(serviceName),
  };
}

function serviceName(text: string): string {
  const name = text.trim();
  const names: readonly string[] = SERVICE_NAMES;
  if (names.includes(name)) return name;
  const near = nearest(name, names);
  const hint = near === undefined ? `there are ${names.join(', ')}` : `did you mean ${near}?`;
  throw new ConfigError(`--services: there is no service "${name}"; ${hint}`);
}

function wholeNumber(flag: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value))
    throw new ConfigError(`${flag}: "${text}" is not a whole number`);
  return value;
}
