/** `octet mq declare|publish|get`: the running queue from a shell. */
import { connectQueue, type QueueClient } from '../queue/index.ts';
import { cliWorld } from './cli-world.ts';
import { CliError, EXIT } from './exit.ts';
import { requireUrl } from './require-url.ts';
import type { SettingFlags } from './settings.ts';

const USAGE =
  'mq declare queue | publish exchange routing-key text | get queue (an exchange of "" sends to the queue named by the key)';

export async function mq(words: readonly string[], flags: SettingFlags): Promise<number> {
  const run = verbOf(words);
  if (run === undefined) throw new CliError(EXIT.usage, `usage: octet ${USAGE}`);
  const url = await requireUrl('AMQP_URL', 'queue', flags);
  await using client = await connectQueue({ ...cliWorld(), url, name: 'octet mq', reconnect: false });
  return await run(client);
}

function verbOf([verb, ...rest]: readonly string[]): ((client: QueueClient) => Promise<number>) | undefined {
  const [first, second, third] = rest;
  if (verb === 'declare' && rest.length === 1) return (client) => declare(client, first!);
  if (verb === 'publish' && rest.length === 3) return (client) => publish(client, first!, second!, third!);
  if (verb === 'get' && rest.length === 1) return (client) => get(client, first!);
  return undefined;
}

async function declare(client: QueueClient, queue: string): Promise<number> {
  const { name, messageCount } = await client.declareQueue(queue);
  process.stdout.write(`${name}  ${messageCount} messages\n`);
  return EXIT.ok;
}

async function publish(client: QueueClient, exchange: string, key: string, text: string): Promise<number> {
  await client.publish(exchange, key, text, { mandatory: true });
  process.stdout.write('confirmed\n');
  return EXIT.ok;
}

async function get(client: QueueClient, queue: string): Promise<number> {
  const message = await client.get(queue);
  process.stdout.write(message === undefined ? '(empty)\n' : `${message.body.toString()}\n`);
  return message === undefined ? EXIT.failed : EXIT.ok;
}
