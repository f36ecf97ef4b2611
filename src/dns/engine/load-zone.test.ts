import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ZoneError } from '../errors.ts';
import { nameFromText } from '../wire/name.ts';
import { loadZone } from './load-zone.ts';

const ORIGIN = nameFromText('spells.test.');
const GOOD = '$TTL 60\n@ SOA ns mail 7 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n';

test('a good zone is loaded', () => {
  const zone = loadZone(ORIGIN, `${GOOD}www CNAME ns\n`, 20);
  assert.equal(zone.serial, 7);
  assert.equal(zone.recordCount, 4);
  assert.equal(zone.negativeSoa.ttlSeconds, 5);
});

test('the same record twice is one', () => {
  assert.equal(loadZone(ORIGIN, `${GOOD}a A 192.0.2.1\nA A 192.0.2.1\n`, 20).recordCount, 4);
});

test('the first TTL of a set counts for all of it', () => {
  const zone = loadZone(ORIGIN, `${GOOD}a 10 A 192.0.2.1\na 20 A 192.0.2.2\n`, 20);
  const records = zone.recordsAt(nameFromText('a.spells.test.'), 1);
  assert.deepEqual(
    records.map(({ ttlSeconds }) => ttlSeconds),
    [10, 10],
  );
});

const REFUSED: readonly [text: string, expected: RegExp][] = [
  ['', /no SOA record/],
  ['$TTL 1\n@ SOA a. b. 1 2 3 4 5', /no NS record at its apex/],
  [`${GOOD}@ SOA ns mail 8 2 3 4 5`, /spells\.test\.:5:1: the zone has more than one SOA/],
  ['$TTL 1\na SOA a. b. 1 2 3 4 5\n@ NS x.', /SOA record is not at spells\.test\./],
  [`${GOOD}other.test. A 192.0.2.1`, /spells\.test\.:5:1: other\.test\. is outside the zone/],
  [`${GOOD}a CNAME b\na A 192.0.2.1`, /:6:1: a\.spells\.test\. has a CNAME and so cannot have A/],
  [`${GOOD}a CNAME b\na CNAME c`, /more than one CNAME/],
  [`${GOOD}a DNAME b\na DNAME c`, /more than one DNAME/],
  [`${GOOD}a DNAME b\nx.a A 192.0.2.1`, /x\.a\.spells\.test\. is below a DNAME/],
  [`${GOOD}sub NS ns.sub`, /name server ns\.sub\.spells\.test\. has no address/],
  [`${GOOD}@ NS missing`, /name server missing\.spells\.test\. has no address/],
  [`${GOOD}@ NS alias\nalias CNAME ns`, /is an alias/],
  [`${GOOD}a TYPE255 \\# 0`, /ANY cannot stand in a zone/],
  [`${GOOD}a 4294967295 A 192.0.2.1`, /TTL 4294967295 is more than/],
  [`${GOOD}a A x\nb FOO y`, /:5:5: not an IPv4 address: x\n {2}spells\.test\.:6:3: unknown record type FOO/],
];

for (const [text, expected] of REFUSED) {
  test(`refused: ${expected.source}`, () => {
    assert.throws(
      () => loadZone(ORIGIN, text, 20),
      (error) => error instanceof ZoneError && expected.test(error.message),
    );
  });
}
