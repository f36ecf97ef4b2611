/**
 * What each record type's data consists of, in wire order. A new type is one line here and its number in
 * `codes.ts`; a type without a line is carried as opaque octets and shown as `\# length hex` (RFC 3597).
 */
import { TYPE } from '../codes.ts';
import { addressPrefixes } from './address-prefixes.ts';
import {
  algorithm,
  base64,
  certificateType,
  characterString,
  characterStrings,
  compressibleName,
  dsyncScheme,
  eui48,
  eui64,
  type Field,
  hashedName,
  hex,
  ipv4,
  ipv6,
  locator64,
  name,
  propertyTag,
  recordType,
  remainingText,
  salt,
  seconds,
  someBase64,
  someHex,
  timestamp,
  typeBitmap,
  u8,
  u16,
  u32,
} from './field.ts';
import { location } from './location.ts';
import { serviceParameters } from './service-parameters.ts';

// biome-ignore lint/suspicious/noExplicitAny: a layout mixes field kinds; each pairs read with write and format.
export type Layout = Readonly<Record<string, Field<any>>>;

const dnskey: Layout = { flags: u16, protocol: u8, algorithm, publicKey: base64 };
const ds: Layout = { keyTag: u16, algorithm, digestType: u8, digest: someHex };
const tlsa: Layout = { usage: u8, selector: u8, matchingType: u8, data: someHex };
const text: Layout = { strings: characterStrings };
const service: Layout = { priority: u16, target: name, parameters: serviceParameters };
const twoMailboxes: Layout = { mailbox: name, text: name };

const LAYOUTS: ReadonlyMap<number, Layout> = new Map<number, Layout>([
  // RFC 1035: the only types whose names may be compressed.
  [TYPE.A, { address: ipv4 }],
  [TYPE.NS, { nameServer: compressibleName }],
  [TYPE.MD, { host: compressibleName }],
  [TYPE.MF, { host: compressibleName }],
  [TYPE.CNAME, { target: compressibleName }],
  [
    TYPE.SOA,
    {
      primary: compressibleName,
      mailbox: compressibleName,
      serial: u32,
      refresh: seconds,
      retry: seconds,
      expire: seconds,
      minimum: seconds,
    },
  ],
  [TYPE.MB, { host: compressibleName }],
  [TYPE.MG, { mailbox: compressibleName }],
  [TYPE.MR, { mailbox: compressibleName }],
  [TYPE.PTR, { target: compressibleName }],
  [TYPE.HINFO, { cpu: characterString, system: characterString }],
  [TYPE.MINFO, { responsible: compressibleName, errors: compressibleName }],
  [TYPE.MX, { preference: u16, exchange: compressibleName }],
  [TYPE.TXT, text],
  [TYPE.RP, twoMailboxes], // RFC 1183
  [TYPE.AFSDB, { subtype: u16, host: name }],
  [TYPE.RT, { preference: u16, host: name }],
  [TYPE.KEY, dnskey], // RFC 2535
  [TYPE.AAAA, { address: ipv6 }], // RFC 3596
  [TYPE.LOC, { location }], // RFC 1876
  [TYPE.SRV, { priority: u16, weight: u16, port: u16, target: name }], // RFC 2782
  [
    TYPE.NAPTR, // RFC 3403
    {
      order: u16,
      preference: u16,
      flags: characterString,
      services: characterString,
      regexp: characterString,
      replacement: name,
    },
  ],
  [TYPE.KX, { preference: u16, exchanger: name }], // RFC 2230
  [TYPE.CERT, { type: certificateType, keyTag: u16, algorithm, certificate: base64 }], // RFC 4398
  [TYPE.DNAME, { target: name }], // RFC 6672
  [TYPE.APL, { prefixes: addressPrefixes }], // RFC 3123
  [TYPE.DS, ds], // RFC 4034
  [TYPE.SSHFP, { algorithm: u8, type: u8, fingerprint: someHex }], // RFC 4255
  [
    TYPE.RRSIG,
    {
      typeCovered: recordType,
      algorithm,
      labels: u8,
      originalTtl: seconds,
      expiration: timestamp,
      inception: timestamp,
      keyTag: u16,
      signer: name,
      signature: base64,
    },
  ],
  [TYPE.NSEC, { next: name, types: typeBitmap }],
  [TYPE.DNSKEY, dnskey],
  [TYPE.DHCID, { data: someBase64 }], // RFC 4701
  [TYPE.NSEC3, { hash: u8, flags: u8, iterations: u16, salt, next: hashedName, types: typeBitmap }], // RFC 5155
  [TYPE.NSEC3PARAM, { hash: u8, flags: u8, iterations: u16, salt }],
  [TYPE.TLSA, tlsa], // RFC 6698
  [TYPE.SMIMEA, tlsa], // RFC 8162
  [TYPE.CDS, ds], // RFC 7344
  [TYPE.CDNSKEY, dnskey],
  [TYPE.OPENPGPKEY, { key: someBase64 }], // RFC 7929
  [TYPE.CSYNC, { serial: u32, flags: u16, types: typeBitmap }], // RFC 7477
  [TYPE.ZONEMD, { serial: u32, scheme: u8, algorithm: u8, digest: hex }], // RFC 8976
  [TYPE.SVCB, service], // RFC 9460
  [TYPE.HTTPS, service],
  [TYPE.DSYNC, { type: recordType, scheme: dsyncScheme, port: u16, target: name }], // RFC 9859
  [TYPE.SPF, text], // RFC 7208
  [TYPE.NID, { preference: u16, nodeId: locator64 }], // RFC 6742
  [TYPE.L32, { preference: u16, locator: ipv4 }],
  [TYPE.L64, { preference: u16, locator: locator64 }],
  [TYPE.LP, { preference: u16, target: name }],
  [TYPE.EUI48, { address: eui48 }], // RFC 7043
  [TYPE.EUI64, { address: eui64 }],
  [TYPE.URI, { priority: u16, weight: u16, target: remainingText }], // RFC 7553
  [TYPE.CAA, { flags: u8, tag: propertyTag, value: remainingText }], // RFC 8659
  [TYPE.RESINFO, text], // RFC 9606
  [TYPE.WALLET, text],
]);

/** Types whose data has names that are compressed when sent. */
const COMPRESSIBLE: ReadonlySet<number> = new Set(
  [...LAYOUTS].filter(([, layout]) => Object.values(layout).includes(compressibleName)).map(([type]) => type),
);

export function layoutOf(type: number): Layout | undefined {
  return LAYOUTS.get(type);
}

export function isCompressible(type: number): boolean {
  return COMPRESSIBLE.has(type);
}
