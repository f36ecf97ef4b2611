import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environmentLayer, resolveConfig } from '../core/config/config.ts';
import { type OctetInput, octetSchema } from './config.ts';
import { apiHosts } from './hosts.ts';

function configOf(values: OctetInput) {
  return resolveConfig(octetSchema, [{ place: 'a test', values: { ...values } }]);
}

const pathPrefix = '/';
const routes = [
  { pathPrefix, pool: 'api' },
  { host: 'Files.example.com', pathPrefix, pool: 'api' },
];

test('on loopback the API answers to what the balancer lets through, and to its own names', () => {
  assert.deepEqual(apiHosts(configOf({})), []);
  assert.deepEqual(apiHosts(configOf({ balancer: { routes } })), ['Files.example.com']);
  assert.deepEqual(
    apiHosts(
      configOf({
        host: '::1',
        services: ['api'],
        api: { allowedHosts: ['api.example.com'] },
        balancer: { routes, allowedHosts: ['shop.example.com', '*.b.example.com'] },
      }),
    ),
    ['api.example.com', 'shop.example.com', '*.b.example.com', 'Files.example.com'],
  );
  assert.deepEqual(apiHosts(configOf({ balancer: { allowedHosts: ['*'] } })), ['*']);
});

test('beyond loopback it looks at Host once names of its own are listed', () => {
  const host = '0.0.0.0';
  const balancer = { routes, allowedHosts: ['shop.example.com'] };
  assert.equal(apiHosts(configOf({ host })), undefined);
  assert.equal(apiHosts(configOf({ host, balancer })), undefined);
  assert.deepEqual(apiHosts(configOf({ host, balancer, api: { allowedHosts: [] } })), [
    'shop.example.com',
    'Files.example.com',
  ]);
});

test('names come from the environment as JSON, and what is none is refused with its place', () => {
  const variables = { OCTET_BALANCER__ALLOWED_HOSTS: '["shop.example.com"]' };
  const config = resolveConfig(octetSchema, [environmentLayer(octetSchema, variables)]);
  assert.deepEqual(config.balancer.allowedHosts, ['shop.example.com']);
  const refused: [values: OctetInput, message: RegExp][] = [
    [{ api: { allowedHosts: ['a', 'a:80'] } }, /^api\.allowedHosts\.1 in a test: "a:80" is no host name$/],
    [{ balancer: { allowedHosts: ['http://a'] } }, /^balancer\.allowedHosts\.0 in a test: .* no host name$/],
    [{ balancer: { allowedHosts: 'a' as never } }, /^balancer\.allowedHosts in a test: /],
    [
      { balancer: { routes: [{ host: '*.a.test', pathPrefix, pool: 'api' }] } },
      /^balancer\.routes\.0\.host in a test: "\*\.a\.test" is no host name$/,
    ],
  ];
  for (const [values, message] of refused) assert.throws(() => configOf(values), { message });
});
