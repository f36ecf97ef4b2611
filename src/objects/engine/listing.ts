/**
 * One page of a listing. With a delimiter, keys that share what lies between the prefix and the next
 * delimiter are rolled up into one common prefix, and the scan seeks past all of them at once:
 *
 *   prefix ''  delimiter '/'      a  b/1 b/2 … b/999999  c
 *                                 ▲  ▲       seek 'b0' ──▲       ('0' follows '/')
 *
 * So a page of n entries costs n + 1 seeks at most, however many keys lie below.
 */
import type { Position } from '../wire/list-parameters.ts';
import type { ListedObject, ObjectStorage } from './storage.ts';

export interface PageRequest {
  readonly bucket: string;
  readonly prefix: string;
  readonly delimiter: string | undefined;
  readonly after: Position | undefined;
  readonly limit: number;
}

export interface Page {
  readonly objects: readonly ListedObject[];
  readonly prefixes: readonly string[];
  readonly truncated: boolean;
  /** The last entry, an object or a common prefix; undefined for an empty page. */
  readonly last: Position | undefined;
}

export function listPage(storage: ObjectStorage, request: PageRequest): Page {
  const prefix = Buffer.from(request.prefix, 'utf8');
  const delimiter = Buffer.from(request.delimiter ?? '', 'utf8');
  const objects: ListedObject[] = [];
  const prefixes: string[] = [];
  let last: Position | undefined;
  let from: Buffer | undefined = startOf(request.after, prefix);
  if (request.limit === 0) return { objects, prefixes, truncated: false, last };
  while (from !== undefined) {
    let seek: Buffer | undefined;
    for (const object of storage.objects(request.bucket, from)) {
      if (!startsWith(object.key, prefix)) break;
      if (objects.length + prefixes.length === request.limit) {
        return { objects, prefixes, truncated: true, last };
      }
      const common = commonPrefix(object.key, prefix.length, delimiter);
      if (common === undefined) {
        objects.push(object);
        last = { kind: 'key', name: object.key.toString('utf8') };
        continue;
      }
      last = { kind: 'prefix', name: common.toString('utf8') };
      prefixes.push(last.name);
      seek = successor(common);
      break;
    }
    from = seek;
  }
  return { objects, prefixes, truncated: false, last };
}

/** The first key that may be on the page. */
function startOf(after: Position | undefined, prefix: Buffer): Buffer {
  if (after === undefined) return prefix;
  const name = Buffer.from(after.name, 'utf8');
  const start = after.kind === 'key' ? Buffer.concat([name, Buffer.of(0)]) : successor(name);
  return start === undefined || Buffer.compare(start, prefix) > 0 ? (start ?? Buffer.of(0xff)) : prefix;
}

function startsWith(key: Buffer, prefix: Buffer): boolean {
  return key.length >= prefix.length && key.compare(prefix, 0, prefix.length, 0, prefix.length) === 0;
}

function commonPrefix(key: Buffer, prefixBytes: number, delimiter: Buffer): Buffer | undefined {
  if (delimiter.length === 0) return undefined;
  const at = key.indexOf(delimiter, prefixBytes);
  return at < 0 ? undefined : key.subarray(0, at + delimiter.length);
}

/** The first byte string after everything that begins with `prefix`; UTF-8 never ends in 0xff. */
export function successor(prefix: Buffer): Buffer | undefined {
  if (prefix.length === 0) return undefined;
  const next = Buffer.from(prefix);
  next[next.length - 1]! += 1;
  return next;
}

/** The `marker` of ListObjects may be the common prefix that ended the page before. */
export function positionOfMarker(
  marker: string | undefined,
  prefix: string,
  delimiter: string | undefined,
): Position | undefined {
  if (marker === undefined) return undefined;
  const rest = marker.startsWith(prefix) ? marker.slice(prefix.length) : '';
  const isCommon =
    delimiter !== undefined && rest !== '' && rest.indexOf(delimiter) === rest.length - delimiter.length;
  return { kind: isCommon && rest.endsWith(delimiter) ? 'prefix' : 'key', name: marker };
}
