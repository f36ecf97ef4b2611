/**
 * Finds and loads a configuration file: `octet.config.ts`, or `.mjs`, `.js`, `.json`, in a folder or above it.
 * Node strips the types itself; a file may import what it likes.
 */
import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { messageOf } from '../errors.ts';
import { ConfigError, type ConfigLayer } from './config.ts';

const NAMES = [
  'octet.config.ts',
  'octet.config.mts',
  'octet.config.mjs',
  'octet.config.js',
  'octet.config.json',
];

export interface LoadedConfig extends ConfigLayer {
  /** Absolute. */
  readonly path: string;
}

/** The nearest configuration file from `folder` upwards to the root of its repository, or undefined. */
export async function findConfig(folder: string): Promise<string | undefined> {
  for (let here = path.resolve(folder); ; here = path.dirname(here)) {
    for (const name of NAMES) {
      const candidate = path.join(here, name);
      if (await exists(candidate)) return candidate;
    }
    if ((await exists(path.join(here, '.git'))) || path.dirname(here) === here) return undefined;
  }
}

/** @throws ConfigError when the file is missing, fails to run, or exports no object */
export async function loadConfig(file: string): Promise<LoadedConfig> {
  const absolute = path.resolve(file);
  if (!(await exists(absolute))) throw new ConfigError(`${file}: there is no such configuration file`);
  const values = await read(absolute).catch((cause: unknown) => {
    throw new ConfigError(`${file}: ${messageOf(cause)}`, cause);
  });
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw new ConfigError(`${file}: must export an object by default`);
  }
  return { place: path.basename(file), path: absolute, values: values as Record<string, unknown> };
}

async function read(file: string): Promise<unknown> {
  if (file.endsWith('.json')) return JSON.parse(await readFile(file, 'utf8')) as unknown;
  const loaded = (await import(pathToFileURL(file).href)) as { default?: unknown };
  return isEmptyScript(loaded) ? undefined : loaded.default;
}

/** A file without any `export` is CommonJS to Node, with an empty object for what it exports. */
function isEmptyScript(loaded: { default?: unknown }): boolean {
  return 'module.exports' in loaded && Object.keys(loaded.default ?? {}).length === 0;
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
