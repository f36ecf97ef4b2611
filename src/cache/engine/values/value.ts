/**
 * The five types a key can hold. A string is a plain JS string, one character per byte, until a command
 * changes it in place; the others are classes that know their own weight.
 */
import {
  BLOCK_BYTES,
  HASH_BYTES,
  HASH_FIELD_BYTES,
  LIST_BYTES,
  LIST_ITEM_BYTES,
  SET_BYTES,
  SET_MEMBER_BYTES,
  stringBytes,
  ZSET_BYTES,
  ZSET_MEMBER_BYTES,
} from '../memory.ts';
import { isInteger } from '../numbers.ts';
import { ByteString } from './byte-string.ts';
import { ChunkedList } from './chunked-list.ts';
import { DenseMap, DenseSet } from './dense-set.ts';
import { type EncodingLimits, fitsListNode } from './encoding-limits.ts';
import { SortedTree } from './sorted-tree.ts';

export type Value = string | ByteString | ListValue | HashValue | SetValue | SortedSetValue;

/** The types that are made when first written to and vanish when empty. */
export type Container = ListValue | HashValue | SetValue | SortedSetValue;

export type ContainerKind<C extends Container> = new (limits: EncodingLimits) => C;

export type TypeName = 'string' | 'list' | 'hash' | 'set' | 'zset';

export function typeName(value: Value): TypeName {
  return typeof value === 'string' || value instanceof ByteString ? 'string' : value.type;
}

export function isContainer(value: Value): value is Container {
  return typeof value !== 'string' && !(value instanceof ByteString);
}

/** The bytes of a string value as text. */
export function textOf(value: string | ByteString): string {
  return typeof value === 'string' ? value : value.text();
}

/** Bytes of memory the value takes. */
export function valueBytes(value: Value): number {
  if (typeof value === 'string') return stringBytes(value.length);
  if (value instanceof ByteString) return BLOCK_BYTES + value.capacity;
  return value.bytes;
}

const EMBEDDED_STRING_BYTES = 44;

export function encodingOf(value: Value): string {
  if (value instanceof ByteString) return 'raw';
  if (typeof value !== 'string') return value.encoding;
  if (isInteger(value)) return 'int';
  return value.length <= EMBEDDED_STRING_BYTES ? 'embstr' : 'raw';
}

/** A deep copy, for COPY. */
export function copyOf(value: Value, limits: EncodingLimits): Value {
  if (typeof value === 'string') return value;
  if (value instanceof ByteString) return new ByteString(value.text());
  return value.copy(limits);
}

export class ListValue {
  readonly type = 'list';
  readonly items = new ChunkedList();
  readonly #limits: EncodingLimits;
  #textBytes = 0;
  #textCost = 0;
  #large = false;

  constructor(limits: EncodingLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.items.size;
  }

  get bytes(): number {
    return LIST_BYTES + this.items.size * LIST_ITEM_BYTES + this.#textCost;
  }

  /** Small again means compact again, but only at half the bound. */
  get encoding(): 'listpack' | 'quicklist' {
    const { listMaxListpackSize: limit } = this.#limits;
    const factor = this.#large ? 2 : 1;
    this.#large = !fitsListNode(limit, this.size * factor, (this.#textBytes + this.size * 2) * factor);
    return this.#large ? 'quicklist' : 'listpack';
  }

  push(item: string, atHead: boolean): void {
    if (atHead) this.items.unshift(item);
    else this.items.push(item);
    this.#count(item, 1);
  }

  pop(atHead: boolean): string | undefined {
    const item = atHead ? this.items.shift() : this.items.pop();
    if (item !== undefined) this.#count(item, -1);
    return item;
  }

  insert(index: number, item: string): void {
    this.items.insert(index, item);
    this.#count(item, 1);
  }

  set(index: number, item: string): void {
    this.#count(this.items.set(index, item), -1);
    this.#count(item, 1);
  }

  removeAt(index: number): void {
    this.#count(this.items.removeAt(index), -1);
  }

  copy(limits: EncodingLimits): ListValue {
    const list = new ListValue(limits);
    for (const item of this.items.from(0)) list.push(item, false);
    return list;
  }

  #count(item: string, sign: 1 | -1): void {
    this.#textBytes += sign * item.length;
    this.#textCost += sign * stringBytes(item.length);
  }
}

export class HashValue {
  readonly type = 'hash';
  readonly fields = new DenseMap<string>();
  readonly #limits: EncodingLimits;
  #textCost = 0;
  #large = false;

  constructor(limits: EncodingLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.fields.size;
  }

  get bytes(): number {
    return HASH_BYTES + this.fields.size * HASH_FIELD_BYTES + this.#textCost;
  }

  get encoding(): 'listpack' | 'hashtable' {
    return this.#large ? 'hashtable' : 'listpack';
  }

  get(field: string): string | undefined {
    return this.fields.get(field);
  }

  /** @returns true when the field is new */
  set(field: string, text: string): boolean {
    const before = this.fields.get(field);
    this.#textCost += stringBytes(text.length) - (before === undefined ? 0 : stringBytes(before.length));
    if (before === undefined) this.#textCost += stringBytes(field.length);
    this.fields.set(field, text);
    const { hashMaxListpackEntries, hashMaxListpackValue } = this.#limits;
    if (Math.max(field.length, text.length) > hashMaxListpackValue || this.size > hashMaxListpackEntries) {
      this.#large = true;
    }
    return before === undefined;
  }

  delete(field: string): boolean {
    const before = this.fields.get(field);
    if (before === undefined) return false;
    this.fields.remove(field);
    this.#textCost -= stringBytes(field.length) + stringBytes(before.length);
    return true;
  }

  copy(limits: EncodingLimits): HashValue {
    const hash = new HashValue(limits);
    this.fields.keys.forEach((field, i) => {
      hash.set(field, this.fields.values[i]!);
    });
    return hash;
  }
}

export class SetValue {
  readonly type = 'set';
  readonly members = new DenseSet();
  readonly #limits: EncodingLimits;
  #textCost = 0;
  #encoding: 'intset' | 'listpack' | 'hashtable' = 'intset';

  constructor(limits: EncodingLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.members.size;
  }

  get bytes(): number {
    return SET_BYTES + this.members.size * SET_MEMBER_BYTES + this.#textCost;
  }

  get encoding(): 'intset' | 'listpack' | 'hashtable' {
    return this.#encoding;
  }

  has(member: string): boolean {
    return this.members.has(member);
  }

  add(member: string): boolean {
    if (!this.members.add(member)) return false;
    this.#textCost += stringBytes(member.length);
    if (this.#encoding !== 'hashtable') this.#widen(member);
    return true;
  }

  delete(member: string): boolean {
    if (!this.members.remove(member)) return false;
    this.#textCost -= stringBytes(member.length);
    return true;
  }

  /** All members; a set of integers in ascending order, as its encoding has it. */
  list(): readonly string[] {
    if (this.#encoding !== 'intset') return this.members.keys;
    return [...this.members.keys].sort((a, b) => {
      const difference = BigInt(a) - BigInt(b);
      return difference < 0n ? -1 : difference > 0n ? 1 : 0;
    });
  }

  copy(limits: EncodingLimits): SetValue {
    const set = new SetValue(limits);
    for (const member of this.members.keys) set.add(member);
    return set;
  }

  #widen(member: string): void {
    const { setMaxIntsetEntries, setMaxListpackEntries, setMaxListpackValue } = this.#limits;
    const whole = this.#encoding === 'intset' && isInteger(member);
    if (whole && this.size <= setMaxIntsetEntries) return;
    const small = this.size <= setMaxListpackEntries && (whole || member.length <= setMaxListpackValue);
    this.#encoding = small ? 'listpack' : 'hashtable';
  }
}

export class SortedSetValue {
  readonly type = 'zset';
  /** Member to score. */
  readonly scores = new DenseMap<number>();
  /** The same pairs in order. */
  readonly order = new SortedTree();
  readonly #limits: EncodingLimits;
  #textCost = 0;
  #large = false;

  constructor(limits: EncodingLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.scores.size;
  }

  get bytes(): number {
    return ZSET_BYTES + this.scores.size * ZSET_MEMBER_BYTES + this.#textCost;
  }

  get encoding(): 'listpack' | 'skiplist' {
    return this.#large ? 'skiplist' : 'listpack';
  }

  score(member: string): number | undefined {
    return this.scores.get(member);
  }

  /** Adds the member or moves it to another score. @returns true when it is new */
  set(member: string, score: number): boolean {
    const before = this.scores.get(member);
    if (before === score) return false;
    if (before !== undefined) this.order.remove(before, member);
    this.order.insert(score === 0 ? 0 : score, member);
    this.scores.set(member, score);
    if (before === undefined) this.#added(member);
    return before === undefined;
  }

  delete(member: string): boolean {
    const score = this.scores.get(member);
    if (score === undefined) return false;
    this.order.remove(score, member);
    this.scores.remove(member);
    this.#textCost -= stringBytes(member.length);
    return true;
  }

  rank(member: string): number | undefined {
    const score = this.scores.get(member);
    return score === undefined ? undefined : this.order.rankOf(score, member);
  }

  copy(limits: EncodingLimits): SortedSetValue {
    const zset = new SortedSetValue(limits);
    this.scores.keys.forEach((member, i) => {
      zset.set(member, this.scores.values[i]!);
    });
    return zset;
  }

  #added(member: string): void {
    this.#textCost += stringBytes(member.length);
    const { zsetMaxListpackEntries, zsetMaxListpackValue } = this.#limits;
    if (this.size > zsetMaxListpackEntries || member.length > zsetMaxListpackValue) this.#large = true;
  }
}
