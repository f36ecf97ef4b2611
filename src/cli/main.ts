/** The command `octet`: every command in one table of commander's, each in a file of its own, loaded when it is called. */
import { Command, CommanderError, Option } from 'commander';
import { ConfigError } from '../core/config/config.ts';
import { codeOf, messageOf } from '../core/errors.ts';
import { FilesError } from '../core/files/errors.ts';
import { NetError } from '../core/net/errors.ts';
import { SERVICE_NAMES } from '../octet/config.ts';
import { CliError, EXIT } from './exit.ts';
import { VERSION } from './version.ts';

const descriptions: Readonly<Record<(typeof SERVICE_NAMES)[number], string>> = {
  dns: 'run the DNS service alone',
  database: 'run the row store alone',
  cache: 'run the cache alone',
  queue: 'run the message queue alone',
  objects: 'run the object store alone',
  mail: 'run the mail service alone, or: mail send|list|read|wait|delete',
  api: 'run the API alone',
  balancer: 'run the load balancer alone',
  console: 'run the console alone',
};

/** @param argv without node and the script. @returns the exit code */
export async function main(argv: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = createProgram((code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    return explain(error);
  }
}

function createProgram(done: (exitCode: number) => void): Command {
  const program = new Command('octet')
    .description('Eight network services under every web app, in one process.')
    .version(VERSION)
    .option('-c, --config <file>', 'configuration file (default: the nearest octet.config.ts)')
    .option('-d, --data-dir <folder>', 'where everything durable lies (default: .octet)')
    .option('--port-offset <n>', 'added to every port')
    .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
    .addOption(
      new Option('--log-level <level>', 'what is written to stderr').choices([
        'debug',
        'info',
        'warn',
        'error',
        'silent',
      ]),
    )
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .showHelpAfterError('(octet --help shows what there is)')
    .showSuggestionAfterError();
  const run = (work: () => Promise<number>) => work().then(done);

  program
    .command('up')
    .description('start all services and stay until stopped')
    .option('-s, --services <names>', 'only these, separated by commas')
    .action((_flags, command: Command) =>
      run(async () => (await import('./up.ts')).up(command.optsWithGlobals())),
    );
  program
    .command('demo')
    .description('send one request through all services with independent clients, and show each hop')
    .option('--attach', 'use the running Octet instead of starting one')
    .action((_flags, command: Command) =>
      run(async () => (await import('./demo.ts')).demo(command.optsWithGlobals())),
    );
  program
    .command('status')
    .description('how the services of the running Octet are')
    .option('--json', 'as JSON')
    .action((_flags, command: Command) =>
      run(async () => (await import('./status.ts')).status(command.optsWithGlobals())),
    );
  program
    .command('env')
    .description('connection strings of the running Octet, as shell lines')
    .option('--json', 'as one JSON object')
    .action((_flags, command: Command) =>
      run(async () => (await import('./status.ts')).printEnv(command.optsWithGlobals())),
    );

  for (const service of SERVICE_NAMES) {
    if (service === 'mail') continue;
    program
      .command(service)
      .description(descriptions[service])
      .action((_flags, command: Command) =>
        run(async () => (await import('./up.ts')).up(command.optsWithGlobals(), service)),
      );
  }
  program
    .command('mail [verb] [id]')
    .description(descriptions.mail)
    .option('--from <address>')
    .option('--to <address>')
    .option('--subject <text>')
    .option('--text <text>')
    .option('--timeout-ms <n>', 'how long wait waits')
    .addHelpText(
      'after',
      lines(
        '',
        'octet mail                                  run the service',
        'octet mail send --to a@b [--from --subject --text]',
        'octet mail list|wait [--from --to --subject]',
        'octet mail read|delete <id>',
      ),
    )
    .action((verb: string | undefined, id: string | undefined, _flags, command: Command) =>
      run(async () =>
        verb === undefined
          ? (await import('./up.ts')).up(command.optsWithGlobals(), 'mail')
          : (await import('./mail.ts')).mailCommand(verb, id, command.optsWithGlobals()),
      ),
    );
  addClients(program, run);
  return program;
}

function addClients(program: Command, run: (work: () => Promise<number>) => Promise<void>): void {
  program
    .command('sql [statement]')
    .description('run SQL on the running row store; without a statement, from standard input')
    .action((statement: string | undefined, _flags, command: Command) =>
      run(async () => (await import('./sql.ts')).sql(statement, command.optsWithGlobals())),
    );
  program
    .command('redis [words...]')
    .description('run a command on the running cache; without one, lines from standard input')
    .allowUnknownOption()
    .addHelpText(
      'after',
      lines('', "octet redis set greeting 'hello world'", 'octet redis -- set key --config'),
    )
    .action((words: string[], _flags, command: Command) =>
      run(async () => (await import('./redis.ts')).redis(words, command.optsWithGlobals())),
    );
  program
    .command('dig [words...]')
    .description('ask the running DNS: name [type] [@server] [+tcp] [+short]')
    .option('-p, --port <n>', 'port of @server')
    .option('-x, --reverse <address>', 'the name of an address')
    .action((words: string[], _flags, command: Command) =>
      run(async () => (await import('./dig.ts')).dig(words, command.optsWithGlobals())),
    );
  program
    .command('curl <url>')
    .description('one HTTP request; names are resolved by our DNS, /paths go to our balancer')
    .option('-X, --request <method>', 'default: GET, with a body POST')
    .option('-H, --header <line>', 'may be given again', (line: string, lines: string[] = []) => [
      ...lines,
      line,
    ])
    .option('--data <text>', 'body, or @file')
    .option('-i, --include', 'show status and headers')
    .option(
      '-L, --location',
      'follow redirections; credentials stay with their origin, and https stays https',
    )
    .option('--max-redirs <n>', 'with -L: at most so many (default 50)')
    .option('--connect-timeout <seconds>', 'to connect, and then for TLS (default 5)')
    .option('-m, --max-time <seconds>', 'for everything together')
    .option('-x, --proxy <url>', '[http://]host:port; https goes through it by CONNECT')
    .option('-U, --proxy-user <name:password>', 'Basic authentication with the proxy')
    .option('--noproxy <list>', 'names, addresses and ranges that are reached without it, by commas')
    .option('--cacert <file>', 'PEM of the authorities to trust')
    .option('-k, --insecure', 'take any certificate, from whomever it is')
    .addHelpText(
      'after',
      lines('', 'Not supported: --compressed, SOCKS and HTTPS proxies, http_proxy in the environment.'),
    )
    .action((url: string, _flags, command: Command) =>
      run(async () => (await import('./curl.ts')).curl(url, command.optsWithGlobals())),
    );
  program
    .command('s3 [words...]')
    .description('the running object store: ls, mb, put, get, rm')
    .addHelpText(
      'after',
      lines(
        '',
        'octet s3 ls [bucket[/prefix]]',
        'octet s3 mb bucket',
        'octet s3 put file bucket/key',
        'octet s3 get bucket/key [file]',
        'octet s3 rm bucket/key',
      ),
    )
    .action((words: string[], _flags, command: Command) =>
      run(async () => (await import('./s3.ts')).s3(words, command.optsWithGlobals())),
    );
  program
    .command('mq [words...]')
    .description('the running queue: declare, publish, get')
    .addHelpText(
      'after',
      lines(
        '',
        'octet mq declare queue',
        'octet mq publish exchange routing-key text    (exchange "" sends to the queue named by the key)',
        'octet mq get queue',
      ),
    )
    .action((words: string[], _flags, command: Command) =>
      run(async () => (await import('./mq.ts')).mq(words, command.optsWithGlobals())),
    );
  program
    .command('backup')
    .description('back up the data folder, whether Octet runs on it or not')
    .requiredOption(
      '--to <folder>',
      'folder of backups; what an earlier one holds already is not copied again',
    )
    .option('--keep <n>', 'remove all backups there but the n newest')
    .action((_flags, command: Command) =>
      run(async () => (await import('./backup.ts')).backup(command.optsWithGlobals())),
    );
  program
    .command('restore <folder>')
    .description('make the data folder, which must be missing or empty, out of a backup')
    .option('--backup <name>', 'which one (default: the newest)')
    .option('--list', 'show which there are, and restore nothing')
    .action((folder: string, _flags, command: Command) =>
      run(async () => (await import('./restore.ts')).restore(folder, command.optsWithGlobals())),
    );
  program
    .command('inspect <what> <folder>')
    .description('print what lies in a data folder of a stopped service: journal or store')
    .action((what: string, folder: string) =>
      run(async () => (await import('./inspect.ts')).inspect(what, folder)),
    );
  addRepair(program, run);
}

function addRepair(program: Command, run: (work: () => Promise<number>) => Promise<void>): void {
  program
    .command('check <folder>')
    .description(
      'verify everything in a data folder, or in one store: pages, journal, blobs; exits 1 for damage',
    )
    .option(
      '--running',
      'look at a folder in use, without its lock (the newest checkpoint and the journal only)',
    )
    .option('--json', 'as JSON')
    .action((folder: string, flags: { running?: boolean; json?: boolean }) =>
      run(async () => (await import('./check.ts')).check(folder, flags)),
    );
  program
    .command('salvage <folder>')
    .description(
      'make a new, sound data folder of whatever can be read of a damaged one; exits 1 when anything is lost',
    )
    .requiredOption('--to <folder>', 'the new folder, which must not exist')
    .option('--skip-damaged', 'apply the journal also behind damaged batches')
    .option('--json', 'as JSON')
    .action((folder: string, flags: { to: string; skipDamaged?: boolean; json?: boolean }) =>
      run(async () => (await import('./salvage.ts')).salvage(folder, flags)),
    );
}

function lines(...text: string[]): string {
  return text.join('\n');
}

/** Says what went wrong and what to do. @returns the exit code */
function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const [exitCode, hint] = judge(error);
  process.stderr.write(`octet: ${whole(error)}\n`);
  if (hint !== undefined) process.stderr.write(`       ${hint}\n`);
  if (/(^|[\s,])(octet|\*)/.test(process.env['DEBUG'] ?? '')) console.error(error);
  return exitCode;
}

/** Of several errors at once, each on a line of its own. */
function whole(error: unknown): string {
  const parts = error instanceof AggregateError ? error.errors : [];
  return [messageOf(error).trim() || 'failed', ...parts.map((part) => `       ${messageOf(part)}`)].join(
    '\n',
  );
}

function judge(error: unknown): [exitCode: number, hint: string | undefined] {
  if (error instanceof CliError) return [error.exitCode, error.hint];
  if (error instanceof ConfigError) return [EXIT.badConfig, undefined];
  if (error instanceof FilesError) return [EXIT.locked, 'use another --data-dir, or stop that process'];
  const code = codeOf(error);
  if (error instanceof NetError && code === 'address-in-use') {
    return [EXIT.portInUse, 'stop that process, or move all ports: --port-offset 1000'];
  }
  if (code === 'corrupt') return [EXIT.corrupt, '`octet inspect` shows what lies in a folder'];
  if (code === 'newer-format') return [EXIT.corrupt, 'start it with the release that wrote it'];
  if (code === 'ENOSPC' || code === 'no-space') return [EXIT.failed, 'make room, or name another --data-dir'];
  return [EXIT.failed, undefined];
}
