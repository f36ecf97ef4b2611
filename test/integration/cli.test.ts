/**
 * The command as a person meets it: every command in a process of its own, in a folder of its own, and what
 * it prints and ends with. The blocks of README.md are run as they stand there.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { OctetInput } from '../../src/octet/config.ts';
import { EPHEMERAL_PORTS } from '../octet-process.ts';

const CHECKOUT = path.resolve(import.meta.dirname, '../..');
const COMMAND = path.join(CHECKOUT, 'bin/octet.mjs');

/** Generous, for a machine that does other things as well. */
const COMMAND_TIMEOUT_MS = 60_000;

/** All ports of an Octet moved by this much lie below those that systems give out by themselves. */
const PORT_OFFSET = 15_100;

const SCREEN_END = 'Ctrl-C stops.';

const VARIABLES = [
  'DATABASE_URL',
  'REDIS_URL',
  'AMQP_URL',
  'AWS_ENDPOINT_URL_S3',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_REGION',
  'SMTP_URL',
  'DNS_SERVER',
  'BALANCER_URL',
  'API_URL',
  'CONSOLE_URL',
];

/** The same as EPHEMERAL_PORTS, for a configuration file that is not to be changed. */
const EPHEMERAL_VARIABLES: Readonly<Record<string, string>> = {
  OCTET_ADMIN_PORT: '0',
  OCTET_DNS__PORT: '0',
  OCTET_DATABASE__PORT: '0',
  OCTET_CACHE__PORT: '0',
  OCTET_QUEUE__PORT: '0',
  OCTET_QUEUE__MANAGEMENT_PORT: '0',
  OCTET_OBJECTS__PORT: '0',
  OCTET_MAIL__PORT: '0',
  OCTET_MAIL__HTTP_PORT: '0',
  OCTET_API__PORT: '0',
  OCTET_BALANCER__PORT: '0',
  OCTET_BALANCER__MANAGEMENT_PORT: '0',
  OCTET_CONSOLE__PORT: '0',
};

interface Where {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Settings and addresses of whoever runs the tests are not meant for what is tested. */
function environment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('OCTET_') && !VARIABLES.includes(name) && !name.startsWith('NODE_TEST'),
  );
  return { ...Object.fromEntries(own), ...more };
}

/** A process whose output is kept, and which is not left behind. */
class Started {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';
  readonly ended: Promise<Ended>;

  constructor(file: string, words: readonly string[], { cwd, env, input }: Where) {
    this.child = spawn(file, words, { cwd, env: environment(env), stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stdin?.on('error', () => undefined).end(input ?? '');
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString();
    });
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    const timer = setTimeout(() => this.child.kill('SIGKILL'), COMMAND_TIMEOUT_MS);
    this.ended = once(this.child, 'close').then(([code, signal]) => {
      clearTimeout(timer);
      return {
        code: code as number | null,
        signal: signal as NodeJS.Signals | null,
        stdout: this.stdout,
        stderr: this.stderr,
      };
    });
  }

  /** Resolves once `text` has been written. @throws when the process ends before */
  async says(text: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      if (this.stdout.includes(text)) resolve();
    };
    this.child.stdout?.on('data', look);
    look();
    void this.ended.then(({ code, stderr }) => reject(new Error(`ended with ${code}: ${stderr}`)));
    await promise;
    this.child.stdout?.off('data', look);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    return this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function octet(words: readonly string[], where: Where): Promise<Ended> {
  return new Started(process.execPath, [COMMAND, ...words], where).ended;
}

/** Runs `octet up` or a service alone until the block ends. */
async function running(words: readonly string[], where: Where): Promise<Started> {
  const started = new Started(process.execPath, [COMMAND, ...words], where);
  await started.says(SCREEN_END).catch(async (error: unknown) => {
    await started.stop('SIGKILL');
    throw error;
  });
  return started;
}

/** A folder with a configuration that disturbs nobody. */
class Home implements AsyncDisposable {
  readonly path: string;

  private constructor(folder: string) {
    this.path = folder;
  }

  static async create(config: OctetInput = {}): Promise<Home> {
    const home = new Home(await mkdtemp(path.join(tmpdir(), 'octet-cli-')));
    await home.configure(config);
    return home;
  }

  async configure(config: OctetInput): Promise<void> {
    const whole = { ...EPHEMERAL_PORTS, ...config };
    await writeFile(path.join(this.path, 'octet.config.json'), JSON.stringify(whole));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

const SMALL = { services: ['dns', 'cache'] } as const satisfies OctetInput;

async function envOf(where: Where, words: readonly string[] = []): Promise<Record<string, string>> {
  const { code, stdout, stderr } = await octet(['env', '--json', ...words], where);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as Record<string, string>;
}

async function hasIpv6(): Promise<boolean> {
  const probe = createServer();
  const listening = await new Promise<boolean>((resolve) => {
    probe.once('error', () => resolve(false)).listen(0, '::1', () => resolve(true));
  });
  if (listening) await new Promise((resolve) => probe.close(resolve));
  return listening;
}

describe('octet up', () => {
  test('tells everything on one screen, stops by Ctrl-C with 0, and leaves nothing locked', async () => {
    await using home = await Home.create();
    const where = { cwd: home.path };
    await using up = await running(['up'], where);
    const lines = up.stdout.trimEnd().split('\n');
    assert.ok(lines.length <= 20, `${lines.length} lines`);
    assert.match(lines[0] ?? '', /^octet \d+\.\d+\.\d+ {2}ready in \d+ ms$/);
    const labels = lines.flatMap((line) => /^ {2}(\w+) +\S/.exec(line)?.[1] ?? []);
    assert.deepEqual(labels, [
      'dns',
      'api',
      'balancer',
      'database',
      'cache',
      'queue',
      'objects',
      'mail',
      'console',
      'admin',
      'data',
      'config',
    ]);
    const env = await envOf(where);
    for (const name of VARIABLES.filter((variable) => variable !== 'AWS_REGION'))
      assert.ok(up.stdout.includes(env[name] ?? '?'), `${name} is not on the screen`);
    assert.ok(up.stdout.includes(path.join(home.path, '.octet')));
    const { code, stdout, stderr } = await up.stop('SIGINT');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /SIGINT: finishing what is in flight \(again to stop at once\) …\nstopped\n$/);
    assert.equal(stderr, '');
    assert.deepEqual(await readdir(path.join(home.path, '.octet/run')), []);
    await using again = await running(['up'], where);
    assert.equal((await again.stop('SIGTERM')).code, 0);
  });

  for (const [signal, other, code] of [
    ['SIGINT', 'SIGINT', 130],
    ['SIGTERM', 'SIGTERM', 143],
    ['SIGTERM', 'SIGINT', 130],
  ] as const) {
    test(`${other} while ${signal} is being obeyed ends at once with ${code}`, async () => {
      await using home = await Home.create({ services: ['mail'] });
      await using up = await running(['up'], { cwd: home.path });
      const { MAIL_URL } = await envOf({ cwd: home.path });
      // A request that waits for mail is in flight for as long as the drain lasts.
      const waiting = fetch(`${MAIL_URL}/api/wait?to=nobody@octet.test&timeoutMs=60000`).catch(
        () => undefined,
      );
      assert.equal((await fetch(`${MAIL_URL}/api/messages`)).status, 200);
      up.child.kill(signal);
      await up.says('finishing what is in flight');
      up.child.kill(other);
      const ended = await up.ended;
      assert.equal(ended.code, code);
      assert.doesNotMatch(ended.stdout, /stopped/);
      await waiting;
    });
  }

  test('a second start on the same folder says who holds it and ends with 6', async () => {
    await using home = await Home.create(SMALL);
    await using up = await running(['up'], { cwd: home.path });
    const second = await octet(['up'], { cwd: home.path });
    assert.equal(second.code, 6);
    assert.equal(
      second.stderr,
      `octet: ${path.join(home.path, '.octet')} is in use by another process (pid ${up.child.pid})\n` +
        '       use another --data-dir, or stop that process\n',
    );
    assert.equal((await octet(['status'], { cwd: home.path })).code, 0, 'the first one goes on');
  });

  test('a taken port is told with its holder, ends with 5 and leaves nothing behind; --port-offset moves all', async () => {
    await using home = await Home.create(SMALL);
    const where = { cwd: home.path };
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    await home.configure({ ...SMALL, cache: { port } });
    const refused = await octet(['up'], where);
    assert.equal(refused.code, 5, refused.stderr);
    assert.match(
      refused.stderr,
      new RegExp(`^octet: port ${port} on 127\\.0\\.0\\.1 is taken by .*${process.pid}`),
    );
    assert.match(refused.stderr, /--port-offset 1000/);
    assert.equal((await octet(['status'], where)).code, 3);
    await new Promise((resolve) => taken.close(resolve));
    await using again = await running(['up'], where);
    assert.equal((await again.stop()).code, 0);
  });

  test('any port that is taken ends the start, whatever has been started by then', async () => {
    await using home = await Home.create();
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    try {
      for (const variable of Object.keys(EPHEMERAL_VARIABLES)) {
        const refused = await octet(['up'], { cwd: home.path, env: { [variable]: String(port) } });
        assert.equal(refused.code, 5, `${variable}: ${refused.stderr}`);
        assert.match(refused.stderr, /^octet: port \d+ on 127\.0\.0\.1 is taken by /);
      }
    } finally {
      taken.close();
    }
  });

  test('--port-offset moves every port, and its Octet is found by the same offset only', async () => {
    await using home = await Home.create();
    await rm(path.join(home.path, 'octet.config.json'));
    const where = { cwd: home.path };
    const offset = ['--port-offset', String(PORT_OFFSET)];
    await using up = await running(['up', ...offset], where);
    const standard = [5300, 8081, 8080, 5432, 6379, 5672, 9000, 2525, 8025, 8900, 8901];
    const ports = [...up.stdout.matchAll(/:(\d{4,5})(?![\d.])/g)].map(([, port]) => Number(port));
    assert.deepEqual(
      ports,
      standard.map((port) => port + PORT_OFFSET),
    );
    const env = await envOf(where, offset);
    assert.equal(env['DNS_SERVER'], `127.0.0.1:${5300 + PORT_OFFSET}`);
    assert.equal((await octet(['env'], where)).code, 3);
    assert.equal((await octet(['env', ...offset, '--data-dir', 'elsewhere'], where)).code, 3);
    const byVariable = { ...where, env: { OCTET_PORT_OFFSET: String(PORT_OFFSET) } };
    assert.deepEqual(await envOf(byVariable), env);
    const status = await octet(['status', ...offset], where);
    assert.equal(status.code, 0, status.stdout);
    assert.match(status.stdout, new RegExp(`^process ${up.child.pid}, up \\d+ s, \\d+ MiB\n  dns       ok `));
  });

  test('starts again after kill -9, and what the dead process left is passed over', async () => {
    await using home = await Home.create({ services: ['dns', 'cache', 'queue', 'mail', 'objects'] });
    const where = { cwd: home.path };
    await using killed = await running(['up'], where);
    await killed.stop('SIGKILL');
    const gone = await octet(['status'], where);
    assert.equal(gone.code, 3);
    assert.equal((await readdir(path.join(home.path, '.octet/run'))).length, 1, 'the dead record is there');
    await using up = await running(['up'], where);
    assert.deepEqual(await readdir(path.join(home.path, '.octet/run')), [`octet-${up.child.pid}.json`]);
    assert.equal((await octet(['status'], where)).code, 0);
  });

  test('a spoiled run record, and one whose address is by now that of another Octet, are passed over', async () => {
    await using first = await Home.create(SMALL);
    await using second = await Home.create(SMALL);
    await using up = await running(['up'], { cwd: first.path });
    const run = path.join(second.path, '.octet/run');
    await mkdir(run, { recursive: true });
    const record = JSON.parse(
      await readFile(path.join(first.path, `.octet/run/octet-${up.child.pid}.json`), 'utf8'),
    ) as Record<string, unknown>;
    await writeFile(path.join(run, 'octet-1.json'), JSON.stringify({ ...record, startedAtMs: 1 }));
    for (const [index, text] of ['', '{"pid":', 'null', '7'].entries())
      await writeFile(path.join(run, `cache-${index}.json`), text);
    assert.equal((await octet(['env'], { cwd: second.path })).code, 3);
  });

  test('what lies in the data folder is for its owner only', async () => {
    await using home = await Home.create(SMALL);
    await using up = await running(['up'], { cwd: home.path });
    const folder = path.join(home.path, '.octet');
    assert.equal((await stat(folder)).mode & 0o077, 0);
    assert.equal((await stat(path.join(folder, `run/octet-${up.child.pid}.json`))).mode & 0o077, 0);
    assert.equal(await readFile(path.join(folder, '.gitignore'), 'utf8'), '*\n');
  });

  test('a folder that was there before gets no .gitignore, and the empty name is none', async () => {
    await using home = await Home.create(SMALL);
    const where = { cwd: home.path };
    await using up = await running(['up', '--data-dir', '.'], where);
    await up.stop();
    assert.equal((await readdir(home.path)).includes('.gitignore'), false);
    for (const [words, env] of [
      [['up', '--data-dir', ''], {}],
      [['up'], { OCTET_DATA_DIR: '' }],
    ] as const) {
      const refused = await octet(words, { ...where, env });
      assert.equal(refused.code, 78);
      assert.match(
        refused.stderr,
        /^octet: dataDir in the (command line|environment): must name a folder\n$/,
      );
    }
  });

  test('damaged data end the start with 65 and name the file; the other services are stopped again', async () => {
    await using home = await Home.create({ services: ['dns', 'cache', 'database'] });
    const where = { cwd: home.path };
    await using up = await running(['up'], where);
    for (let row = 0; row < 3; row++) {
      const sql = row === 0 ? 'create table t (a text)' : `insert into t values (repeat('${row}', 5000))`;
      assert.equal((await octet(['sql', sql], where)).code, 0);
    }
    await up.stop('SIGKILL');
    const journal = path.join(home.path, '.octet/database/store/journal');
    const [segment = ''] = (await readdir(journal)).filter((name) => name.endsWith('.segment'));
    const file = path.join(journal, segment);
    const bytes = await readFile(file);
    // In the middle of what has been acknowledged, so that it is no torn end.
    const at = bytes.indexOf('1'.repeat(100));
    assert.ok(at > 0);
    bytes.fill('!', at, at + 10);
    await writeFile(file, bytes);
    const refused = await octet(['up'], where);
    assert.equal(refused.code, 65, refused.stdout + refused.stderr);
    assert.ok(refused.stderr.includes(segment), refused.stderr);
    assert.match(refused.stderr, /octet inspect/);
    assert.doesNotMatch(refused.stderr, /\n +at /);
  });

  test('goes on when nobody reads its output', async () => {
    await using home = await Home.create(SMALL);
    const where = { cwd: home.path };
    await using up = await running(['up'], where);
    up.child.stdout?.destroy();
    up.child.stderr?.destroy();
    assert.equal((await octet(['redis', 'ping'], where)).stdout, '"PONG"\n');
    assert.equal((await up.stop('SIGINT')).code, 0);
  });

  test('a data folder that is a file, or cannot be written to, is refused by name', async () => {
    await using home = await Home.create(SMALL);
    const file = path.join(home.path, 'file');
    await writeFile(file, '');
    for (const dataDir of [file, path.join(file, 'below')]) {
      const refused = await octet(['up', '--data-dir', dataDir], { cwd: home.path });
      assert.equal(refused.code, 1);
      assert.equal(
        refused.stderr,
        `octet: the data folder ${dataDir} cannot be used: a file is in its place or above it\n` +
          '       name another with --data-dir\n',
      );
    }
    const sealed = path.join(home.path, 'sealed');
    await mkdir(sealed);
    await chmod(sealed, 0o500);
    // Permissions do not bind root; /sys lets nobody make folders.
    const closed = process.getuid?.() === 0 ? '/sys/octet' : sealed;
    const refused = await octet(['up', '--data-dir', closed], { cwd: home.path });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /^octet: the data folder \S+ cannot be used: /);
    assert.doesNotMatch(refused.stderr, /\n +at /);
  });

  test('listening beyond loopback without secrets of one’s own is refused, naming each', async () => {
    await using home = await Home.create();
    const refused = await octet(['up', '--host', '0.0.0.0', '--services', 'cache,queue,dns'], {
      cwd: home.path,
    });
    assert.equal(refused.code, 78);
    assert.equal(
      refused.stderr,
      'octet: listening on 0.0.0.0 needs secrets of your own: set cache.password, queue.password, adminToken, or listen on 127.0.0.1\n',
    );
    assert.equal(refused.stdout, '');
  });

  for (const host of ['0.0.0.0', '::1', 'localhost']) {
    test(`--host ${host}: every address that is told can be connected to`, async (context) => {
      await using home = await Home.create({
        adminToken: 'a',
        database: { port: 0, password: 'd@ta base' },
        cache: { port: 0, password: 'c#che' },
        queue: { port: 0, managementPort: 0, password: 'q/ueue' },
        objects: { port: 0, secretAccessKey: 'o?bjects' },
        mail: { port: 0, httpPort: 0, password: 'm:ail' },
      });
      if (host === '::1' && !(await hasIpv6())) return context.skip('no IPv6 here');
      const where = { cwd: home.path };
      await using up = await running(['up', '--host', host], where);
      assert.equal(up.stdout.includes('listens   on 0.0.0.0'), host === '0.0.0.0');
      const { stdout } = await octet(['env'], where);
      assert.equal(stdout.includes('0.0.0.0'), false);
      const commands = [
        ['status'],
        ['sql', 'select 1'],
        ['redis', 'ping'],
        ['mq', 'declare', 'q'],
        ['s3', 'ls'],
        ['mail', 'send', '--to', 'ann@octet.test'],
        ['mail', 'wait', '--to', 'ann@octet.test'],
        ['dig', 'octet.test', '+short'],
        ['curl', '/healthz'],
      ];
      for (const words of commands) {
        const { code, stderr } = await octet(words, where);
        assert.deepEqual([words, code, stderr], [words, 0, '']);
      }
    });
  }

  test('an admin token is asked for, and our own commands know it', async () => {
    await using home = await Home.create({ ...SMALL, adminToken: "it's a secret" });
    const where = { cwd: home.path };
    await using _up = await running(['up'], where);
    const env = await envOf(where);
    assert.equal((await fetch(`${env['OCTET_ADMIN_URL']}/status`)).status, 401);
    assert.equal((await octet(['status'], where)).code, 0);
  });
});

describe('octet <service>', () => {
  test('several share a machine and a data folder, and octet env tells of all of them', async () => {
    await using home = await Home.create();
    const { adminPort: _, ...ports } = EPHEMERAL_PORTS;
    await writeFile(path.join(home.path, 'octet.config.json'), JSON.stringify(ports));
    const where = { cwd: home.path };
    await using dns = await running(['dns'], where);
    await using cache = await running(['cache'], where);
    await using second = await running(['cache', '--port-offset', '1'], where);
    const env = await envOf(where);
    const screens = dns.stdout + cache.stdout;
    for (const name of ['DNS_SERVER', 'REDIS_URL']) assert.ok(screens.includes(env[name] ?? '?'), name);
    const other = await envOf(where, ['--port-offset', '1']);
    assert.ok(second.stdout.includes(other['REDIS_URL'] ?? '?'));
    assert.equal(other['DNS_SERVER'], undefined);
    await cache.stop();
    assert.deepEqual(Object.keys(await envOf(where)), ['DNS_SERVER', 'OCTET_ADMIN_URL']);
    const status = JSON.parse((await octet(['status', '--json'], where)).stdout) as {
      schemaVersion: number;
      processes: { pid: number; services: { name: string; health: { state: string } }[] }[];
    };
    assert.equal(status.schemaVersion, 1);
    assert.deepEqual(
      status.processes.map(({ pid, services }) => [
        pid,
        services.map(({ name, health }) => [name, health.state]),
      ]),
      [[dns.child.pid, [['dns', 'ok']]]],
    );
  });

  test('one that is not sound is told with its reason, and status ends with 1', async () => {
    await using home = await Home.create({
      services: ['balancer'],
      balancer: {
        port: 0,
        managementPort: 0,
        pools: { far: { servers: ['127.0.0.1:1'] } },
        routes: [{ pathPrefix: '/', pool: 'far' }],
      },
    });
    const where = { cwd: home.path };
    await using _up = await running(['up'], where);
    const { BALANCER_URL } = await envOf(where);
    assert.equal((await fetch(BALANCER_URL ?? '')).status, 502);
    // It takes several failed checks until a server counts as down.
    let status = await octet(['status'], where);
    while (status.code === 0) status = await octet(['status'], where);
    assert.match(status.stdout, /^ {2}balancer {2}degraded \S+ {2}no server is ready in far$/m);
    assert.equal(status.code, 1);
    const whole = await octet(['status', '--json'], where);
    assert.match(whole.stdout, /"state": "degraded",\n +"reason": "no server is ready in far"/);
    assert.equal(whole.code, 1);
  });

  test('one that needs another says which setting tells where it is', async () => {
    await using home = await Home.create();
    const refused = await octet(['api'], { cwd: home.path });
    assert.equal(refused.code, 78);
    assert.equal(refused.stderr, 'octet: api.databaseUrl is not set, and no database runs in this process\n');
  });
});

describe('octet env', () => {
  test('prints lines that bash and sh read back exactly, whatever the password', async () => {
    const password = `it's "$HOME" \`id\` \\ ; & # ü`;
    await using home = await Home.create({
      services: ['objects'],
      objects: { port: 0, secretAccessKey: password },
    });
    const where = { cwd: home.path };
    await using _up = await running(['up'], where);
    const { stdout } = await octet(['env'], where);
    for (const shell of ['bash', 'sh']) {
      const script = `${stdout}\nprintf %s "$AWS_SECRET_ACCESS_KEY"`;
      const said = await new Started(shell, ['-c', script], where).ended;
      assert.equal(said.stdout, password, shell);
      assert.equal(said.stderr, '', shell);
      const again = `${stdout}\nexec "${process.execPath}" "${COMMAND}" env`;
      const { stdout: same, stderr } = await new Started(shell, ['-c', again], where).ended;
      assert.equal(same, stdout, `our own commands in a shell that took them in: ${stderr}`);
    }
    assert.equal((await envOf(where))['AWS_SECRET_ACCESS_KEY'], password);
  });

  test('a variable in the environment wins: the small clients work against any server', async () => {
    await using home = await Home.create({ services: ['database'] });
    await using _up = await running(['up'], { cwd: home.path });
    const { DATABASE_URL } = await envOf({ cwd: home.path });
    // Another folder, nothing running there: the variable alone is what counts.
    await using elsewhere = await Home.create();
    const where = { cwd: elsewhere.path, env: { DATABASE_URL: DATABASE_URL ?? '' } };
    assert.equal((await octet(['sql', 'select 1 as one'], where)).stdout, ' one\n-----\n 1\n(1 row)\n');
  });

  test('ends quietly when its reader has gone', async () => {
    await using home = await Home.create(SMALL);
    await using _up = await running(['up'], { cwd: home.path });
    const script = `"${process.execPath}" "${COMMAND}" env | head -c 1; echo " \${PIPESTATUS[0]}"`;
    const { stdout, stderr } = await new Started('bash', ['-c', script], { cwd: home.path }).ended;
    assert.equal(stderr, '');
    assert.equal(stdout, 'e 0\n');
  });
});

describe('settings', () => {
  test('defaults < file < environment < flags, and the file is found from a folder below', async () => {
    await using home = await Home.create({
      ...SMALL,
      cache: { port: 0, password: 'from-file' },
      portOffset: 1,
    });
    const below = path.join(home.path, 'src/deep');
    await mkdir(below, { recursive: true });
    const password = async (env: Record<string, string>, words: string[]): Promise<string> => {
      const where = { cwd: below, env };
      await using up = await running(['up', ...words], where);
      assert.ok(up.stdout.includes(path.join(home.path, 'octet.config.json')), 'names the file');
      assert.ok(up.stdout.includes(`${path.join(home.path, '.octet')}\n`), 'keeps data beside the file');
      return decodeURIComponent(new URL((await envOf(where, words))['REDIS_URL'] ?? '').password);
    };
    assert.equal(await password({}, []), 'from-file');
    assert.equal(await password({ OCTET_CACHE__PASSWORD: 'from-env' }, []), 'from-env');
    assert.equal(await password({ OCTET_PORT_OFFSET: '2' }, ['--port-offset', '3']), 'from-file');
    const found = await octet(['status'], { cwd: below, env: { OCTET_PORT_OFFSET: '2' } });
    assert.match(found.stderr, /with port offset 2\n/, 'the environment wins over the file');
    const flagged = await octet(['status', '--port-offset', '3'], {
      cwd: below,
      env: { OCTET_PORT_OFFSET: '2' },
    });
    assert.match(flagged.stderr, /with port offset 3\n/, 'the flag wins over the environment');
  });

  const files: readonly (readonly [name: string, file: string, text: string, says: RegExp])[] = [
    [
      'an unknown key',
      'octet.config.json',
      '{"cach":{}}',
      /^octet: cach in octet\.config\.json: there is no such setting; did you mean cache\?\n$/,
    ],
    [
      'an unknown key below',
      'octet.config.json',
      '{"cache":{"prot":1}}',
      /^octet: cache\.prot in octet\.config\.json: .* did you mean port\?\n$/,
    ],
    [
      'a wrong type',
      'octet.config.json',
      '{"cache":{"port":"6379"}}',
      /^octet: cache\.port in octet\.config\.json: Invalid type: Expected number but received "6379"\n$/,
    ],
    [
      'a port that is none',
      'octet.config.json',
      '{"cache":{"port":65536}}',
      /^octet: cache\.port in octet\.config\.json: must be 0 to 65535\n$/,
    ],
    ['broken JSON', 'octet.config.json', '{"cache":', /^octet: .*octet\.config\.json: /],
    ['broken TypeScript', 'octet.config.ts', 'export default {', /^octet: .*octet\.config\.ts: /],
    [
      'no export',
      'octet.config.ts',
      'const a = 1;',
      /^octet: .*octet\.config\.ts: must export an object by default\n$/,
    ],
    [
      'an exception',
      'octet.config.ts',
      'throw new Error("not today")',
      /^octet: .*octet\.config\.ts: not today\n$/,
    ],
    [
      'a prototype',
      'octet.config.json',
      '{"__proto__":{"host":"0.0.0.0"}}',
      /^octet: __proto__ in octet\.config\.json: there is no such setting/,
    ],
  ];
  for (const [name, file, text, says] of files) {
    test(`a configuration file with ${name} is refused, naming key and file`, async () => {
      await using home = await Home.create();
      await rm(path.join(home.path, 'octet.config.json'));
      await writeFile(path.join(home.path, file), text);
      for (const command of ['up', 'status']) {
        const refused = await octet([command], { cwd: home.path });
        assert.equal(refused.code, 78, refused.stderr);
        assert.match(refused.stderr, says);
        assert.doesNotMatch(refused.stderr, /\n +at /);
      }
    });
  }

  const wrong: readonly (readonly [
    words: string[],
    env: Record<string, string>,
    code: number,
    says: string,
  ])[] = [
    [['--config', 'nowhere.ts', 'up'], {}, 78, 'octet: nowhere.ts: there is no such configuration file\n'],
    [['up', '--port-offset', 'many'], {}, 78, 'octet: --port-offset: "many" is not a whole number\n'],
    [['up', '--port-offset', ''], {}, 78, 'octet: --port-offset: "" is not a whole number\n'],
    [
      ['up', '--port-offset', '60000'],
      { OCTET_ADMIN_PORT: '8901' },
      78,
      'octet: portOffset: 60000 moves port 8901 to 68901; there are 1 to 65535\n',
    ],
    [
      ['up', '--services', 'dns,cahce'],
      {},
      78,
      'octet: --services: there is no service "cahce"; did you mean cache?\n',
    ],
    [
      ['up', '--log-level', 'loud'],
      {},
      2,
      "error: option '--log-level <level>' argument 'loud' is invalid. Allowed choices are debug, info, warn, error, silent.\n(octet --help shows what there is)\n",
    ],
    [['up'], { OCTET_CACHE__PORT: 'many' }, 78, 'octet: OCTET_CACHE__PORT: "many" is not a number\n'],
    [
      ['up'],
      { OCTET_CACHE__PROT: '1' },
      78,
      'octet: OCTET_CACHE__PROT: there is no such setting; did you mean port?\n',
    ],
    [
      ['up'],
      { OCTET_CAHCE__PORT: '1' },
      78,
      'octet: OCTET_CAHCE__PORT: there is no such setting; did you mean cache?\n',
    ],
    [
      ['up'],
      { OCTET_DNS__RECURSION: 'maybe' },
      78,
      'octet: OCTET_DNS__RECURSION: "maybe" is neither true nor false\n',
    ],
    [['up'], { OCTET_SERVICES: 'dns' }, 78, 'octet: OCTET_SERVICES: the value must be JSON\n'],
    [
      ['statsu'],
      {},
      2,
      "error: unknown command 'statsu'\n(Did you mean status?)\n(octet --help shows what there is)\n",
    ],
    [
      ['up', '--prot-offset', '1'],
      {},
      2,
      "error: unknown option '--prot-offset'\n(Did you mean --port-offset?)\n(octet --help shows what there is)\n",
    ],
    [
      ['up', 'extra'],
      {},
      2,
      "error: too many arguments for 'up'. Expected 0 arguments but got 1: extra.\n(octet --help shows what there is)\n",
    ],
    [['inspect', 'tea', '.'], {}, 2, 'octet: inspect: tea is not known; there are journal and store\n'],
    [['inspect', 'journal', 'nowhere'], {}, 1, 'octet: inspect: there is no folder nowhere\n'],
  ];
  for (const [words, env, code, says] of wrong) {
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value} `);
    test(`${variables.join('')}octet ${words.join(' ')}: ${code}`, async () => {
      await using home = await Home.create();
      const refused = await octet(words, { cwd: home.path, env });
      assert.equal(refused.stderr, says);
      assert.equal(refused.code, code);
      assert.equal(refused.stdout, '');
    });
  }
});

describe('help', () => {
  test('--version is the package’s; every command has a --help that tells the settings too', async () => {
    await using home = await Home.create();
    const where = { cwd: home.path };
    const { version } = JSON.parse(await readFile(path.join(CHECKOUT, 'package.json'), 'utf8')) as {
      version: string;
    };
    assert.equal((await octet(['--version'], where)).stdout, `${version}\n`);
    const whole = await octet(['--help'], where);
    assert.equal(whole.code, 0);
    const listed = whole.stdout.slice(whole.stdout.indexOf('Commands:'));
    const commands = [...listed.matchAll(/^ {2}([a-z0-9]+) /gm)].map(([, name]) => name as string);
    assert.ok(commands.length >= 20, commands.join(' '));
    await Promise.all(
      commands.map(async (command) => {
        const help = await octet(command === 'help' ? ['help', 'up'] : [command, '--help'], where);
        assert.equal(help.code, 0, command);
        assert.match(help.stdout, /^Usage: octet /, command);
        assert.match(help.stdout, /--data-dir/, command);
      }),
    );
    const none = await octet([], where);
    assert.deepEqual([none.code, none.stdout, none.stderr], [2, '', whole.stdout]);
  });
});

describe('small clients', () => {
  const clients: readonly (readonly [words: string[], service: string, variable: string])[] = [
    [['sql', 'select 1'], 'database', 'DATABASE_URL'],
    [['redis', 'ping'], 'cache', 'REDIS_URL'],
    [['curl', '/'], 'balancer', 'BALANCER_URL'],
    [['mail', 'list'], 'mail', 'MAIL_URL'],
    [['mail', 'send', '--to', 'a@octet.test'], 'mail', 'SMTP_URL'],
    [['s3', 'ls'], 'objects', 'AWS_ENDPOINT_URL_S3'],
    [['mq', 'get', 'q'], 'queue', 'AMQP_URL'],
    [['dig', 'octet.test'], 'dns', 'DNS_SERVER'],
    [['status'], '', ''],
    [['env'], '', ''],
    [['demo', '--attach'], '', ''],
  ];
  for (const [words] of clients) {
    test(`octet ${words.join(' ')} with nothing running: 3, and what to do`, async () => {
      await using home = await Home.create();
      const { code, stdout, stderr } = await octet(words, { cwd: home.path });
      assert.equal(
        stderr,
        `octet: no Octet runs on ${home.path}/.octet\n       start one with \`octet up\`\n`,
      );
      assert.deepEqual([code, stdout], [3, '']);
    });
  }

  test('without their service in the running Octet: 3, and what to do', async () => {
    await using home = await Home.create({ services: ['console'] });
    await using _up = await running(['up'], { cwd: home.path });
    for (const [words, service, variable] of clients.filter(([, service]) => service !== '')) {
      const { code, stderr } = await octet(words, { cwd: home.path });
      assert.equal(
        stderr,
        `octet: no ${service} runs here\n       start one with \`octet ${service}\`, or set ${variable}\n`,
      );
      assert.equal(code, 3);
    }
  });

  describe('against a running Octet', () => {
    let home: Home;
    let up: Started;

    before(async () => {
      home = await Home.create({
        dns: {
          port: 0,
          zones: {
            'cli.test': '@ SOA ns hostmaster 1 60 60 60 60\n@ NS ns\nns A 127.0.0.1\nwww A 127.0.0.1\n',
          },
        },
        mail: { port: 0, httpPort: 0, domains: ['cli.test'] },
        objects: { port: 0, buckets: ['files'], publicRead: ['files'] },
        balancer: {
          port: 0,
          managementPort: 0,
          pools: { objects: { healthPath: '' } },
          routes: [{ pathPrefix: '/files', pool: 'objects' }],
        },
      });
      await writeFile(path.join(home.path, 'hello.txt'), 'hello\n');
      up = await running(['up'], { cwd: home.path });
    });

    after(async () => {
      const ended = await up?.stop();
      await home?.[Symbol.asyncDispose]();
      assert.deepEqual([ended?.code, ended?.stderr], [0, '']);
    });

    /** In order: later ones see what earlier ones left. */
    const spoken: readonly (readonly [
      words: string[],
      code: number,
      stdout: string | RegExp,
      stderr?: string | RegExp,
      input?: string,
    ])[] = [
      [['sql', 'create table t (a int primary key, b text)'], 0, 'CREATE TABLE\n'],
      [
        ['sql', "insert into t values (1, 'x'), (20, null); select * from t order by a"],
        0,
        'INSERT 0 2\n a  | b\n----+---\n 1  | x\n 20 |\n(2 rows)\n',
      ],
      [['sql'], 0, ' n\n---\n 2\n(1 row)\n', '', 'select count(*) as n from t;\n'],
      [['sql', 'select * from nothing'], 1, '', 'octet: 42P01: relation "nothing" does not exist\n'],
      [['sql', 'selec 1'], 1, '', 'octet: 42601: syntax error at or near "selec"\n'],
      [
        ['sql', "insert into t values (1, 'y')"],
        1,
        '',
        /^octet: 23505: duplicate key value violates unique constraint "t_pkey"\n {7}Key \(a\)=\(1\) already exists\.\n$/,
      ],
      [['sql', 'select', '1'], 2, '', /^error: too many arguments/],

      [['redis', 'set', 'greeting', 'hello world'], 0, '"OK"\n'],
      [['redis', 'get', 'greeting'], 0, '"hello world"\n'],
      [['redis', 'get', 'nothing'], 0, '(nil)\n'],
      [['redis', 'zadd', 'z', '-1', 'a', '2', 'b'], 0, '(integer) 2\n'],
      [['redis', 'zrange', 'z', '0', '-1'], 0, '1) "a"\n2) "b"\n'],
      [['redis', 'lrange', 'nothing', '0', '-1'], 0, '(empty array)\n'],
      [['redis', '--', 'set', 'flag', '--config'], 0, '"OK"\n'],
      [['redis', 'get', 'flag'], 0, '"--config"\n'],
      [
        ['redis', 'get', 'z'],
        1,
        '(error) WRONGTYPE Operation against a key holding the wrong kind of value\n',
      ],
      [
        ['redis'],
        1,
        '"OK"\n(error) ERR value is not an integer or out of range\n"a b"\n',
        '',
        "set n 'a b'\nincr n\n\nget n\n",
      ],

      [['dig', 'www.cli.test', '+short'], 0, '127.0.0.1\n'],
      [['dig', 'www.cli.test', '+short', '+tcp'], 0, '127.0.0.1\n'],
      [['dig', 'cli.test', 'NS', '+short'], 0, 'ns.cli.test.\n'],
      [['dig', 'nothing.cli.test'], 0, /status: NXDOMAIN/],
      [['dig', 'www.cli.test', 'WHAT'], 2, '', 'octet: dig: unknown record type: WHAT\n'],
      [['dig', 'www..test'], 2, '', 'octet: dig: name has an empty label: www..test\n'],
      [
        ['dig', 'www.cli.test', '+what'],
        2,
        '',
        'octet: dig: +what is not known; there are +tcp and +short\n',
      ],
      [['dig', '-x', 'www'], 2, '', 'octet: dig: www is not an address\n'],
      [['dig', 'a', 'A', 'b'], 2, '', 'octet: dig: one name, one type and one @server at a time\n'],
      [['dig', 'a', '-p', '53'], 2, '', 'octet: dig: --port is that of a @server\n'],
      [['dig', 'a', '@127.0.0.1', '-p', '0'], 2, '', 'octet: dig: 0 is not a port\n'],

      [['mq', 'declare', 'jobs'], 0, 'jobs  0 messages\n'],
      [['mq', 'publish', '', 'jobs', 'first job'], 0, 'confirmed\n'],
      [['mq', 'get', 'jobs'], 0, 'first job\n'],
      [['mq', 'get', 'jobs'], 1, '(empty)\n'],
      [['mq', 'get', 'nothing'], 1, '', "octet: no queue 'nothing' in vhost '/'\n"],
      [['mq', 'publish', 'nowhere', 'jobs', 'x'], 1, '', "octet: no exchange 'nowhere' in vhost '/'\n"],
      [['mq', 'publish', '', 'nothing', 'x'], 1, '', 'octet: no queue is bound for the message\n'],
      [['mq', 'publish', '', 'jobs'], 2, '', /^octet: usage: octet mq declare queue \|/],
      [['mq'], 2, '', /^octet: usage: octet mq declare queue \|/],

      [['s3', 'ls'], 0, 'files/\n'],
      [['s3', 'mb', 'more'], 0, ''],
      [
        ['s3', 'put', 'hello.txt', 'files/a/hello.txt'],
        0,
        'files/a/hello.txt  6 bytes  b1946ac92492d2347c6235b4d2611184\n',
      ],
      [['s3', 'ls', 'files/a'], 0, '           6  a/hello.txt\n'],
      [['s3', 'ls', 'files/b'], 0, ''],
      [['s3', 'get', 'files/a/hello.txt'], 0, 'hello\n'],
      [['s3', 'get', 'files/nothing', 'nothing.txt'], 1, '', 'octet: s3: there is no object files/nothing\n'],
      [['s3', 'put', 'nothing.txt', 'files/x'], 1, '', 'octet: s3: there is no file nothing.txt\n'],
      [['s3', 'put', 'hello.txt', 'nothing/x'], 1, '', 'octet: The specified bucket does not exist\n'],
      [['s3', 'put', 'hello.txt', 'files'], 2, '', 'octet: s3: files is not bucket/key\n'],
      [['s3', 'steal'], 2, '', /^octet: usage: octet s3 ls \[bucket/],

      [['curl', '/files/a/hello.txt'], 0, 'hello\n'],
      [['curl', '-i', '/files/a/hello.txt'], 0, /^HTTP\/1\.1 200 OK\n[\s\S]*\n\nhello\n$/],
      [['curl', '/files/nothing'], 1, /NoSuchKey|AccessDenied/],
      [['curl', '-H', 'bogus', '/files/x'], 2, '', 'octet: curl: -H "bogus" is not "Name: value"\n'],
      [
        ['curl', 'ftp://127.0.0.1/'],
        2,
        '',
        'octet: curl: ftp://127.0.0.1/ is neither an http(s) URL nor a path\n',
      ],
      [['curl', 'www.cli.test'], 2, '', 'octet: curl: www.cli.test is neither an http(s) URL nor a path\n'],
      [['curl', '/files/x', '--data', '@nothing.txt'], 1, '', 'octet: curl: there is no file nothing.txt\n'],
      [['curl', 'http://nothing.cli.test/'], 1, '', /NXDOMAIN/],

      [['s3', 'rm', 'files/a/hello.txt'], 0, ''],
      [['s3', 'ls', 'files'], 0, ''],

      [
        ['mail', 'send', '--to', 'ann@cli.test', '--subject', 'hello', '--text', 'hi'],
        0,
        /^queued as \w+\n$/,
      ],
      [['mail', 'wait', '--to', 'ann@cli.test'], 0, /^\w+ {2}ann@cli\.test {2}hello\n$/],
      [['mail', 'list', '--to', 'bob@cli.test'], 0, ''],
      [
        ['mail', 'list', '--to', 'ann@cli.test'],
        0,
        /^\w+ {2}\S+ {2}ann@cli\.test {2}<octet@localhost> {2}hello\n$/,
      ],
      [
        ['mail', 'wait', '--to', 'bob@cli.test', '--timeout-ms', '50'],
        4,
        '',
        'octet: mail: no matching message within 50 ms\n',
      ],
      [['mail', 'send', '--to', 'ann@other.test'], 1, '', /^octet: RCPT: 550 .*relaying denied\n$/],
      [
        ['mail', 'send', '--to', 'ann@cli.test,bob@other.test'],
        1,
        /^queued as/,
        /^octet: mail: bob@other\.test refused: 550 .*relaying denied\n$/,
      ],
      [['mail', 'send'], 2, '', 'octet: mail send needs --to\n'],
      [['mail', 'read'], 2, '', 'octet: mail read needs the id that `octet mail list` shows\n'],
      [['mail', 'read', 'nothing'], 1, '', 'octet: mail: no such message\n'],
      [['mail', 'delete', 'nothing'], 1, '', 'octet: mail: no such message\n'],
      [['mail', 'burn'], 2, '', 'octet: mail: burn is not known; there are send, list, read, wait, delete\n'],
    ];
    for (const [words, code, stdout, stderr = '', input] of spoken) {
      test(`octet ${words.map((word) => (/^[\w@/.+-]+$/.test(word) ? word : `'${word}'`)).join(' ')}: ${code}`, async () => {
        const where = { cwd: home.path, ...(input === undefined ? {} : { input }) };
        const ended = await octet(words, where);
        const matches = (is: string, wanted: string | RegExp): void =>
          typeof wanted === 'string' ? assert.equal(is, wanted) : assert.match(is, wanted);
        matches(ended.stderr, stderr);
        matches(ended.stdout, stdout);
        assert.equal(ended.code, code);
      });
    }

    test('a subject beyond ASCII is written so that every server takes it', async () => {
      const where = { cwd: home.path };
      await octet(['mail', 'send', '--to', 'dan@cli.test', '--subject', 'Grüße', '--text', 'Größe'], where);
      const waited = await octet(['mail', 'wait', '--to', 'dan@cli.test'], where);
      assert.match(waited.stdout, / {2}Grüße\n$/);
      const read = await octet(['mail', 'read', waited.stdout.split(' ')[0] ?? ''], where);
      assert.match(read.stdout, /\r\nSubject: =\?utf-8\?B\?R3LDvMOfZQ==\?=\r\n/);
      assert.match(read.stdout, /\r\n\r\nGröße\r\n$/);
    });

    test('a mail is read as it was sent, and deleted once', async () => {
      const where = { cwd: home.path };
      await octet(
        ['mail', 'send', '--to', 'cat@cli.test', '--subject', 'a\nBcc: b', '--text', 'x\n.\ny'],
        where,
      );
      const [id = ''] = (await octet(['mail', 'wait', '--to', 'cat@cli.test'], where)).stdout.split(' ');
      const read = await octet(['mail', 'read', id], where);
      const [head = '', body] = read.stdout.split('\r\n\r\n');
      assert.match(head, /\r\nSubject: a Bcc: b\r\n/);
      assert.match(head, /\r\nDate: \w{3}, \d\d \w{3} \d{4} [\d:]{8} \+0000\r\n/);
      assert.equal(body, 'x\r\n.\r\ny\r\n');
      assert.equal((await octet(['mail', 'delete', id], where)).code, 0);
      assert.equal((await octet(['mail', 'delete', id], where)).code, 1);
    });
  });
});

/** `npm run build`, to a folder of the caller's. */
async function bundle(folder: string): Promise<void> {
  const words = [path.join(CHECKOUT, 'scripts/build.ts'), folder];
  const { code, stderr } = await new Started(process.execPath, words, { cwd: CHECKOUT }).ended;
  assert.equal(code, 0, stderr);
}

/** A file system of its own, as small as told; undefined where this process may not mount one. */
async function mountSmall(folder: string, size: string): Promise<AsyncDisposable | undefined> {
  await mkdir(folder);
  const words = ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder];
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined;
  if ((await new Started('mount', words, { cwd: '/' }).ended).code !== 0) return undefined;
  return {
    async [Symbol.asyncDispose]() {
      await new Started('umount', ['-l', folder], { cwd: '/' }).ended;
    },
  };
}

describe('a full disk', () => {
  test('at the start is told in words; while running, writes are refused until there is room again', async (context) => {
    await using home = await Home.create({ objects: { port: 0, buckets: ['files'] } });
    const disk = path.join(home.path, 'disk');
    await using mounted = await mountSmall(disk, '16m');
    if (mounted === undefined) return context.skip('may not mount a file system here');
    const where = { cwd: home.path };
    const at = ['--data-dir', path.join(disk, 'data')];
    const filler = path.join(disk, 'filler');
    const fill = (): Promise<Ended> =>
      new Started('sh', ['-c', `cat /dev/zero > "${filler}"; cat /dev/zero > "${filler}2"`], where).ended;
    await fill();
    const refused = await octet(['up', ...at], where);
    assert.equal(refused.code, 1, refused.stderr);
    assert.match(refused.stderr, /no space left on device/i);
    assert.doesNotMatch(refused.stderr, /\n +at /);
    await rm(filler);
    await rm(`${filler}2`, { force: true });

    await using up = await running(['up', ...at], where);
    const big = path.join(home.path, 'big');
    await writeFile(big, Buffer.alloc(1024 * 1024, 'x'));
    const said = async (...words: string[]): Promise<string> => {
      const { stdout, stderr } = await octet([...words, ...at], where);
      return stdout + stderr;
    };
    assert.equal(await said('sql', 'create table t (a int, b text)'), 'CREATE TABLE\n');
    await fill();
    assert.match(await said('s3', 'put', big, 'files/big'), /^octet: \S/);
    assert.match(await said('sql', "insert into t values (1, repeat('x', 2000000))"), /^octet: 53100: /);
    await fill(); // The room that the journal had made ahead, and gave back.
    assert.match(
      await said('mail', 'send', '--to', 'ann@octet.test', '--text', 'x'.repeat(100_000)),
      /^octet: .*452 4\.3\.1/,
    );
    assert.equal(await said('sql', 'select a from t'), ' a\n---\n(0 rows)\n');
    assert.equal(await said('redis', 'ping'), '"PONG"\n');
    await rm(filler);
    await rm(`${filler}2`, { force: true });
    assert.match(await said('s3', 'put', big, 'files/big'), /^files\/big {2}1048576 bytes/);
    assert.equal(await said('sql', "insert into t values (2, repeat('x', 200000))"), 'INSERT 0 1\n');
    assert.match(await said('mail', 'send', '--to', 'ann@octet.test'), /^queued as/);
    assert.equal((await up.stop()).code, 0);
    await using again = await running(['up', ...at], where);
    assert.equal(await said('sql', 'select a from t'), ' a\n---\n 2\n(1 row)\n');
    assert.equal((await again.stop()).code, 0);
  });
});

describe('README.md', () => {
  let blocks: { language: string; text: string }[];
  let home: Home;
  /** Commands of the README that a test cannot run as they are. */
  let stubs: string;

  before(async () => {
    const text = await readFile(path.join(CHECKOUT, 'README.md'), 'utf8');
    blocks = [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language = '', block = '']) => ({
      language,
      text: block,
    }));
    home = await Home.create();
    stubs = path.join(home.path, 'stubs');
    const script = async (name: string, body: string): Promise<void> =>
      writeFile(path.join(stubs, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    await mkdir(stubs);
    await script('git', `test "$1" = clone && ln -s "${CHECKOUT}" "$3"`);
    await script(
      'npm',
      `case "$1" in ci) ;; start) shift; exec "${process.execPath}" bin/octet.mjs up "$@";; *) exit 9;; esac`,
    );
    await script('npx', `test "$1" = octet || exit 9; shift; exec "${process.execPath}" "${COMMAND}" "$@"`);
    if ((await new Started('which', ['psql'], { cwd: '/' }).ended).code !== 0) {
      await writeFile(
        path.join(stubs, 'psql'),
        `#!${process.execPath}\nconst pg = require(${JSON.stringify(path.join(CHECKOUT, 'node_modules/pg'))});
const client = new pg.Client(process.argv[2]);
client.connect().then(() => client.query(process.argv[4])).then((done) => { console.log(done.rows); return client.end(); });\n`,
        { mode: 0o755 },
      );
    }
  });

  after(async () => home?.[Symbol.asyncDispose]());

  function block(language: string, containing: string): string {
    const found = blocks.filter((one) => one.language === language && one.text.includes(containing));
    assert.equal(found.length, 1, `one ${language} block with ${containing}`);
    return found[0]!.text;
  }

  function bash(script: string, cwd: string, env: Readonly<Record<string, string>>): Started {
    const variables = { ...EPHEMERAL_VARIABLES, PATH: `${stubs}:${process.env['PATH']}`, ...env };
    return new Started('bash', ['-e', '-o', 'pipefail', '-c', script], { cwd, env: variables });
  }

  test('has no block that these tests do not run', () => {
    assert.deepEqual(
      blocks.map(({ language }) => language),
      ['sh', 'sh', 'ts', 'sh', 'ts', 'sh'],
    );
  });

  test('Backups: of what runs, listed, and restored elsewhere', async () => {
    await using place = await Home.create();
    await using up = await running(['up'], { cwd: place.path });
    const where = { cwd: place.path };
    assert.equal((await octet(['sql', 'create table kept (a int)'], where)).stdout, 'CREATE TABLE\n');
    const lines = block('sh', 'npx octet backup')
      .trimEnd()
      .replaceAll('/backups', path.join(place.path, 'backups'));
    const [backup, list, restore, ...none] = lines.split('\n');
    assert.deepEqual(none, []);
    const said: string[] = [];
    for (const line of [backup, list, restore?.replace('--data-dir .octet', '--data-dir restored')]) {
      const { code, stdout, stderr } = await bash(line ?? '', place.path, {}).ended;
      assert.equal(code, 0, `${line}\n${stdout}${stderr}`);
      said.push(stdout);
    }
    const name = /^backup (\S+) in /m.exec(said[0] ?? '')?.[1] ?? assert.fail(said[0]);
    assert.ok(said[1]?.includes(name));
    assert.equal((await up.stop('SIGINT')).code, 0);
    await using again = await running(['up', '--data-dir', 'restored'], where);
    const found = await octet(['sql', '--data-dir', 'restored', 'select count(*) from kept'], where);
    assert.match(found.stdout, /^ count\n-+\n 0\n/);
    assert.equal((await again.stop('SIGINT')).code, 0);
  });

  test('Start: clone, install, start; and env for other programs', async () => {
    const env = { OCTET_DATA_DIR: path.join(home.path, 'start') };
    const start = block('sh', 'npm start')
      .replace('<this repository>', 'repository')
      .replace('npm start', 'exec npm start');
    await using up = bash(start, home.path, env);
    await up.says(SCREEN_END);
    const { code, stdout, stderr } = await bash(block('sh', 'psql'), CHECKOUT, env).ended;
    assert.equal(code, 0, stderr);
    assert.match(stdout, /1/);
    assert.equal((await up.stop('SIGINT')).code, 0);
  });

  test('In a test, and Configuration: the code runs where the package is installed', async () => {
    const project = path.join(home.path, 'project');
    const installed = path.join(project, 'node_modules/octet-stack');
    await bundle(path.join(installed, 'dist'));
    await writeFile(
      path.join(installed, 'package.json'),
      JSON.stringify({ type: 'module', exports: './dist/index.mjs' }),
    );
    await cp(path.join(CHECKOUT, 'web'), path.join(installed, 'web'), { recursive: true });
    await symlink(path.join(CHECKOUT, 'node_modules/pg'), path.join(project, 'node_modules/pg'));
    await writeFile(path.join(project, 'package.json'), '{"type":"module"}');

    const inTest = block('ts', 'startOctet').replace(
      '…',
      "await client.connect();\n  assert.equal((await client.query('select 7 as n')).rows[0].n, 7);\n  await client.end();",
    );
    const imports =
      "import assert from 'node:assert';\nimport { test } from 'node:test';\nimport pg from 'pg';\n";
    await writeFile(path.join(project, 'orders.test.ts'), imports + inTest);
    const where = { cwd: project, env: EPHEMERAL_VARIABLES };
    const tested = await new Started(process.execPath, ['--test', 'orders.test.ts'], where).ended;
    assert.equal(tested.code, 0, tested.stdout + tested.stderr);
    assert.match(tested.stdout, /pass 1\n/);

    await writeFile(path.join(project, 'octet.config.ts'), block('ts', 'defineConfig'));
    for (const file of ['spells.test.zone', 'schema.sql'])
      await cp(path.join(CHECKOUT, 'examples/spells', file), path.join(project, file));
    await using up = await running(['up'], where);
    assert.equal((await octet(['dig', 'spells.test', '+short'], where)).stdout, '127.0.0.1\n');
    const inserted = await octet(['curl', '/api/spells', '--data', '{"name":"Nox","power":1}'], where);
    assert.match(inserted.stdout, /"name":"Nox"/);
    const ended = await up.stop('SIGINT');
    assert.deepEqual([ended.code, ended.stderr], [0, '']);
  });

  test('the tour, line by line', async () => {
    const examples = path.join(home.path, 'tour/examples/spells');
    await cp(path.join(CHECKOUT, 'examples/spells'), examples, {
      recursive: true,
      filter: (source) => !source.endsWith('.octet'),
    });
    const [enter, start, ...lines] = block('sh', 'cd examples/spells').trimEnd().split('\n');
    assert.equal(enter, 'cd examples/spells');
    assert.match(start ?? '', /&$/);
    await using up = bash(`${enter}\nexec ${start?.replace(/ *&$/, '')}`, path.join(home.path, 'tour'), {});
    await up.says(SCREEN_END);
    const said: Record<string, string> = {};
    for (const line of lines) {
      const { code, stdout, stderr } = await bash(line, examples, {}).ended;
      assert.equal(code, 0, `${line}\n${stdout}${stderr}`);
      said[line.replace(/ *#.*/, '')] = stdout;
    }
    const answer = (start: string): string => {
      const [found] = Object.entries(said).filter(([line]) => line.startsWith(`npx octet ${start}`));
      return found?.[1] ?? assert.fail(`the tour has no line ${start}`);
    };
    assert.match(answer('dig'), /^spells\.test\.\s+\d+\s+IN\s+A\s+127\.0\.0\.1$/m);
    assert.match(answer('curl /api/spells --data'), /"id":1,"name":"Lumos","power":3/);
    assert.match(answer('curl -i /api/spells/1'), /^X-Cache: miss$/m);
    assert.match(answer('curl -i /api/spells/1'), /^X-Served-By: api-[12]$/m);
    assert.match(answer('sql'), /\| Lumos +\| 3 /);
    assert.match(answer('mq get'), /"event":"spells\.inserted".*"name":"Lumos"/);
    assert.match(answer('mail send'), /^queued as /);
    assert.match(answer('mail wait'), /ann@spells\.test {2}hello\n$/);
    assert.match(answer('s3 put'), /^files\/config\.ts /);
    assert.match(answer('curl /files'), /^\/\*\* The spells system/);
    assert.match(answer('status'), /^ {2}api-2 +ok /m);
    const again = await bash('npx octet curl -i /api/spells/1', examples, {}).ended;
    assert.match(again.stdout, /^X-Cache: hit$/m);
    assert.equal((await up.stop('SIGINT')).code, 0);
  });
});

describe('the bundle', () => {
  test('runs without the sources, from another folder, with its console page', {
    timeout: 120_000,
  }, async () => {
    await using home = await Home.create();
    const where = { cwd: home.path };
    const installed = path.join(home.path, 'installed');
    await mkdir(installed);
    await bundle(path.join(installed, 'dist'));
    await cp(path.join(CHECKOUT, 'web'), path.join(installed, 'web'), { recursive: true });
    const command = path.join(installed, 'dist/octet.mjs');
    const up = new Started(process.execPath, [command, 'up'], where);
    await using _stop = up;
    await up.says(SCREEN_END);
    const env = JSON.parse(
      (await new Started(process.execPath, [command, 'env', '--json'], where).ended).stdout,
    ) as Record<string, string>;
    for (const name of VARIABLES) assert.ok(name in env, name);
    const page = await fetch(env['CONSOLE_URL'] ?? '');
    assert.equal(page.status, 200);
    assert.equal(await page.text(), await readFile(path.join(CHECKOUT, 'web/index.html'), 'utf8'));
    assert.equal((await new Started(process.execPath, [command, 'status'], where).ended).code, 0);
    const sql = await new Started(process.execPath, [command, 'sql', 'select 1 as one'], where).ended;
    assert.equal(sql.stdout, ' one\n-----\n 1\n(1 row)\n');
    assert.equal((await up.stop('SIGINT')).code, 0);
  });
});
