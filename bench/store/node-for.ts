/** Packages with native code: which Node loads them, and how a script of ours runs under an older one. */
import { spawnSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import { INSTALL_NPM_PEERS, MissingPackage } from '../programs.ts';

/** Native code is loaded when a database is opened, not before. */
const TRIAL = 'new (require(process.argv[1]))(":memory:").close()';
/** The oldest Node that still gets a build: what newer ones understand, too. */
const TARGET = 'node20';

/**
 * This Node, or else the first of the search path that loads better-sqlite3 of the folder `location`: native code
 * runs only under the version of Node for which it was compiled.
 * @throws MissingPackage
 */
export function nodeForSqlite(location: string): string {
  const found = [...nodes()].find((node) => spawnSync(node, ['-e', TRIAL, location]).status === 0);
  if (found !== undefined) return found;
  throw new MissingPackage(
    `a Node of the search path that loads ${location}; install it anew: ${INSTALL_NPM_PEERS}`,
  );
}

function nodes(): Set<string> {
  const found = (process.env['PATH'] ?? '').split(path.delimiter).map((folder) => realPath(`${folder}/node`));
  return new Set([process.execPath, ...found.filter((node) => node !== undefined)]);
}

function realPath(file: string): string | undefined {
  try {
    return realpathSync(file);
  } catch {
    return undefined;
  }
}

/** Bundles a script of `bench/servers` for any Node. @returns the file in `folder` */
export async function bundled(script: string, folder: string): Promise<string> {
  const outfile = path.join(folder, 'contender.mjs');
  await build({
    entryPoints: [script],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: TARGET,
  });
  return outfile;
}
