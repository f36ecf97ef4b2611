/** The console's page in a real Chromium: it loads under its own policy, shows what runs, and tells of operations. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startOctet } from '../../src/octet.ts';
import { Chromium, chromiumIsThere } from './chromium.ts';

const skip = chromiumIsThere()
  ? false
  : 'Chromium is missing: apt-get install --no-install-recommends chromium';

/** In the page: resolves when a row of this table has all of these texts. */
const rowShown = (table: string, texts: readonly string[]): string => `new Promise((resolve) => {
  const isShown = () => [...document.querySelectorAll('${table} tbody tr')]
    .some((row) => ${JSON.stringify(texts)}.every((text) => row.textContent.includes(text)));
  const look = () => isShown() ? resolve(true) : requestAnimationFrame(look);
  look();
})`;

test('the page shows services, what just happened, and what happens', { skip, timeout: 60_000 }, async () => {
  await using octet = await startOctet({ services: ['dns', 'console'] });
  const dns = octet.observatory.observer('dns');
  const span = (operation: string) => ({ operation, outcome: 'NOERROR', startMs: 0, durationMs: 1 });
  dns.span(span('A earlier.test'));
  await using chromium = await Chromium.start();
  const page = await chromium.newPage();
  await page.open(octet.env['CONSOLE_URL'] ?? '');
  await page.evaluate(rowShown('#services', ['dns', 'ok']));
  await page.evaluate(rowShown('#events', ['dns', 'A earlier.test', 'NOERROR']));
  dns.span(span('A now.test'));
  await page.evaluate(rowShown('#events', ['dns', 'A now.test', 'NOERROR']));
  assert.deepEqual(page.errors, []);
});
