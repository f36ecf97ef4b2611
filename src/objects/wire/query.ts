/**
 * The query of a request, decoded. A name that comes twice is refused: two readers of one request must never
 * see two values, least of all in a presigned URL.
 */
import { S3Error } from '../errors.ts';
import { decodeUri, encodeUri } from './uri-encoding.ts';

export class Query {
  readonly #values: ReadonlyMap<string, string>;

  constructor(values: ReadonlyMap<string, string>) {
    this.#values = values;
  }

  /** @throws S3Error InvalidURI for a broken escape, InvalidArgument for a repeated name */
  static parse(raw: string): Query {
    const values = new Map<string, string>();
    for (const pair of raw.split('&')) {
      if (pair === '') continue;
      const equals = pair.indexOf('=');
      const name = decodeUri(equals < 0 ? pair : pair.slice(0, equals), true);
      const value = decodeUri(equals < 0 ? '' : pair.slice(equals + 1), true);
      if (name === undefined || value === undefined) throw new S3Error('InvalidURI');
      if (values.has(name)) {
        throw new S3Error('InvalidArgument', 'A query parameter was given more than once.', {
          elements: { ArgumentName: name },
        });
      }
      values.set(name, value);
    }
    return new Query(values);
  }

  get(name: string): string | undefined {
    return this.#values.get(name);
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.#values.entries();
  }

  /** CanonicalQueryString: encoded names and values, in the order of the encoded names. */
  canonical(except?: string): string {
    const pairs: string[] = [];
    for (const [name, value] of this.#values) {
      if (name !== except) pairs.push(`${encodeUri(name)}=${encodeUri(value)}`);
    }
    return pairs.sort(comparePairs).join('&');
  }
}

/** By name, then value: `=` must not take part, for it sorts after `-` and `.` and digits. */
function comparePairs(left: string, right: string): number {
  const leftName = left.slice(0, left.indexOf('='));
  const rightName = right.slice(0, right.indexOf('='));
  if (leftName !== rightName) return leftName < rightName ? -1 : 1;
  return left < right ? -1 : left > right ? 1 : 0;
}
