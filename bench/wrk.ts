/** wrk as the load of everything that speaks HTTP: one thread, so that the server has a core of its own. */
import { writeFile } from 'node:fs/promises';
import type { Load, Place } from './benchmark.ts';
import { numberIn } from './programs.ts';

const CONNECTIONS = 64;
const ROUND_SECONDS = 1;

export interface WrkLoad {
  readonly url: string;
  /** Default 64. */
  readonly connections?: number;
  /** Lua, as wrk takes it. */
  readonly script?: string;
}

/** @throws MissingPackage */
export async function wrk(place: Place, load: WrkLoad): Promise<Load> {
  const { url, connections = CONNECTIONS, script } = load;
  const program = place.programs.find('wrk', 'wrk');
  const args = ['-t1', `-c${connections}`, `-d${ROUND_SECONDS}s`, '--timeout', '10s', url];
  if (script !== undefined) args.unshift('-s', await scriptFile(place, script));
  return async () => {
    const output = await place.programs.run(program, args);
    const failed = /Non-2xx or 3xx responses: \d+|Socket errors: .*/.exec(output);
    if (failed !== null) throw new Error(`wrk ${url}: ${failed[0]}`);
    return { operations: numberIn(output, /(\d+) requests in /), seconds: secondsIn(output) };
  };
}

async function scriptFile(place: Place, script: string): Promise<string> {
  const file = `${place.folder}/wrk-${crypto.randomUUID()}.lua`;
  await writeFile(file, script);
  return file;
}

/** `1.10s` or `998.70ms`. */
function secondsIn(output: string): number {
  const milliseconds = /requests in ([\d.]+)ms/.exec(output)?.[1];
  return milliseconds === undefined
    ? numberIn(output, /requests in ([\d.]+)s/)
    : Number(milliseconds) / 1_000;
}

/** Sends the request `depth` times in one write, then waits for all answers. */
export function pipelined(depth: number): string {
  return `function init(args) batch = string.rep(wrk.format(), ${depth}) end
function request() return batch end
`;
}

/** PUTs a body of `sizeBytes` to one target after another. */
export function putting(sizeBytes: number, targets: readonly string[]): string {
  return `local targets = { ${targets.map((target) => JSON.stringify(target)).join(', ')} }
local requests, at = {}, 0
function init(args)
  local body = string.rep("x", ${sizeBytes})
  for _, target in ipairs(targets) do requests[#requests + 1] = wrk.format("PUT", target, nil, body) end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
`;
}
