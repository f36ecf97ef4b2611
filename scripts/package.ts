/**
 * `npm run package`: stages what is published in `dist-package/` and packs it there. The published package is bundled
 * JavaScript with declarations, without dependencies, scripts or a Node of its own: a user's install brings
 * 43 packages and 150 MB less, and no `node` that shadows theirs.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

const STAGE = 'dist-package/stage';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
}

function run(command: string, args: readonly string[], cwd = '.'): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

rmSync(STAGE, { recursive: true, force: true });
mkdirSync(STAGE, { recursive: true });
process.stdout.write(run(process.execPath, ['scripts/build.ts', `${STAGE}/dist`]));
run('tsc', ['-p', 'tsconfig.build.json', '--emitDeclarationOnly', '--outDir', `${STAGE}/types`]);
for (const file of ['web', 'README.md', 'LICENSE', 'CHANGELOG.md'])
  cpSync(file, `${STAGE}/${file}`, { recursive: true });

const { name, version, description, license } = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
const manifest = {
  name,
  version,
  description,
  license,
  type: 'module',
  engines: { node: '>=26' },
  bin: { octet: 'dist/octet.mjs' },
  exports: {
    '.': { types: './types/index.d.ts', default: './dist/index.mjs' },
    './package.json': './package.json',
  },
};
writeFileSync(`${STAGE}/package.json`, `${JSON.stringify(manifest, null, 2)}\n`);
const [packed] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', '..'], STAGE)) as {
  filename: string;
  size: number;
}[];
console.log(`package: dist-package/${packed?.filename}, ${((packed?.size ?? 0) / 1024).toFixed(0)} KiB`);
