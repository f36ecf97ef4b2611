import assert from 'node:assert/strict';
import test from 'node:test';
import { testHost } from '../core/testing/host.ts';
import { HttpMetrics } from './metrics.ts';

test('a service that is one of several is counted under a name that Prometheus takes', async () => {
  const { observatory, observer } = testHost('api-1');
  const metrics = new HttpMetrics(observer, 'api-1', () => 3);
  metrics.requests.add();
  metrics.refused('bad-host');
  const lines = (await observatory.prometheusText()).split('\n');
  for (const line of [
    'octet_api_1_http_requests_total{listener="api-1"} 1',
    'octet_api_1_http_refused_total{listener="api-1",reason="bad-host"} 1',
    'octet_api_1_http_connections{listener="api-1"} 3',
  ]) {
    assert.ok(lines.includes(line), `${line} in\n${lines.join('\n')}`);
  }
});
