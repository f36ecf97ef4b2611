/**
 * The parameters of SVCB and HTTPS records. RFC 9460 section 2.1 and appendix A.
 *
 *   1 svc.test. alpn="h2,h3" port=8443 ipv4hint=192.0.2.1
 *
 *   ┌ key 2 ┬ length 2 ┬ value ┐ …   in ascending order of keys, each at most once
 *
 * Lists are escaped twice in text: once as items of a list, where a comma in an item is `\,`, and that once more
 * as any text of a zone file.
 */
import { DnsError } from '../../errors.ts';
import { addressToText, ipv4FromText, ipv6FromText } from '../address.ts';
import { WireWriter } from '../writer.ts';
import type { Field } from './field.ts';
import { base64FromText, decimal, octetsFromText, quote } from './text.ts';

export interface ServiceParameter {
  readonly key: number;
  readonly value: Buffer;
}

const MANDATORY = 0;
const KEYS: Readonly<Record<string, number>> = {
  mandatory: MANDATORY,
  alpn: 1,
  'no-default-alpn': 2,
  port: 3,
  ipv4hint: 4,
  ech: 5,
  ipv6hint: 6,
  dohpath: 7,
  ohttp: 8,
};
const KEY_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(KEYS).map(([name, key]) => [key, name]),
);

/** Keys whose presence says it all. */
const FLAGS: ReadonlySet<number> = new Set([2, 8]);

/** A value's two forms. `parse` gets the octets that the text stands for, undefined without `=`. */
interface ValueForm {
  parse(octets: string | undefined, name: string): Buffer;
  format(value: Buffer): string | undefined;
}

const FORMS: Readonly<Record<string, ValueForm>> = {
  mandatory: {
    parse: (octets, name) =>
      concatU16(uniqueSorted(listItems(octets, name).map((item) => mandatoryKey(item)))),
    format: (value) => keysIn(value).map(keyName).join(','),
  },
  alpn: {
    parse: (octets, name) => lengthPrefixed(listItems(octets, name)),
    format: (value) => quote(prefixedItems(value).map(escapeItem).join(',')),
  },
  'no-default-alpn': flag(),
  port: {
    parse: (octets, name) => concatU16([decimal(octets ?? '', 0xffff, name)]),
    format: (value) => (value.length === 2 ? String(value.readUInt16BE(0)) : quote(value.toString('latin1'))),
  },
  ipv4hint: addresses(4, ipv4FromText),
  ech: {
    parse: (octets, name) => base64FromText(octets ?? '', name),
    format: (value) => value.toString('base64'),
  },
  ipv6hint: addresses(16, ipv6FromText),
  dohpath: {
    parse: (octets, name) => Buffer.from(present(octets, name), 'latin1'),
    format: (value) => quote(value.toString('latin1')),
  },
  ohttp: flag(),
};

function flag(): ValueForm {
  return {
    parse(octets, name) {
      if (octets !== undefined) throw new DnsError('bad-text', `${name} takes no value`);
      return Buffer.alloc(0);
    },
    format: () => undefined,
  };
}

function addresses(length: number, fromText: (text: string) => Buffer | undefined): ValueForm {
  return {
    parse: (octets, name) =>
      Buffer.concat(
        present(octets, name)
          .split(',')
          .map((item) => {
            const address = fromText(item);
            if (address === undefined) throw new DnsError('bad-text', `${name}: not an address: ${item}`);
            return address;
          }),
      ),
    format(value) {
      const all: string[] = [];
      for (let at = 0; at < value.length; at += length)
        all.push(addressToText(value.subarray(at, at + length)));
      return all.join(',');
    },
  };
}

/** Any key that has no form of its own: opaque octets. */
const OPAQUE: ValueForm = {
  parse: (octets = '') => Buffer.from(octets, 'latin1'),
  format: (value) => (value.length === 0 ? undefined : quote(value.toString('latin1'))),
};

export const serviceParameters: Field<ServiceParameter[]> = {
  read(reader) {
    const parameters: ServiceParameter[] = [];
    let previous = -1;
    while (reader.remaining > 0) {
      const key = reader.u16();
      if (key <= previous) reader.fail('service parameters are not in ascending order');
      previous = key;
      parameters.push({ key, value: reader.take(reader.u16()) });
    }
    return parameters;
  },
  write(value, writer) {
    for (const parameter of value) {
      writer.u16(parameter.key);
      writer.u16(parameter.value.length);
      writer.put(parameter.value);
    }
  },
  format(value) {
    return value.map((parameter) => formatParameter(parameter)).join(' ');
  },
  parse(text, what) {
    const parameters: ServiceParameter[] = [];
    while (!text.done) parameters.push(parseParameter(text.plain(what)));
    parameters.sort((a, b) => a.key - b.key);
    checkParameters(parameters);
    return parameters;
  },
};

function formatParameter({ key, value }: ServiceParameter): string {
  // A value that its form could not have is shown as what it is.
  const name = value.length === 0 && !FLAGS.has(key) ? `key${key}` : keyName(key);
  const text = (FORMS[name] ?? OPAQUE).format(value);
  return text === undefined ? name : `${name}=${text}`;
}

function parseParameter(word: string): ServiceParameter {
  const equals = word.indexOf('=');
  const name = equals < 0 ? word : word.slice(0, equals);
  const octets = equals < 0 ? undefined : octetsFromText(withoutQuotes(word.slice(equals + 1)));
  const value = (FORMS[name] ?? OPAQUE).parse(octets, name);
  return { key: keyNumber(name), value };
}

function withoutQuotes(text: string): string {
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
}

function checkParameters(sorted: readonly ServiceParameter[]): void {
  for (const [index, { key }] of sorted.entries()) {
    if (sorted[index + 1]?.key === key) throw new DnsError('bad-text', `${keyName(key)} stands twice`);
  }
  const mandatory = sorted.find(({ key }) => key === MANDATORY);
  for (const key of keysIn(mandatory?.value ?? Buffer.alloc(0))) {
    if (!sorted.some((parameter) => parameter.key === key)) {
      throw new DnsError('bad-text', `${keyName(key)} is mandatory and missing`);
    }
  }
}

function keyName(key: number): string {
  return KEY_NAMES.get(key) ?? `key${key}`;
}

/** A name of the registry, or `key` and a number. */
function keyNumber(name: string): number {
  const known = KEYS[name];
  if (known !== undefined) return known;
  if (!name.startsWith('key')) throw new DnsError('bad-text', `unknown service parameter: ${name}`);
  return decimal(name.slice(3), 0xffff, name);
}

function mandatoryKey(item: string): number {
  const key = keyNumber(item);
  if (key === MANDATORY) throw new DnsError('bad-text', 'mandatory cannot be mandatory itself');
  return key;
}

function uniqueSorted(keys: number[]): number[] {
  if (new Set(keys).size !== keys.length) throw new DnsError('bad-text', 'a mandatory key stands twice');
  return keys.sort((a, b) => a - b);
}

function present(octets: string | undefined, name: string): string {
  if (octets === undefined || octets === '') throw new DnsError('bad-text', `${name} needs a value`);
  return octets;
}

/** The items of a comma-separated list; `\,` and `\\` stand for a comma and a backslash in an item. */
function listItems(octets: string | undefined, name: string): string[] {
  const text = present(octets, name);
  const items: string[] = [];
  let item = '';
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] as string;
    if (character === ',') {
      items.push(item);
      item = '';
    } else if (character === '\\') {
      at += 1;
      const escaped = text[at];
      if (escaped !== ',' && escaped !== '\\')
        throw new DnsError('bad-text', `${name}: a backslash before neither comma nor backslash`);
      item += escaped;
    } else {
      item += character;
    }
  }
  items.push(item);
  if (items.includes('')) throw new DnsError('bad-text', `${name} has an empty item`);
  return items;
}

function escapeItem(item: string): string {
  return item.replace(/[\\,]/g, (character) => `\\${character}`);
}

function lengthPrefixed(items: readonly string[]): Buffer {
  const writer = new WireWriter(0xffff, 'plain');
  for (const item of items) {
    if (item.length > 255) throw new DnsError('bad-text', 'an item is longer than 255 octets');
    writer.characterString(item);
  }
  return writer.copyFrom(0);
}

function prefixedItems(value: Buffer): string[] {
  const items: string[] = [];
  for (let at = 0; at < value.length; at += 1 + (value[at] ?? 0)) {
    items.push(value.toString('latin1', at + 1, at + 1 + (value[at] ?? 0)));
  }
  return items;
}

function concatU16(values: readonly number[]): Buffer {
  const octets = Buffer.alloc(values.length * 2);
  for (const [index, value] of values.entries()) octets.writeUInt16BE(value, index * 2);
  return octets;
}

function keysIn(value: Buffer): number[] {
  return Array.from({ length: value.length >> 1 }, (_, at) => value.readUInt16BE(at * 2));
}
