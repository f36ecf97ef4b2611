/** `octet sql [statement]`: SQL on the running row store (or DATABASE_URL); without a statement, all of standard input. */
import { text } from 'node:stream/consumers';
import { connectDatabase, DatabaseError } from '../database/index.ts';
import { cliWorld } from './cli-world.ts';
import { CliError, EXIT } from './exit.ts';
import { requireUrl } from './require-url.ts';
import type { SettingFlags } from './settings.ts';

interface Result {
  readonly columns: readonly { readonly name: string }[];
  readonly rows: readonly (readonly (string | null)[])[];
  readonly tag: string;
}

export async function sql(statement: string | undefined, flags: SettingFlags): Promise<number> {
  const url = await requireUrl('DATABASE_URL', 'database', flags);
  await using client = await connectDatabase({ ...cliWorld(), url, applicationName: 'octet sql' });
  try {
    for (const result of await client.script(statement ?? (await text(process.stdin)))) {
      process.stdout.write(formatResult(result));
    }
    return 0;
  } catch (error) {
    if (error instanceof DatabaseError)
      throw new CliError(
        EXIT.failed,
        `${error.code}: ${error.message}`,
        error.fields.detail ?? error.fields.hint,
      );
    throw error;
  }
}

/** A table with aligned columns, as psql prints one; a command without rows prints its tag. */
function formatResult({ columns, rows, tag }: Result): string {
  if (columns.length === 0) return `${tag}\n`;
  const cells = rows.map((row) => row.map((value) => value ?? ''));
  const widths = columns.map(({ name }, index) =>
    Math.max(name.length, ...cells.map((row) => row[index]?.length ?? 0)),
  );
  const line = (values: readonly string[]): string =>
    ` ${values.map((value, index) => value.padEnd(widths[index] ?? 0)).join(' | ')}`.trimEnd();
  const rule = widths.map((width) => '-'.repeat(width + 2)).join('+');
  const count = `(${rows.length} row${rows.length === 1 ? '' : 's'})`;
  return [line(columns.map(({ name }) => name)), rule, ...cells.map(line), count, ''].join('\n');
}
