/** What is published works where nothing else of ours is: packed, installed in an empty folder, used. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

test('the package installs without dependencies, gives the command and startOctet', {
  timeout: 120_000,
}, () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'octet-package-'));
  const run = (command: string, args: string[], cwd = folder): string =>
    execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    const said = run(process.execPath, ['scripts/package.ts'], '.');
    const tarball = /dist-package\/(\S+\.tgz)/.exec(said)?.[1];
    assert.ok(tarball !== undefined, said);
    writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}');
    run('npm', ['install', '--offline', '--no-audit', '--no-fund', path.resolve('dist-package', tarball)]);
    assert.match(
      run(process.execPath, ['node_modules/octet-stack/dist/octet.mjs', '--version']),
      /^\d+\.\d+\.\d+\n$/,
    );
    writeFileSync(
      path.join(folder, 'use.mjs'),
      `import { startOctet } from 'octet-stack';
       await using octet = await startOctet();
       const page = await fetch(octet.env.CONSOLE_URL);
       const metrics = await fetch(octet.env.OCTET_ADMIN_URL + '/metrics');
       console.log(octet.services.length, page.status, (await metrics.text()).includes('octet_cache_keys'));`,
    );
    assert.equal(run(process.execPath, ['use.mjs']), '10 200 true\n');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
