/** A reporter for node:test that says only what went wrong, and the counts. */
import { inspect } from 'node:util';

interface TestEvent {
  readonly type: string;
  readonly data: {
    readonly name?: string;
    readonly file?: string;
    readonly line?: number;
    readonly skip?: boolean | string;
    readonly details?: {
      readonly error?: Error & { readonly cause?: unknown; readonly failureType?: string };
    };
    readonly counts?: Readonly<Record<string, number>>;
    readonly success?: boolean;
    readonly message?: string;
  };
}

export default async function* reporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const totals = { tests: 0, pass: 0, fail: 0, skipped: 0 };
  for await (const { type, data } of events) {
    if (type === 'test:fail' && data.details?.error?.failureType !== 'subtestsFailed') {
      yield `\n✖ ${data.name} (${data.file}:${data.line})\n${inspect(data.details?.error?.cause ?? data.details?.error)}\n`;
    }
    if (type === 'test:pass' || type === 'test:fail') {
      totals.tests++;
      if (data.skip !== undefined) {
        totals.skipped++;
        yield `skipped: ${data.name}${typeof data.skip === 'string' && data.skip !== '' ? ` (${data.skip})` : ''}\n`;
      } else totals[type === 'test:pass' ? 'pass' : 'fail']++;
    }
    if (type === 'test:stderr') yield data.message ?? '';
  }
  for (const [name, count] of Object.entries(totals)) yield `ℹ ${name} ${count}\n`;
}
