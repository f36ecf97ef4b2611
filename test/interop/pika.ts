import path from 'node:path';
import { type Client, describe, run } from './client.ts';

const SCRIPT = path.join(import.meta.dirname, 'pika-checks.py');

/** What is checked stands in the script; here are its parts by name. */
const PARTS: Readonly<Record<string, string>> = {
  'publish with confirms, consume, acknowledge': 'confirms',
  'properties and headers arrive as they were sent': 'properties',
  'a message rejected with requeue comes again, marked': 'requeue',
  'unacknowledged messages of a lost connection come again': 'redelivery',
  'prefetch holds messages back': 'prefetch',
  'topic and fanout exchanges route': 'routing',
  'what cannot be routed is returned': 'mandatory',
  'a message of a megabyte in many frames': 'large',
  'errors close the channel and not the connection': 'errors',
  'heartbeats keep an idle connection open': 'heartbeats',
  'a wrong password is refused': 'password',
};

export const pika: Client = {
  name: 'pika',
  packages: ['python3-pika'],
  probe: ['python3', '-c', 'import pika'],
  services: ['queue'],
  checks: Object.fromEntries(
    Object.entries(PARTS).map(([name, part]) => [
      name,
      async ({ env }) => {
        const outcome = await run('python3', [SCRIPT, part], { env });
        if (outcome.exitCode !== 0) throw new Error(`${part} ${describe(outcome)}`);
      },
    ]),
  ),
};
