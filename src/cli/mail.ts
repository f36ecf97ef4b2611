/** `octet mail send|list|read|wait|delete`: the running mail service from a shell. */
import { messageOf } from '../core/errors.ts';
import { sendMail } from '../mail/index.ts';
import { cliWorld } from './cli-world.ts';
import { CliError, EXIT } from './exit.ts';
import { bare, requireUrl } from './require-url.ts';
import type { SettingFlags } from './settings.ts';

export interface MailFlags extends SettingFlags {
  readonly from?: string;
  readonly to?: string;
  readonly subject?: string;
  readonly text?: string;
  readonly timeoutMs?: string;
}

type Verb = (flags: MailFlags, id: string | undefined) => Promise<number>;

const verbs: Readonly<Record<string, Verb>> = { send, list, read, wait, delete: remove };

export async function mailCommand(verb: string, id: string | undefined, flags: MailFlags): Promise<number> {
  const run = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
  if (run === undefined)
    throw new CliError(EXIT.usage, `mail: ${verb} is not known; there are ${Object.keys(verbs).join(', ')}`);
  return run(flags, id);
}

async function send(flags: MailFlags): Promise<number> {
  const { to, from = 'octet@localhost', subject = '', text = '' } = flags;
  if (to === undefined) throw new CliError(EXIT.usage, 'mail send needs --to');
  const url = new URL(await requireUrl('SMTP_URL', 'mail', flags));
  const message = compose(from, to, subject, text);
  const result = await sendMail(
    { ...cliWorld(), host: bare(url.hostname), port: Number(url.port) },
    { from, to: to.split(',').map((address) => address.trim()), data: message },
  );
  process.stdout.write(`${result.reply.lines.join(' ')}\n`);
  for (const { address, reply } of result.refused)
    process.stderr.write(`octet: mail: ${address} refused: ${reply.code} ${reply.lines.join(' ')}\n`);
  return result.refused.length === 0 ? EXIT.ok : EXIT.failed;
}

/** RFC 5322 section 3.6: the date and the author are required. */
function compose(from: string, to: string, subject: string, text: string): string {
  const addresses = to.split(',').map((address) => `<${address.trim()}>`);
  return [
    `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`,
    `From: <${from}>`,
    `To: ${addresses.join(', ')}`,
    `Subject: ${headerText(oneLine(subject))}`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: 8bit',
    '',
    text,
    '',
  ].join('\n');
}

/** An encoded word holds at most 75 characters, so at most 45 bytes: 11 characters of UTF-8. RFC 2047 section 2. */
const WORD_CHARACTERS = 11;

/** As it is when it is ASCII, else in encoded words. */
function headerText(text: string): string {
  if (/^[ -~]*$/.test(text)) return text;
  const words: string[] = [];
  const characters = [...text];
  while (characters.length > 0) {
    const word = characters.splice(0, WORD_CHARACTERS).join('');
    words.push(`=?utf-8?B?${Buffer.from(word).toString('base64')}?=`);
  }
  return words.join('\n ');
}

/** A line break in a header field would begin another one. */
function oneLine(text: string): string {
  return text.replaceAll('\r', ' ').replaceAll('\n', ' ');
}

async function list(flags: MailFlags): Promise<number> {
  const { messages } = (await ask('GET', `/api/messages?${filter(flags)}`, flags)) as {
    messages: Record<string, unknown>[];
  };
  for (const message of messages) {
    process.stdout.write(
      `${message['id']}  ${message['receivedAt']}  ${message['mailbox']}  ${message['from']}  ${message['subject']}\n`,
    );
  }
  return 0;
}

async function read(flags: MailFlags, id: string | undefined): Promise<number> {
  if (id === undefined) throw new CliError(EXIT.usage, 'mail read needs the id that `octet mail list` shows');
  const raw = await ask('GET', `/api/messages/${encodeURIComponent(id)}/raw`, flags);
  process.stdout.write(String(raw));
  return 0;
}

async function wait(flags: MailFlags): Promise<number> {
  const timeout = flags.timeoutMs === undefined ? '' : `&timeoutMs=${encodeURIComponent(flags.timeoutMs)}`;
  const message = (await ask('GET', `/api/wait?${filter(flags)}${timeout}`, flags)) as Record<
    string,
    unknown
  >;
  process.stdout.write(`${message['id']}  ${message['mailbox']}  ${message['subject']}\n`);
  return 0;
}

async function remove(flags: MailFlags, id: string | undefined): Promise<number> {
  if (id === undefined)
    throw new CliError(EXIT.usage, 'mail delete needs the id that `octet mail list` shows');
  await ask('DELETE', `/api/messages/${encodeURIComponent(id)}`, flags);
  return 0;
}

function filter(flags: MailFlags): string {
  const query = new URLSearchParams();
  for (const name of ['from', 'to', 'subject'] as const) {
    const value = flags[name];
    if (value !== undefined) query.set(name, value);
  }
  return query.toString();
}

/** 408: what was waited for has not come. */
const TIMED_OUT = 408;

async function ask(method: string, path: string, flags: MailFlags): Promise<unknown> {
  const base = await requireUrl('MAIL_URL', 'mail', flags);
  const response = await fetch(base + path, { method }).catch((cause: unknown) => {
    throw new CliError(EXIT.failed, `mail: ${base} does not answer: ${messageOf((cause as Error).cause)}`);
  });
  const body = await response.text();
  const isJson = /^application\/(problem\+)?json/.test(response.headers.get('content-type') ?? '');
  const answer: unknown = isJson ? JSON.parse(body) : body;
  if (response.status < 400) return answer;
  const { detail, title } = (isJson ? answer : {}) as { detail?: string; title?: string };
  const exitCode = response.status === TIMED_OUT ? EXIT.timedOut : EXIT.failed;
  throw new CliError(exitCode, `mail: ${detail ?? title ?? `${response.status} ${body}`}`);
}
