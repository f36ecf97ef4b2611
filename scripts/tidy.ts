/** `npm run tidy`: prints every place where the tree departs from its own rules; exits 1 when there is one. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { tidy } from './tidy/tidy.ts';

const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  encoding: 'utf8',
});
const files = new Map<string, string>();
for (const file of tracked.split('\n')) {
  if (!file.endsWith('.ts')) continue;
  try {
    files.set(file, readFileSync(file, 'utf8'));
  } catch {
    // Removed from the work tree but still in the index.
  }
}
const complaints = tidy(files);
for (const { file, line, text } of complaints) console.error(`${file}:${line}: ${text}`);
console.log(`tidy: ${files.size} files, ${complaints.length} complaints`);
process.exitCode = complaints.length === 0 ? 0 : 1;
