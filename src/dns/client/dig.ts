/** Messages as `dig` prints them, since that is how people read DNS. */
import { addressFromText } from '../wire/address.ts';
import { className, extendedErrorName, OPTION, opcodeName, rcodeName, typeName } from '../wire/codes.ts';
import { type Edns, type EdnsOption, extendedErrorsOf } from '../wire/edns.ts';
import type { Message, Question } from '../wire/message.ts';
import { nameToText } from '../wire/name.ts';
import { type ResourceRecord, recordToText } from '../wire/record.ts';
import type { DnsReply } from './client.ts';

/** The text of one reply, ending in a newline. */
export function formatDig(reply: DnsReply): string {
  const { message, server, transport, bytes, durationMs, receivedAtMs } = reply;
  const lines = [
    ...headerLines(message),
    ...sectionLines('OPT PSEUDOSECTION', message.edns === undefined ? [] : ednsLines(message.edns), false),
    ...sectionLines('QUESTION SECTION', message.questions.map(questionLine)),
    ...sectionLines('ANSWER SECTION', message.answers.map(recordToText)),
    ...sectionLines('AUTHORITY SECTION', message.authorities.map(recordToText)),
    ...sectionLines('ADDITIONAL SECTION', message.additionals.map(recordToText)),
    `;; Query time: ${Math.round(durationMs)} msec`,
    `;; SERVER: ${server.address}#${server.port} (${transport.toUpperCase()})`,
    `;; WHEN: ${new Date(receivedAtMs).toISOString()}`,
    `;; MSG SIZE  rcvd: ${bytes}`,
  ];
  return `${lines.join('\n')}\n`;
}

/** The data of the answers alone, one per line: `dig +short`. */
export function formatShort(reply: DnsReply): string {
  return reply.message.answers.map((record) => `${dataOf(record)}\n`).join('');
}

function dataOf(record: ResourceRecord): string {
  return recordToText(record).split('\t').slice(4).join('\t');
}

function headerLines(message: Message): string[] {
  const { questions, answers, authorities, additionals, edns } = message;
  const additionalCount = additionals.length + (edns === undefined ? 0 : 1);
  const counts = `QUERY: ${questions.length}, ANSWER: ${answers.length}, AUTHORITY: ${authorities.length}, ADDITIONAL: ${additionalCount}`;
  const lines = [
    `;; ->>HEADER<<- opcode: ${opcodeName(message.opcode)}, status: ${rcodeName(message.rcode)}, id: ${message.id}`,
    `;; flags:${flagsOf(message)}; ${counts}`,
  ];
  if (message.recursionDesired && !message.recursionAvailable) {
    lines.push(';; WARNING: recursion requested but not available');
  }
  return [...lines, ''];
}

function flagsOf(message: Message): string {
  const flags: [boolean, string][] = [
    [message.response, 'qr'],
    [message.authoritative, 'aa'],
    [message.truncated, 'tc'],
    [message.recursionDesired, 'rd'],
    [message.recursionAvailable, 'ra'],
    [message.authenticData, 'ad'],
    [message.checkingDisabled, 'cd'],
  ];
  return flags.map(([set, name]) => (set ? ` ${name}` : '')).join('');
}

function sectionLines(title: string, lines: readonly string[], blankAfter = true): string[] {
  if (lines.length === 0) return [];
  return [`;; ${title}:`, ...lines, ...(blankAfter ? [''] : [])];
}

function questionLine({ name, type, class: cls }: Question): string {
  return `;${nameToText(name)}\t\t${className(cls)}\t${typeName(type)}`;
}

function ednsLines(edns: Edns): string[] {
  const flags = edns.dnssecOk ? ' do' : '';
  const first = `; EDNS: version: ${edns.version}, flags:${flags}; udp: ${edns.udpBytes}`;
  const errors = extendedErrorsOf(edns).map(
    ({ infoCode, text }) =>
      `; EDE: ${infoCode} (${extendedErrorName(infoCode)})${text === '' ? '' : `: (${text})`}`,
  );
  const others = edns.options.filter(({ code }) => code !== OPTION.EXTENDED_ERROR).map(optionLine);
  return [first, ...errors, ...others];
}

function optionLine({ code, data }: EdnsOption): string {
  const hex = data.toString('hex');
  if (code === OPTION.COOKIE) return `; COOKIE: ${hex}`;
  if (code === OPTION.NSID) return `; NSID: ${hex} ("${data.toString('latin1')}")`;
  return `; OPT=${code}: ${hex}`;
}

/**
 * The name under which the name of an address is found: `1.2.0.192.in-addr.arpa.`, or nibbles under `ip6.arpa.`
 * (RFC 1035 section 3.5, RFC 3596 section 2.5). Undefined for what is not an address.
 */
export function reverseName(address: string): string | undefined {
  const octets = addressFromText(address);
  if (octets === undefined) return undefined;
  if (octets.length === 4) return `${[...octets].reverse().join('.')}.in-addr.arpa.`;
  return `${[...octets.toString('hex')].reverse().join('.')}.ip6.arpa.`;
}
