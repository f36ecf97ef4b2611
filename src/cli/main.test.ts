import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EXIT } from './exit.ts';
import { main } from './main.ts';

test('an unknown command is answered with the nearest one and the exit code for wrong usage', async (context) => {
  const written: string[] = [];
  context.mock.method(process.stderr, 'write', (text: string) => written.push(text) > 0);
  assert.equal(await main(['statsu']), EXIT.usage);
  context.mock.restoreAll();
  assert.match(written.join(''), /Did you mean status\?/);
});
