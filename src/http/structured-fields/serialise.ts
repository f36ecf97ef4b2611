/**
 * Structured field → text. RFC 9651 section 4.1.
 *
 * The one canonical form of a value, or an error: nothing that no parser would take leaves from here, whatever
 * the value's text holds, so no value can end a field and begin another.
 */
import { UnsendableError } from '../wire/encode-head.ts';
import { beginsKey, beginsToken, continuesKey, continuesToken, isPrintable } from './grammar.ts';
import {
  type BareItem,
  type Dictionary,
  type InnerList,
  type Item,
  type List,
  MAX_INTEGER,
  type Member,
  type Parameters,
} from './value.ts';

/** @throws UnsendableError when a value cannot be expressed: a number out of range, a string that is not ASCII */
export function serialiseItem(item: Item): string {
  return serialiseBareItem(item.bare) + parametersText(item.parameters);
}

/** '' for an empty list, which is sent by leaving the field out. @throws UnsendableError */
export function serialiseList(list: List): string {
  return list.map(memberText).join(', ');
}

/** '' for an empty dictionary, which is sent by leaving the field out. @throws UnsendableError */
export function serialiseDictionary(dictionary: Dictionary): string {
  const texts: string[] = [];
  for (const [key, member] of dictionary) texts.push(keyText(key) + valueText(member));
  return texts.join(', ');
}

function memberText(member: Member): string {
  return member.kind === 'item' ? serialiseItem(member) : innerListText(member);
}

function innerListText(list: InnerList): string {
  return `(${list.items.map(serialiseItem).join(' ')})${parametersText(list.parameters)}`;
}

function valueText(member: Member): string {
  return member.kind === 'item' && isTrue(member.bare)
    ? parametersText(member.parameters)
    : `=${memberText(member)}`;
}

function parametersText(parameters: Parameters): string {
  let text = '';
  for (const [key, bare] of parameters) {
    text += `;${keyText(key)}${isTrue(bare) ? '' : `=${serialiseBareItem(bare)}`}`;
  }
  return text;
}

function isTrue(bare: BareItem): boolean {
  return bare.type === 'boolean' && bare.value;
}

function keyText(key: string): string {
  if (!made(key, beginsKey, continuesKey)) throw refused('a key');
  return key;
}

/** @throws UnsendableError */
export function serialiseBareItem(bare: BareItem): string {
  switch (bare.type) {
    case 'integer':
      return integerText(bare.value);
    case 'decimal':
      return decimalText(bare.value);
    case 'string':
      return stringText(bare.value);
    case 'token':
      if (!made(bare.value, beginsToken, continuesToken)) throw refused('a token');
      return bare.value;
    case 'bytes':
      return `:${Buffer.from(bare.value).toString('base64')}:`;
    case 'boolean':
      return bare.value ? '?1' : '?0';
    case 'date':
      return `@${integerText(bare.value)}`;
    case 'display-string':
      return displayStringText(bare.value);
  }
}

function integerText(value: number): string {
  if (!Number.isInteger(value) || Math.abs(value) > MAX_INTEGER) throw refused('an integer');
  return String(value + 0);
}

/**
 * Rounded to three digits behind the point, a tie to the even one. The shortest decimal form of the number is what
 * is rounded: multiplying by a thousand would round twice.
 */
function decimalText(value: number): string {
  const magnitude = Math.abs(value);
  if (!(magnitude < 1e12)) throw refused('a decimal');
  const [digits = '0', fraction = ''] = magnitude < 1e-6 ? ['0'] : String(magnitude).split('.');
  const rest = fraction.slice(3);
  let thousandths = Number(digits) * 1_000 + Number(fraction.slice(0, 3).padEnd(3, '0'));
  if (rest > '5' || (rest === '5' && thousandths % 2 === 1)) thousandths++;
  if (thousandths >= 1e15) throw refused('a decimal');
  const text = String(thousandths).padStart(4, '0');
  const behind = text.slice(-3).replace(/0{1,2}$/, '');
  return `${value < 0 && thousandths > 0 ? '-' : ''}${text.slice(0, -3)}.${behind}`;
}

function stringText(value: string): string {
  let text = '"';
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (!isPrintable(code)) throw refused('a string');
    if (code === 0x22 || code === 0x5c) text += '\\';
    text += value[at];
  }
  return `${text}"`;
}

function displayStringText(value: string): string {
  if (!value.isWellFormed()) throw refused('a display string');
  let text = '%"';
  for (const octet of Buffer.from(value)) {
    const plain = isPrintable(octet) && octet !== 0x22 && octet !== 0x25;
    text += plain ? String.fromCharCode(octet) : `%${octet.toString(16).padStart(2, '0')}`;
  }
  return `${text}"`;
}

function made(
  text: string,
  begins: (code: number) => boolean,
  continues: (code: number) => boolean,
): boolean {
  if (!begins(text.charCodeAt(0))) return false;
  for (let at = 1; at < text.length; at++) if (!continues(text.charCodeAt(at))) return false;
  return true;
}

function refused(what: string): UnsendableError {
  return new UnsendableError(`${what} of a structured field cannot be written`);
}
