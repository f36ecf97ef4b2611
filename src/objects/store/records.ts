/**
 * Values in the store, as JSON text in UTF-8 behind one byte that names the format.
 *
 *   01 {"etag":…,"sizeBytes":…}          what a listing shows, and the fields
 *   0a [{"bodyId":…},…]                  only for objects and parts: the content
 *
 * A listing decodes up to the line feed only: an object of 10,000 parts costs it no more than one of none.
 * JSON text holds no raw line feed.
 */
import { AssertionFailed } from '../../core/assert.ts';
import type { Content } from '../engine/model.ts';

const FORMAT = 0x01;
const LINE_FEED = 0x0a;

export function encodeRecord(record: object): Buffer {
  return Buffer.concat([Buffer.of(FORMAT), Buffer.from(JSON.stringify(record), 'utf8')]);
}

/** @returns what `encodeRecord` was given; the caller knows of what type the tree is */
export function decodeRecord<Record>(value: Buffer): Record {
  return JSON.parse(textOf(value, 1, value.length)) as Record;
}

export function encodeContentRecord<Head extends { readonly content: Content }>(record: Head): Buffer {
  const { content, ...head } = record;
  const lines = `${JSON.stringify(head)}\n${JSON.stringify(content)}`;
  return Buffer.concat([Buffer.of(FORMAT), Buffer.from(lines, 'utf8')]);
}

/** Without the content. */
export function decodeContentHead<Head>(value: Buffer): Omit<Head, 'content'> {
  return JSON.parse(textOf(value, 1, endOfHead(value))) as Omit<Head, 'content'>;
}

export function decodeContentRecord<Head extends { readonly content: Content }>(value: Buffer): Head {
  const end = endOfHead(value);
  const head = JSON.parse(textOf(value, 1, end)) as object;
  return { ...head, content: JSON.parse(textOf(value, end + 1, value.length)) as Content } as Head;
}

function endOfHead(value: Buffer): number {
  const end = value.indexOf(LINE_FEED);
  if (end < 0) throw new AssertionFailed('an object record has no content');
  return end;
}

function textOf(value: Buffer, start: number, end: number): string {
  if (value[0] !== FORMAT) throw new AssertionFailed(`a record has the unknown format ${value[0]}`);
  return value.toString('utf8', start, end);
}
