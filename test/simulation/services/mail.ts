/**
 * Mail sent and read while everything goes wrong. What was promised:
 *
 *   - a message answered with 250 is in the mailbox of each of its recipients, once, with all its bytes;
 *   - one that was refused is in none; of any other outcome all of them have it, or none;
 *   - what the inbox has shown stays.
 */
import 'postal-mime'; // loaded when mail starts, which would be waited for in real time
import { codeOf, messageOf } from '../../../src/core/errors.ts';
import { createHttpClient, type HttpClient } from '../../../src/http/index.ts';
import { DEFAULT_MAIL_OPTIONS, MailError, sendMail, startMail } from '../../../src/mail/index.ts';
import { insist } from './insist.ts';
import { Ledger } from './ledger.ts';
import type { Scene, ServiceCase } from './service-run.ts';

const MAILBOXES = ['ann', 'bob', 'cy'];
const SENDERS = 3;
const { port, httpPort } = DEFAULT_MAIL_OPTIONS;

interface Summary {
  readonly id: string;
  readonly mailbox: string;
  readonly subject: string;
}

/** Who was to get a message, and its bytes. */
interface Sent {
  readonly to: readonly string[];
  readonly text: string;
}

class Post {
  readonly messages = new Ledger('message');
  readonly sent = new Map<string, Sent>();
}

export function mailCase(): ServiceCase {
  const post = new Post();
  return {
    name: 'mail',
    start: () => (host) => startMail(DEFAULT_MAIL_OPTIONS, host),
    workers: [
      ...Array.from(
        { length: SENDERS },
        () => (scene: Scene, number: number) => sendAll(scene, number, post),
      ),
      (scene) => readAll(scene, post),
    ],
    verify: (scene) => verify(scene, post),
  };
}

async function sendAll(scene: Scene, sender: number, post: Post): Promise<void> {
  for (let count = 1; scene.isOpen(); count += 1) {
    await sendOne(scene, `${sender}-${count}`, post).catch((error: unknown) => {
      scene.world.note(`a sender fails: ${codeOf(error)} ${messageOf(error)}`);
    });
    await scene.pause(150);
  }
}

async function sendOne(scene: Scene, id: string, post: Post): Promise<void> {
  const { client, world, random } = scene;
  const to = MAILBOXES.filter(() => random.chance(0.5)).map((name) => `${name}@octet.test`);
  if (to.length === 0) to.push('ann@octet.test');
  const text = textOf(id, random.chance(0.2) ? random.below(60_000) : random.below(2_000));
  post.sent.set(id, { to, text });
  post.messages.begin(id);
  try {
    await sendMail(
      {
        network: client.network,
        clock: client.clock,
        host: world.network.address('mail'),
        port,
        timeoutMs: random.pick([2_000, 30_000]),
      },
      { from: 'sender@elsewhere.test', to, data: text },
    );
    post.messages.acknowledge(id);
  } catch (error) {
    if (error instanceof MailError && error.code === 'refused') post.messages.refuse(id);
    throw error;
  }
}

function textOf(id: string, length: number): string {
  const line = `${'.'.repeat(60)}\r\n`;
  return `From: sender@elsewhere.test\r\nSubject: ${id}\r\n\r\n${line.repeat(Math.ceil(length / line.length))}`;
}

function inboxClient({ client }: Scene): HttpClient {
  const { network, clock } = client;
  return createHttpClient({ network, clock });
}

async function fetchText(scene: Scene, http: HttpClient, path: string): Promise<string> {
  const url = `http://${scene.world.network.address('mail')}:${httpPort}${path}`;
  const response = await http.request({ url, timeoutMs: 10_000 });
  const body = (await response.body.bytes(1_000_000)).toString();
  if (response.status !== 200) throw new Error(`${path} is answered ${response.status}: ${body}`);
  return body;
}

/** All summaries, page by page. */
async function listAll(scene: Scene, http: HttpClient): Promise<Summary[]> {
  const all: Summary[] = [];
  for (let before = ''; ; ) {
    const query = before === '' ? '' : `&before=${encodeURIComponent(before)}`;
    const text = await fetchText(scene, http, `/api/messages?limit=50${query}`);
    const { messages } = JSON.parse(text) as { messages: Summary[] };
    all.push(...messages);
    const last = messages.at(-1);
    if (last === undefined || messages.length < 50) return all;
    before = last.id;
  }
}

async function readAll(scene: Scene, post: Post): Promise<void> {
  await using http = inboxClient(scene);
  while (scene.isOpen()) {
    try {
      for (const { subject } of await listAll(scene, http)) post.messages.see(subject, scene.violations);
    } catch (error) {
      scene.world.note(`a reader fails: ${codeOf(error)} ${messageOf(error)}`);
    }
    await scene.pause(400);
  }
}

async function verify(scene: Scene, post: Post): Promise<void> {
  const { violations } = scene;
  await using http = inboxClient(scene);
  const summaries = await insist(scene, () => listAll(scene, http));
  const bySubject = Map.groupBy(summaries, ({ subject }) => subject);
  for (const [id, copies] of bySubject) {
    const { to = [], text = '' } = post.sent.get(id) ?? {};
    const found = copies.map(({ mailbox }) => mailbox).sort();
    violations.check(
      found.join() === [...to].sort().join(),
      () => `message ${id} to ${to} is in the mailboxes of ${found}`,
    );
    for (const copy of copies) {
      const raw = await insist(scene, () => fetchText(scene, http, `/api/messages/${copy.id}/raw`));
      violations.check(
        raw.endsWith(text),
        () => `message ${id} has lost bytes: ${raw.length} of ${text.length}`,
      );
    }
  }
  post.messages.verify(new Set(bySubject.keys()), violations);
}
