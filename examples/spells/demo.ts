/**
 * Sends one request through all of Octet with clients that know nothing of it, checks every result, and
 * prints each hop with its time. Fails loudly when a hop is missing.
 */
import { strict as assert } from 'node:assert';
import { randomUUID } from 'node:crypto';
import { Resolver } from 'node:dns/promises';
import { readFile, writeFile } from 'node:fs/promises';
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { connect } from 'amqplib';
import { Redis } from 'ioredis';
import pg from 'pg';
import { Agent, request } from 'undici';
import { startWorker } from './worker.ts';

export interface DemoOptions {
  /** What `octet env` prints. */
  readonly env: Readonly<Record<string, string>>;
  /** Admin addresses of all processes, for the services' own view of each hop. */
  readonly adminUrls: readonly string[];
  /** Remembers what earlier runs left behind, to find it again. */
  readonly stateFile?: string;
  readonly print: (line: string) => void;
}

interface Left {
  readonly spellIds: number[];
  readonly files: { readonly name: string; readonly text: string }[];
  readonly mailSubjects: string[];
  archived: number;
}

interface Hop {
  readonly name: string;
  readonly what: string;
  readonly startMs: number;
  readonly durationMs: number;
}

interface Span {
  readonly service: string;
  readonly operation: string;
  readonly outcome: string;
  readonly requestId?: string;
  readonly startMs: number;
  readonly durationMs: number;
}

const RECIPIENT = 'wizard@spells.test';

/** @throws AssertionError naming the hop that is missing or wrong */
export async function runDemo(options: DemoOptions): Promise<void> {
  const { env, print } = options;
  const left = await readLeft(options.stateFile);
  await using undo = new AsyncDisposableStack();
  const run = new Run(need(env, 'BALANCER_URL'));

  const sql = new pg.Client({ connectionString: need(env, 'DATABASE_URL') });
  await sql.connect();
  undo.defer(() => sql.end());
  const redis = new Redis(need(env, 'REDIS_URL'));
  undo.defer(() => void redis.disconnect());
  const s3 = new S3Client({
    endpoint: need(env, 'AWS_ENDPOINT_URL_S3'),
    region: need(env, 'AWS_REGION'),
    credentials: {
      accessKeyId: need(env, 'AWS_ACCESS_KEY_ID'),
      secretAccessKey: need(env, 'AWS_SECRET_ACCESS_KEY'),
    },
    forcePathStyle: true,
  });
  undo.defer(() => s3.destroy());

  await findEarlier(left, sql, s3, env, print);
  const worker = await startWorker({
    amqpUrl: need(env, 'AMQP_URL'),
    smtpUrl: need(env, 'SMTP_URL'),
    recipient: RECIPIENT,
  });
  undo.defer(() => worker.close());

  const requestId = `demo-${randomUUID()}`;
  const name = `Lumos ${requestId.slice(5, 13)}`;

  const address = await run.hop('dns', 'A spells.test, by c-ares', async () => {
    const resolver = new Resolver();
    resolver.setServers([need(env, 'DNS_SERVER')]);
    const addresses = await resolver.resolve4('spells.test');
    assert.deepEqual(addresses, ['127.0.0.1'], 'dns: spells.test is 127.0.0.1');
    return addresses[0] as string;
  });
  run.useAddress(address, undo);

  const created = await run.hop('balancer', 'POST /api/spells, by undici', () =>
    run.http('POST', '/api/spells', requestId, JSON.stringify({ name, power: 9 })),
  );
  assert.equal(created.status, 201, `api: insert answered ${created.status} ${created.text}`);
  const spell = JSON.parse(created.text) as { id: number; name: string };
  assert.equal(spell.name, name);

  const seen: { cache: string; servedBy: string }[] = [];
  for (let round = 0; round < 4; round++) {
    const read = await run.hop('balancer', `GET /api/spells/${spell.id}`, () =>
      run.http('GET', `/api/spells/${spell.id}`, requestId),
    );
    assert.equal(read.status, 200);
    assert.equal((JSON.parse(read.text) as { name: string }).name, name);
    seen.push({ cache: read.headers['x-cache'] ?? '', servedBy: read.headers['x-served-by'] ?? '' });
  }
  assert.deepEqual(
    seen.map((one) => one.cache),
    ['miss', 'hit', 'hit', 'hit'],
    'cache: read through, then hit',
  );
  assert.equal(new Set(seen.map((one) => one.servedBy)).size, 2, 'balancer: two instances take turns');

  await run.hop('cache', 'the row under its version, by ioredis', async () => {
    const version = await redis.get(`v:spells:${spell.id}`);
    const row = await redis.get(`r:spells:${spell.id}:${version}`);
    assert.equal((JSON.parse(row ?? '{}') as { name?: string }).name, name, 'cache: the row is there');
  });
  await run.hop('database', 'SELECT, by pg', async () => {
    const result = await sql.query('SELECT name, power FROM spells WHERE id = $1', [spell.id]);
    assert.deepEqual(result.rows, [{ name, power: 9 }], 'database: the row is there');
  });
  const mail = await run.hop('mail', 'queue → worker → mail, awaited', async () => {
    const query = new URLSearchParams({ to: RECIPIENT, subject: name, timeoutMs: '20000' });
    const response = await fetch(`${need(env, 'MAIL_URL')}/api/wait?${query}`);
    assert.equal(response.status, 200, 'mail: the worker told the wizard');
    return (await response.json()) as { id: string; subject: string; requestId?: string };
  });
  assert.equal(mail.requestId, requestId, 'mail: the request id came all the way');

  const file = { name: `${requestId}.txt`, text: `${name} was cast\n`.repeat(1_000) };
  await run.hop('objects', 'PutObject, by the AWS SDK', () =>
    s3.send(
      new PutObjectCommand({ Bucket: 'files', Key: file.name, Body: file.text, ContentType: 'text/plain' }),
    ),
  );
  const fetched = await run.hop('balancer', `GET /files/… (${file.text.length} bytes)`, () =>
    run.http('GET', `/files/${file.name}`, requestId),
  );
  assert.equal(
    fetched.status,
    200,
    `objects: the file answered ${fetched.status} ${fetched.text.slice(0, 200)}`,
  );
  assert.equal(fetched.text, file.text, 'objects: the file is whole');

  const archived = await countArchived(env);
  assert.ok(archived > left.archived, 'queue: the archive has one more');
  print(`\nrequest ${requestId}\n`);
  printWaterfall('as the clients saw it', run.hops, print);
  const spans = await collectSpans(options.adminUrls, requestId, run.hops[0] as Hop);
  printWaterfall('as the services saw it', spans.map(spanHop), print);
  requireHops(spans);

  left.spellIds.push(spell.id);
  left.files.push(file);
  left.mailSubjects.push(mail.subject);
  left.archived = archived;
  if (options.stateFile !== undefined) await writeFile(options.stateFile, JSON.stringify(left));
  print(`\ndemo: all hops answered, ${run.hops.length} checks passed`);
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** Keeps the time of each hop, and talks HTTP to the address that our DNS gave. */
class Run {
  readonly hops: Hop[] = [];
  readonly #port: string;
  #agent: Agent | undefined;

  constructor(balancerUrl: string) {
    this.#port = new URL(balancerUrl).port;
  }

  useAddress(address: string, undo: AsyncDisposableStack): void {
    const agent = new Agent({
      connect: { lookup: (_host, _options, done) => done(null, [{ address, family: 4 }]) },
    });
    this.#agent = agent;
    undo.defer(() => agent.destroy());
  }

  async hop<Result>(name: string, what: string, work: () => Promise<Result>): Promise<Result> {
    const startMs = performance.timeOrigin + performance.now();
    const result = await work();
    this.hops.push({ name, what, startMs, durationMs: performance.timeOrigin + performance.now() - startMs });
    return result;
  }

  async http(method: 'GET' | 'POST', path: string, requestId: string, body?: string): Promise<Answer> {
    assert.ok(this.#agent !== undefined, 'the address comes from our DNS first');
    const response = await request(`http://spells.test:${this.#port}${path}`, {
      method,
      dispatcher: this.#agent,
      headers: {
        'x-request-id': requestId,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body }),
    });
    return {
      status: response.statusCode,
      headers: response.headers as Record<string, string>,
      text: await response.body.text(),
    };
  }
}

function need(env: Readonly<Record<string, string>>, name: string): string {
  const value = env[name];
  assert.ok(value !== undefined, `${name} is not set: is every service running?`);
  return value;
}

async function readLeft(stateFile: string | undefined): Promise<Left> {
  const empty: Left = { spellIds: [], files: [], mailSubjects: [], archived: 0 };
  if (stateFile === undefined) return empty;
  try {
    return JSON.parse(await readFile(stateFile, 'utf8')) as Left;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return empty;
    throw error;
  }
}

/** What earlier runs were told is stored must still be there. */
async function findEarlier(
  left: Left,
  sql: pg.Client,
  s3: S3Client,
  env: Readonly<Record<string, string>>,
  print: (line: string) => void,
): Promise<void> {
  if (left.spellIds.length === 0) return;
  const { rows } = await sql.query<{ id: number }>('SELECT id FROM spells');
  const ids = new Set(rows.map((row) => row.id));
  for (const id of left.spellIds) assert.ok(ids.has(id), `database: row ${id} of an earlier run is gone`);
  for (const file of left.files) {
    await s3.send(new HeadObjectCommand({ Bucket: 'files', Key: file.name }));
    const object = await s3.send(new GetObjectCommand({ Bucket: 'files', Key: file.name }));
    assert.equal(
      await object.Body?.transformToString(),
      file.text,
      `objects: ${file.name} of an earlier run differs`,
    );
  }
  for (const subject of left.mailSubjects) {
    const query = new URLSearchParams({ subject, to: RECIPIENT, limit: '1' });
    const response = await fetch(`${need(env, 'MAIL_URL')}/api/messages?${query}`);
    const { messages } = (await response.json()) as { messages: unknown[] };
    assert.equal(messages.length, 1, `mail: "${subject}" of an earlier run is gone`);
  }
  const archived = await countArchived(env);
  assert.ok(
    archived >= left.archived,
    `queue: ${left.archived - archived} queued messages of earlier runs are gone`,
  );
  print(
    `earlier runs: ${left.spellIds.length} rows, ${left.files.length} objects, ${left.mailSubjects.length} mails and ${archived} queued messages are still there`,
  );
}

async function countArchived(env: Readonly<Record<string, string>>): Promise<number> {
  const connection = await connect(need(env, 'AMQP_URL'));
  try {
    const channel = await connection.createChannel();
    return (await channel.checkQueue('spell-archive')).messageCount;
  } finally {
    await connection.close();
  }
}

/** What the services themselves recorded of this request, and the question to the DNS, which carries no id. */
async function collectSpans(adminUrls: readonly string[], requestId: string, dnsHop: Hop): Promise<Span[]> {
  const spans: Span[] = [];
  for (const url of adminUrls) {
    const traced = await fetchSpans(`${url}/spans?limit=1000&requestId=${requestId}`);
    const recent = await fetchSpans(`${url}/spans?limit=1000`);
    spans.push(
      ...traced,
      ...recent.filter((span) => span.service === 'dns' && span.startMs >= Math.floor(dnsHop.startMs) - 1),
    );
  }
  return spans.sort((a, b) => a.startMs - b.startMs);
}

async function fetchSpans(url: string): Promise<Span[]> {
  const response = await fetch(url);
  return ((await response.json()) as { spans: Span[] }).spans;
}

function spanHop(span: Span): Hop {
  return {
    name: span.service,
    what: `${span.operation} ${span.outcome}`,
    startMs: span.startMs,
    durationMs: span.durationMs,
  };
}

/** The cache's protocol has no place for a request's id: that it took part was seen in X-Cache and by ioredis. */
function requireHops(spans: readonly Span[]): void {
  const names = new Set(spans.map((span) => span.service.replace(/-\d+$/, '')));
  for (const hop of ['dns', 'balancer', 'api', 'database', 'queue', 'mail', 'objects']) {
    assert.ok(names.has(hop), `${hop}: recorded nothing of this request`);
  }
}

const BAR_WIDTH = 32;

function printWaterfall(title: string, hops: readonly Hop[], print: (line: string) => void): void {
  const first = Math.min(...hops.map((hop) => hop.startMs));
  const last = Math.max(...hops.map((hop) => hop.startMs + hop.durationMs));
  const scale = BAR_WIDTH / Math.max(1, last - first);
  print(`${title}, ${(last - first).toFixed(0)} ms in all`);
  for (const hop of hops) {
    const from = Math.min(BAR_WIDTH - 1, Math.floor((hop.startMs - first) * scale));
    const width = Math.max(1, Math.min(BAR_WIDTH - from, Math.round(hop.durationMs * scale)));
    const bar = `${' '.repeat(from)}${'━'.repeat(width)}`.padEnd(BAR_WIDTH);
    print(`  ${hop.name.padEnd(9)} ${bar} ${hop.durationMs.toFixed(2).padStart(9)} ms  ${hop.what}`);
  }
}
