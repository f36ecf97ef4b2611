/** Every record type: text → octets → text, and the octets as they stand in a message. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DnsError } from '../../errors.ts';
import { TYPE, typeName } from '../codes.ts';
import { nameFromText } from '../name.ts';
import { WireReader } from '../reader.ts';
import { decodeRdata, rdataFields, rdataFromText, rdataToText, rdataValues } from './rdata.ts';
import { RdataText, type Word } from './text.ts';

const ORIGIN = nameFromText('spells.test.');

/** Words divided at blanks; those in double quotes are quoted. Enough for these cases. */
function words(line: string): Word[] {
  const found = line.match(/"(?:\\.|[^"\\])*"|\S+/g) ?? [];
  return found.map((word) =>
    word.startsWith('"') ? { text: word.slice(1, -1), quoted: true } : { text: word, quoted: false },
  );
}

const parse = (type: number, line: string): Buffer => rdataFromText(type, new RdataText(words(line), ORIGIN));

const CASES: readonly [type: number, text: string, hex: string, shown?: string][] = [
  [TYPE.A, '192.0.2.1', 'c0000201'],
  [TYPE.NS, 'ns1', '036e7331067370656c6c73047465737400', 'ns1.spells.test.'],
  [TYPE.CNAME, '@', '067370656c6c73047465737400', 'spells.test.'],
  [
    TYPE.SOA,
    'a. b. 1 1h 15m 1w 300',
    '01610001620000000001' + '00000e10' + '00000384' + '00093a80' + '0000012c',
    'a. b. 1 3600 900 604800 300',
  ],
  [TYPE.PTR, 'a.test.', '0161047465737400'],
  [TYPE.HINFO, '"cpu" os', '03637075026f73', '"cpu" "os"'],
  [TYPE.MX, '10 mail', '000a046d61696c067370656c6c73047465737400', '10 mail.spells.test.'],
  [TYPE.TXT, '"a b" c\\"d "\\000\\255"', '0361206203632264' + '0200ff', '"a b" "c\\"d" "\\000\\255"'],
  [TYPE.TXT, '""', '00'],
  [TYPE.AAAA, '2001:db8::1', '20010db8000000000000000000000001'],
  [TYPE.AAAA, '::ffff:192.0.2.1', '00000000000000000000ffffc0000201'],
  [TYPE.SRV, '0 5 143 mail.test.', '00000005008f046d61696c047465737400'],
  [
    TYPE.NAPTR,
    '100 10 "u" "E2U+sip" "!^.*$!sip:a@b!" .',
    '0064000a0175074532552b7369700e215e2e2a24217369703a6140622100',
  ],
  [TYPE.DNAME, 'other.test.', '056f74686572047465737400'],
  [
    TYPE.DS,
    '60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118',
    'ec4505012bb183af5f22588179a53b0a98631fad1a292118',
  ],
  [
    TYPE.SSHFP,
    '2 1 123456789ABCDEF67890123456789ABCDEF67890',
    '0201123456789abcdef67890123456789abcdef67890',
  ],
  [
    TYPE.RRSIG,
    'A 5 3 86400 20030322173103 20030220173103 2642 example. AQID',
    `00010503000151803e7c9dd73e5510d70a52076578616d706c6500010203`,
  ],
  [TYPE.NSEC, 'host. A MX RRSIG NSEC TYPE1234', `04686f7374000006400100000003041b${'00'.repeat(26)}20`],
  [TYPE.DNSKEY, '256 3 5 AQPSKmynfzW4', '010003050103d22a6ca77f35b8'],
  [
    TYPE.NSEC3,
    '1 1 12 AABBCCDD 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A RRSIG',
    '0101000c04aabbccdd14' + '174eb2409fe28bcb4887a1836f957f0a8425e27b' + '000640000000' + '0002',
  ],
  [TYPE.NSEC3PARAM, '1 0 0 -', '0100000000'],
  [TYPE.TLSA, '3 1 1 00FF', '03010100ff'],
  [
    TYPE.CAA,
    '0 issue "ca.test; policy=ev"',
    `00056973737565${Buffer.from('ca.test; policy=ev').toString('hex')}`,
  ],
  [TYPE.URI, '10 1 "ftp://ftp.test/"', `000a0001${Buffer.from('ftp://ftp.test/').toString('hex')}`],
  [TYPE.EUI48, '00-00-5e-00-53-2a', '00005e00532a'],
  [TYPE.L64, '10 2001:0db8:1140:1000', '000a20010db811401000'],
  [TYPE.ZONEMD, '1 1 1 00FF', '00000001010100ff'],
  [
    TYPE.LOC,
    '42 21 54 N 71 06 18 W -24m 30m',
    '00331613' + '89172dd0' + '70be15f0' + '00988d20',
    '42 21 54.000 N 71 6 18.000 W -24.00m 30.00m 10000.00m 10.00m',
  ],
  [TYPE.APL, '1:192.0.2.0/24 !2:2001:db8::/32', '00011803c00002' + '00022084' + '20010db8'],
  [TYPE.CAA, '0 "" "a"', '000061'],
  [TYPE.SVCB, '1 . no-default-alpn key7', '0001000002000000070000'],
  [TYPE.HTTPS, '0 pool.svc.test.', '000004706f6f6c03737663047465737400'],
  [
    TYPE.SVCB,
    '1 . port=53 alpn=h2,h3',
    '000100' + '00010006' + '026832026833' + '000300020035',
    '1 . alpn="h2,h3" port=53',
  ],
  [
    TYPE.SVCB,
    '1 . mandatory=alpn alpn=f\\\\\\\\oo\\\\,bar,h2',
    '0001000000000200010001000c08665c6f6f2c626172026832',
    '1 . mandatory=alpn alpn="f\\\\\\\\oo\\\\,bar,h2"',
  ],
  [731, '\\# 3 ABCDEF', 'abcdef'],
  [731, '\\# 0', ''],
];

for (const [type, text, hex, shown = text] of CASES) {
  test(`${typeName(type)} ${text}`, () => {
    const rdata = parse(type, text);
    assert.equal(rdata.toString('hex'), hex);
    assert.equal(rdataToText(type, rdata), shown);
    assert.deepEqual(parse(type, shown), rdata);
    const reader = new WireReader(rdata);
    assert.deepEqual(decodeRdata(type, reader, rdata.length), rdata);
    assert.equal(reader.problem, undefined);
    assert.deepEqual(parse(type, `\\# ${rdata.length} ${hex}`), rdata, 'RFC 3597 form');
  });
}

test('data cut short or running over never reads beyond its length', () => {
  for (const [type, text] of CASES) {
    const rdata = parse(type, text);
    for (let length = 0; length <= rdata.length; length += 1) {
      const reader = new WireReader(Buffer.concat([rdata, Buffer.from([1, 2, 3])]));
      const plain = decodeRdata(type, reader, length);
      if (reader.problem === undefined)
        assert.deepEqual(plain, rdata.subarray(0, length), `${typeName(type)} ${length}`);
    }
    const reader = new WireReader(rdata);
    decodeRdata(type, reader, rdata.length + 1);
    assert.equal(reader.problem, 'record data is cut off');
  }
});

test('data with a fixed form is refused in any other length', () => {
  for (const [type, length] of [
    [TYPE.A, 3],
    [TYPE.A, 5],
    [TYPE.AAAA, 15],
    [TYPE.AAAA, 17],
    [TYPE.MX, 2],
    [TYPE.SRV, 6],
  ] as const) {
    const reader = new WireReader(Buffer.alloc(20));
    decodeRdata(type, reader, length);
    assert.notEqual(reader.problem, undefined, `${typeName(type)} of ${length}`);
  }
});

test('times of signatures are shown as dates', () => {
  const text = 'A 5 3 86400 20030322173103 20030220173103 2642 example. AQID';
  const rdata = parse(TYPE.RRSIG, text);
  assert.equal(rdataToText(TYPE.RRSIG, rdata), text);
  assert.equal(rdataFields(TYPE.RRSIG, rdata)['expiration'], Date.UTC(2003, 2, 22, 17, 31, 3) / 1000);
});

test('fields by name', () => {
  assert.deepEqual(rdataValues(TYPE.MX, parse(TYPE.MX, '10 mail')), {
    preference: 10,
    exchange: 'mail.spells.test.',
  });
  assert.deepEqual(rdataValues(TYPE.A, parse(TYPE.A, '192.0.2.1')), { address: '192.0.2.1' });
  assert.deepEqual(rdataValues(TYPE.TXT, parse(TYPE.TXT, '"v=spf1 -all"')), { strings: ['v=spf1 -all'] });
});

const WRONG: readonly [type: number, text: string][] = [
  [TYPE.A, ''],
  [TYPE.A, '192.0.2'],
  [TYPE.A, '192.0.2.256'],
  [TYPE.A, '192.0.2.01'],
  [TYPE.A, '192.0.2.1 x'],
  [TYPE.A, '\\# 3 000000'],
  [TYPE.AAAA, '1::2::3'],
  [TYPE.AAAA, '12345::'],
  [TYPE.AAAA, '1:2:3:4:5:6:7'],
  [TYPE.AAAA, '1:2:3:4:5:6:7:8:9'],
  [TYPE.MX, '65536 a'],
  [TYPE.MX, '-1 a'],
  [TYPE.MX, '10'],
  [TYPE.NS, '"quoted"'],
  [TYPE.NS, '\\# 2 c000'],
  [TYPE.TXT, ''],
  [TYPE.CAA, '0 is-sue x'],
  [TYPE.DS, '1 1 1 abc'],
  [TYPE.DNSKEY, '1 1 1 A==='],
  [731, 'text'],
  [731, '\\# 2 00'],
  [731, '\\# x 00'],
];

for (const [type, text] of WRONG) {
  test(`not the data of ${typeName(type)}: ${text}`, () => {
    assert.throws(
      () => parse(type, text),
      (error) => error instanceof DnsError && error.code === 'bad-text',
    );
  });
}

test('a text longer than 255 octets becomes several strings', () => {
  const rdata = parse(TYPE.TXT, `"${'k'.repeat(600)}"`);
  assert.deepEqual(
    (rdataFields(TYPE.TXT, rdata)['strings'] as string[]).map((part) => part.length),
    [255, 255, 90],
  );
});
