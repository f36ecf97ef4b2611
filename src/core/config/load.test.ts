import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { loadConfig } from './load.ts';

const refused: readonly (readonly [name: string, file: string, text: string])[] = [
  ['a script that exports nothing', 'octet.config.ts', 'const config = { port: 1 };\n'],
  ['an empty file', 'octet.config.mjs', ''],
  ['a module without a default', 'octet.config.mts', 'export const config = {};\n'],
  ['a list', 'octet.config.json', '[]'],
];

for (const [name, file, text] of refused) {
  test(`${name} is no configuration`, async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'octet-load-'));
    try {
      await writeFile(path.join(folder, file), text);
      await assert.rejects(loadConfig(path.join(folder, file)), /must export an object by default/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
}

test('a default export that is empty is one', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'octet-load-'));
  try {
    await writeFile(path.join(folder, 'octet.config.ts'), 'export default {};\n');
    assert.deepEqual((await loadConfig(path.join(folder, 'octet.config.ts'))).values, {});
  } finally {
    await rm(folder, { recursive: true });
  }
});
