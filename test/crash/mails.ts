/** Mails over several connections; what lies in the mailbox has to be what was sent, under one line of trace. */
import nodemailer from 'nodemailer';
import { ABSENT, Ledger } from './ledger.ts';
import { digest, type Material, orAborted, repeat, sample, type Witness } from './witness.ts';

const MAILBOX = 'crash@crash.test';
const CONNECTIONS = 3;
const MAX_BODY_LENGTH = 60_000;
const LINE_LENGTH = 76;
const SAMPLE = 20;
/** Beyond so many, mails are deleted as well. */
const MANY = 300;
const PAGE = 100;

interface Summary {
  readonly id: string;
  readonly subject: string;
}

export class Mails implements Witness {
  readonly name = 'mails';
  readonly #ledger = new Ledger('mail');
  readonly #material: Material;
  /** Our name of a mail → the server's. */
  #ids = new Map<string, string>();
  #transport: ReturnType<typeof open> | undefined;
  #base = '';
  #next = 0;

  constructor(material: Material) {
    this.#material = material;
  }

  get acknowledged(): number {
    return this.#ledger.acknowledged;
  }

  async connect(env: Readonly<Record<string, string>>): Promise<void> {
    this.#base = `${env['MAIL_URL']}/api/messages`;
    this.#transport = open(env['SMTP_URL'] ?? '');
    await this.#transport.verify();
  }

  async load(signal: AbortSignal): Promise<void> {
    const lanes = Array.from({ length: CONNECTIONS }, () => repeat(signal, () => this.#send(signal)));
    if (this.#ledger.sureCount > MANY) lanes.push(repeat(signal, () => this.#delete(signal)));
    await Promise.all(lanes);
  }

  freeze(): void {
    this.#ledger.freeze();
  }

  thaw(): void {
    this.#ledger.thaw();
  }

  abandon(): void {
    this.#transport?.close();
  }

  async verify(all: boolean): Promise<string[]> {
    const violations: string[] = [];
    const listed = new Map<string, string>();
    for (const { id, subject } of await this.#list()) {
      if (listed.has(subject)) violations.push(`mail ${subject} is there twice`);
      listed.set(subject, id);
    }
    const known = [...listed.keys()].filter((name) => this.#ids.has(name));
    const skipped = new Set(all ? [] : known);
    if (!all) for (const name of sample(known, SAMPLE, this.#material.random)) skipped.delete(name);
    const found = new Map<string, string>();
    for (const [name, id] of listed) {
      const sure = skipped.has(name) ? this.#ledger.sure(name) : undefined;
      found.set(
        name,
        sure ?? (await this.#read(id).catch((error: unknown) => `unreadable: ${String(error)}`)),
      );
    }
    this.#ids = listed;
    return [...violations, ...this.#ledger.settle(found)];
  }

  async #send(signal: AbortSignal): Promise<void> {
    const name = `mail-${(this.#next += 1)}`;
    const raw = compose(name, this.#material.text(this.#material.size(MAX_BODY_LENGTH)));
    const acknowledge = this.#ledger.ask(name, fingerprint(raw));
    const envelope = { from: 'load@crash.test', to: [MAILBOX] };
    await orAborted(signal, this.#transport!.sendMail({ envelope, raw }).then(acknowledge));
  }

  async #delete(signal: AbortSignal): Promise<void> {
    const certain = this.#ledger.sureKeys().filter((name) => this.#ids.has(name));
    const name = certain[this.#material.random.below(Math.max(certain.length, 1))];
    if (name === undefined) return orAborted(signal, new Promise(() => undefined));
    const acknowledge = this.#ledger.ask(name, ABSENT);
    const answer = await fetch(`${this.#base}/${this.#ids.get(name)}`, { method: 'DELETE', signal });
    if (answer.status !== 204) throw new Error(`DELETE of ${name} was answered ${answer.status}`);
    acknowledge();
  }

  async #list(): Promise<Summary[]> {
    const all: Summary[] = [];
    for (let before = ''; ; ) {
      const query = new URLSearchParams({ mailbox: MAILBOX, limit: String(PAGE), ...(before && { before }) });
      const answer = await fetch(`${this.#base}?${query}`);
      const { messages } = (await answer.json()) as { messages: Summary[] };
      all.push(...messages);
      if (messages.length < PAGE) return all;
      before = messages.at(-1)!.id;
    }
  }

  async #read(id: string): Promise<string> {
    const answer = await fetch(`${this.#base}/${id}/raw`);
    const stored = await answer.text();
    if (answer.status !== 200) return `unreadable: ${answer.status}`;
    // In front of what was sent stands what the server says about its receipt.
    const at = stored.indexOf('Subject: mail-');
    return stored.startsWith('Received: ') || at > 0 ? fingerprint(stored.slice(at)) : `without trace ${at}`;
  }
}

function open(url: string) {
  const { hostname, port } = new URL(url);
  return nodemailer.createTransport({
    host: hostname,
    port: Number(port),
    pool: true,
    maxConnections: CONNECTIONS,
    maxMessages: Number.POSITIVE_INFINITY,
    ignoreTLS: true,
  });
}

function compose(name: string, text: string): string {
  const lines = text.match(new RegExp(`.{1,${LINE_LENGTH}}`, 'g')) ?? [];
  // Lines that start with a dot are the ones a transport may spoil.
  const body = lines.map((line, index) => (index % 7 === 3 ? `.${line}` : line)).join('\r\n');
  return `Subject: ${name}\r\nFrom: load@crash.test\r\nTo: ${MAILBOX}\r\n\r\n${body}\r\n`;
}

function fingerprint(raw: string): string {
  return `${raw.length} characters ${digest(raw)}`;
}
