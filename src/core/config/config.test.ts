import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import { ConfigError, environmentLayer, nearest, resolveConfig } from './config.ts';

const schema = v.strictObject({
  portOffset: v.optional(v.pipe(v.number(), v.integer('must be a whole number')), 0),
  cache: v.optional(
    v.strictObject({
      port: v.optional(v.number(), 6379),
      password: v.optional(v.string()),
      eviction: v.optional(v.boolean()),
    }),
    {},
  ),
  zones: v.optional(v.record(v.string(), v.string()), {}),
  services: v.optional(v.array(v.string())),
});

test('layers: the later place wins, key by key', () => {
  const config = resolveConfig(schema, [
    { place: 'octet.config.ts', values: { cache: { port: 1, password: 'a' } } },
    { place: 'the command line', values: { cache: { port: 2 }, portOffset: undefined } },
  ]);
  assert.deepEqual(config, { portOffset: 0, cache: { port: 2, password: 'a' }, zones: {} });
});

const refused: [values: Record<string, unknown>, message: RegExp][] = [
  [{ cahce: {} }, /^cahce in octet\.config\.ts: there is no such setting; did you mean cache\?$/],
  [{ cache: { prot: 1 } }, /^cache\.prot in octet\.config\.ts: .*did you mean port\?$/],
  [{ cache: { port: '6379' } }, /^cache\.port in octet\.config\.ts: /],
  [{ portOffset: 1.5 }, /^portOffset in octet\.config\.ts: must be a whole number$/],
  [JSON.parse('{"__proto__": {"x": 1}}'), /^__proto__ in octet\.config\.ts: there is no such setting/],
];

for (const [values, message] of refused) {
  test(`refused, with key and place: ${JSON.stringify(values)}`, () => {
    assert.throws(
      () => resolveConfig(schema, [{ place: 'octet.config.ts', values }]),
      (error) => {
        assert.ok(error instanceof ConfigError);
        assert.match(error.message, message);
        return true;
      },
    );
    assert.equal(({} as Record<string, unknown>)['x'], undefined);
  });
}

test('environment: nested names, kinds and records', () => {
  const layer = environmentLayer(schema, {
    OCTET_PORT_OFFSET: '100',
    OCTET_CACHE__PORT: '7000',
    OCTET_CACHE__PASSWORD: '12345',
    OCTET_CACHE__EVICTION: 'true',
    OCTET_ZONES__TEST: 'zone text',
    OCTET_SERVICES: '["dns"]',
    HOME: '/root',
  });
  assert.deepEqual(layer.values, {
    portOffset: 100,
    cache: { port: 7000, password: '12345', eviction: true },
    zones: { test: 'zone text' },
    services: ['dns'],
  });
});

for (const [name, value, message] of [
  ['OCTET_CACHE__PROT', '1', /OCTET_CACHE__PROT: there is no such setting; did you mean port\?/],
  ['OCTET_PORT_OFFSET', 'many', /OCTET_PORT_OFFSET: "many" is not a number/],
  ['OCTET_CACHE__EVICTION', 'yes', /neither true nor false/],
  ['OCTET_SERVICES', 'dns', /must be JSON/],
] as const) {
  test(`environment refuses ${name}=${value}`, () => {
    assert.throws(() => environmentLayer(schema, { [name]: value }), message);
  });
}

test('nearest: only what may have been meant', () => {
  assert.equal(nearest('maxmemory', ['maxmemoryPolicy', 'maxMemory', 'port']), 'maxMemory');
  assert.equal(nearest('xyz', ['password', 'port']), undefined);
});
