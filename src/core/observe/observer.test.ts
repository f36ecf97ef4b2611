import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Observatory, pinoLog, silentLog } from './observer.ts';

test('metrics: one object per name and labels; the text is what Prometheus reads', async () => {
  const observatory = new Observatory(silentLog);
  const { metrics } = observatory.observer('cache');
  metrics.counter('octet_cache_commands_total', 'Commands.', { command: 'get' }).add();
  metrics.counter('octet_cache_commands_total', 'Commands.', { command: 'get' }).add(2);
  metrics.gauge('octet_cache_connections', 'Open connections.', {}, () => 7);
  const latency = metrics.histogram('octet_cache_seconds', 'Time per command.');
  latency.observe(0.0002);
  latency.observe(20);
  const text = await observatory.prometheusText();
  for (const line of [
    '# TYPE octet_cache_commands_total counter',
    'octet_cache_commands_total{command="get"} 3',
    'octet_cache_connections 7',
    '# TYPE octet_cache_seconds histogram',
    'octet_cache_seconds_bucket{le="0.0001"} 0',
    'octet_cache_seconds_bucket{le="0.00025"} 1',
    'octet_cache_seconds_bucket{le="+Inf"} 2',
    'octet_cache_seconds_count 2',
  ]) {
    assert.ok(text.split('\n').includes(line), `${line} in\n${text}`);
  }
});

test('spans: the newest are kept, watchers hear of each', () => {
  const observatory = new Observatory(silentLog);
  const observer = observatory.observer('dns');
  const heard: string[] = [];
  const stop = observatory.watch((span) => heard.push(span.operation));
  const span = (operation: string) => observer.span({ operation, outcome: 'ok', startMs: 0, durationMs: 1 });
  for (let index = 0; index < 5_000; index++) span(`q${index}`);
  stop();
  span('last');
  assert.equal(heard.length, 5_000);
  assert.equal(observatory.spans().length, 4_096);
  assert.deepEqual(
    observatory.spans(2).map((kept) => kept.operation),
    ['q4999', 'last'],
  );
  assert.equal(observatory.spans(1)[0]?.service, 'dns');
});

test('logs: one JSON line each, from the level up', async () => {
  const lines: string[] = [];
  const observatory = new Observatory(await pinoLog('info', (line) => lines.push(line)));
  const { log } = observatory.observer('mail');
  log.debug('not shown');
  log.warn('slow', { ms: 12 });
  assert.equal(lines.length, 1);
  const { level, service, ms, msg } = JSON.parse(lines[0] ?? '');
  assert.deepEqual({ level, service, ms, msg }, { level: 40, service: 'mail', ms: 12, msg: 'slow' });
});
