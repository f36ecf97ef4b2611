/** `octet mq publish|get|list`: the running queue from a shell. */
import { connectQueue } from '../queue/index.ts';
import { cliWorld } from './cli-world.ts';
import { CliError, EXIT } from './exit.ts';
import { requireUrl } from './require-url.ts';
import type { SettingFlags } from './settings.ts';

const USAGE =
  'mq declare queue | publish exchange routing-key text | get queue (an exchange of "" sends to the queue named by the key)';

export async function mq(words: readonly string[], flags: SettingFlags): Promise<number> {
  const [verb, ...rest] = words;
  const url = await requireUrl('AMQP_URL', 'queue', flags);
  await using client = await connectQueue({ ...cliWorld(), url, name: 'octet mq', reconnect: false });
  const [first, second, third] = rest;
  if (verb === 'declare' && first !== undefined) {
    const { name, messageCount } = await client.declareQueue(first);
    process.stdout.write(`${name}  ${messageCount} messages\n`);
    return 0;
  }
  if (verb === 'publish' && first !== undefined && second !== undefined && third !== undefined) {
    await client.publish(first, second, third, { mandatory: true });
    process.stdout.write('confirmed\n');
    return 0;
  }
  if (verb === 'get' && first !== undefined) {
    const message = await client.get(first);
    process.stdout.write(message === undefined ? '(empty)\n' : `${message.body.toString()}\n`);
    return message === undefined ? 1 : 0;
  }
  throw new CliError(EXIT.usage, `usage: octet ${USAGE}`);
}
