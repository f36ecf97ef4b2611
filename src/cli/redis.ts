/** `octet redis COMMAND [argument …]`: one command to the running cache; without one, a line at a time from standard input. */
import { createInterface } from 'node:readline/promises';
import { type CacheClient, CacheError, connectCache, type Reply } from '../cache/index.ts';
import { cliWorld } from './cli-world.ts';
import { requireUrl } from './require-url.ts';
import type { SettingFlags } from './settings.ts';
import { splitWords } from './words.ts';

export async function redis(words: readonly string[], flags: SettingFlags): Promise<number> {
  const url = await requireUrl('REDIS_URL', 'cache', flags);
  await using client = await connectCache({ ...cliWorld(), url, name: 'octet-redis' });
  const [command, ...rest] = words;
  if (command !== undefined) return await run(client, [command, ...rest]);
  const lines = createInterface({ input: process.stdin });
  let failures = 0;
  for await (const line of lines) {
    const [first, ...others] = splitWords(line);
    if (first !== undefined) failures += await run(client, [first, ...others]);
  }
  return failures === 0 ? 0 : 1;
}

async function run(client: CacheClient, words: readonly [string, ...string[]]): Promise<number> {
  try {
    process.stdout.write(`${formatReply(await client.command(...words), '')}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof CacheError) || error.code !== 'error-reply') throw error;
    process.stdout.write(`(error) ${error.message}\n`);
    return 1;
  }
}

/** In the notation of redis-cli. */
function formatReply(reply: Reply, indent: string): string {
  if (reply === null) return '(nil)';
  if (typeof reply === 'string') return JSON.stringify(reply);
  if (typeof reply === 'number' || typeof reply === 'bigint') return `(integer) ${reply}`;
  if (typeof reply === 'boolean') return `(${reply})`;
  const items: Reply[] = reply instanceof Map ? [...reply].flat() : [...(reply as Iterable<Reply>)];
  if (items.length === 0) return '(empty array)';
  const width = String(items.length).length;
  return items
    .map((item, index) => {
      const label = `${String(index + 1).padStart(width)}) `;
      return `${index === 0 ? '' : indent}${label}${formatReply(item, indent + ' '.repeat(label.length))}`;
    })
    .join('\n');
}
