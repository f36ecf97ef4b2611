/**
 * Writes the fixtures of the present format: `node scripts/store-fixture.ts format-2` makes
 * src/core/store/fixtures/format-2-*.json.gz. Run once per format, when it is new; a fixture is never replaced.
 */
import { writeFileSync } from 'node:fs';
import { encodeFixture, FIXTURE_LIVES, makeFixture } from '../src/core/testing/store-fixture.ts';

const [name] = process.argv.slice(2);
if (name === undefined) {
  console.error('usage: node scripts/store-fixture.ts <name of the format>');
  process.exit(2);
}
const folder = new URL('../src/core/store/fixtures/', import.meta.url);
for (const [life, live] of Object.entries(FIXTURE_LIVES)) {
  const bytes = encodeFixture(await makeFixture(live));
  writeFileSync(new URL(`${name}-${life}.json.gz`, folder), bytes, { flag: 'wx' });
  console.log(`${name}-${life}.json.gz: ${bytes.length} bytes`);
}
