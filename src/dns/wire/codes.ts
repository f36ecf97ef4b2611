/**
 * The numbers of the protocol and their names, each once. From the IANA registry "Domain Name System (DNS)
 * Parameters".
 */

export const TYPE = {
  A: 1,
  NS: 2,
  MD: 3,
  MF: 4,
  CNAME: 5,
  SOA: 6,
  MB: 7,
  MG: 8,
  MR: 9,
  NULL: 10,
  WKS: 11,
  PTR: 12,
  HINFO: 13,
  MINFO: 14,
  MX: 15,
  TXT: 16,
  RP: 17,
  AFSDB: 18,
  X25: 19,
  ISDN: 20,
  RT: 21,
  SIG: 24,
  KEY: 25,
  PX: 26,
  AAAA: 28,
  LOC: 29,
  SRV: 33,
  NAPTR: 35,
  KX: 36,
  CERT: 37,
  DNAME: 39,
  OPT: 41,
  APL: 42,
  DS: 43,
  SSHFP: 44,
  IPSECKEY: 45,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  DHCID: 49,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
  SMIMEA: 53,
  HIP: 55,
  CDS: 59,
  CDNSKEY: 60,
  OPENPGPKEY: 61,
  CSYNC: 62,
  ZONEMD: 63,
  SVCB: 64,
  HTTPS: 65,
  DSYNC: 66,
  SPF: 99,
  NID: 104,
  L32: 105,
  L64: 106,
  LP: 107,
  EUI48: 108,
  EUI64: 109,
  NXNAME: 128,
  TKEY: 249,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  MAILB: 253,
  MAILA: 254,
  ANY: 255,
  URI: 256,
  CAA: 257,
  RESINFO: 261,
  WALLET: 262,
} as const;

export const CLASS = { IN: 1, CH: 3, HS: 4, NONE: 254, ANY: 255 } as const;

export const OPCODE = { QUERY: 0, IQUERY: 1, STATUS: 2, NOTIFY: 4, UPDATE: 5, DSO: 6 } as const;

export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  YXRRSET: 7,
  NXRRSET: 8,
  NOTAUTH: 9,
  NOTZONE: 10,
  BADVERS: 16,
  BADKEY: 17,
  BADTIME: 18,
  BADMODE: 19,
  BADNAME: 20,
  BADALG: 21,
  BADTRUNC: 22,
  BADCOOKIE: 23,
} as const;

/** EDNS(0) option codes. */
export const OPTION = {
  NSID: 3,
  CLIENT_SUBNET: 8,
  EXPIRE: 9,
  COOKIE: 10,
  TCP_KEEPALIVE: 11,
  PADDING: 12,
  EXTENDED_ERROR: 15,
} as const;

/** Info codes of Extended DNS Errors, RFC 8914 section 4 and the registry after it. */
export const EXTENDED_ERROR = {
  OTHER: 0,
  CACHED_ERROR: 13,
  NOT_READY: 14,
  PROHIBITED: 18,
  NOT_AUTHORITATIVE: 20,
  NOT_SUPPORTED: 21,
  NO_REACHABLE_AUTHORITY: 22,
  NETWORK_ERROR: 23,
  INVALID_DATA: 24,
} as const;

const TYPE_NAMES: ReadonlyMap<number, string> = namesOf(TYPE);
const TYPE_NUMBERS: ReadonlyMap<string, number> = new Map(Object.entries(TYPE));
const CLASS_NAMES: ReadonlyMap<number, string> = namesOf(CLASS);
const CLASS_NUMBERS: ReadonlyMap<string, number> = new Map(Object.entries(CLASS));
const OPCODE_NAMES: ReadonlyMap<number, string> = namesOf(OPCODE);
const RCODE_NAMES: ReadonlyMap<number, string> = namesOf(RCODE);
const EXTENDED_ERROR_NAMES: ReadonlyMap<number, string> = new Map([
  [EXTENDED_ERROR.OTHER, 'Other'],
  [EXTENDED_ERROR.CACHED_ERROR, 'Cached Error'],
  [EXTENDED_ERROR.NOT_READY, 'Not Ready'],
  [EXTENDED_ERROR.PROHIBITED, 'Prohibited'],
  [EXTENDED_ERROR.NOT_AUTHORITATIVE, 'Not Authoritative'],
  [EXTENDED_ERROR.NOT_SUPPORTED, 'Not Supported'],
  [EXTENDED_ERROR.NO_REACHABLE_AUTHORITY, 'No Reachable Authority'],
  [EXTENDED_ERROR.NETWORK_ERROR, 'Network Error'],
  [EXTENDED_ERROR.INVALID_DATA, 'Invalid Data'],
]);

/** `A`, `MX`, or `TYPE731` for a type without a name. RFC 3597 section 5. */
export function typeName(type: number): string {
  return TYPE_NAMES.get(type) ?? `TYPE${type}`;
}

/** The number of `A`, `mx`, `TYPE731`; undefined when it names no type. */
export function typeNumber(text: string): number | undefined {
  const upper = text.toUpperCase();
  return TYPE_NUMBERS.get(upper) ?? generic(upper, 'TYPE');
}

export function className(cls: number): string {
  return CLASS_NAMES.get(cls) ?? `CLASS${cls}`;
}

export function classNumber(text: string): number | undefined {
  const upper = text.toUpperCase();
  if (upper === 'ANY' || upper === 'NONE') return undefined; // query classes, never the class of a record
  return CLASS_NUMBERS.get(upper) ?? generic(upper, 'CLASS');
}

export function opcodeName(opcode: number): string {
  return OPCODE_NAMES.get(opcode) ?? `OPCODE${opcode}`;
}

export function rcodeName(rcode: number): string {
  return RCODE_NAMES.get(rcode) ?? `RCODE${rcode}`;
}

export function extendedErrorName(code: number): string {
  return EXTENDED_ERROR_NAMES.get(code) ?? 'Unknown';
}

/** Types that only queries may name, and meta types: never stored in a zone or a cache. RFC 6895 section 3.1. */
export function isMetaType(type: number): boolean {
  return type === TYPE.OPT || (type >= 128 && type <= 255) || type === 0;
}

function namesOf(numbers: Readonly<Record<string, number>>): Map<number, string> {
  return new Map(Object.entries(numbers).map(([name, number]) => [number, name]));
}

function generic(upper: string, prefix: 'TYPE' | 'CLASS'): number | undefined {
  if (!upper.startsWith(prefix)) return undefined;
  const digits = upper.slice(prefix.length);
  if (digits.length === 0 || digits.length > 5) return undefined;
  for (const digit of digits) if (digit < '0' || digit > '9') return undefined;
  const number = Number(digits);
  return number <= 0xffff ? number : undefined;
}
