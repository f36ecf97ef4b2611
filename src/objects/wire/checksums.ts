/**
 * Object checksums: five algorithms, each carried by a field `x-amz-checksum-<name>` in base64.
 * Source: "Checking object integrity", Amazon S3 User Guide.
 */
import { S3Error } from '../errors.ts';
import type { Fields } from './fields.ts';

export const CHECKSUM_ALGORITHMS = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const;
export type ChecksumAlgorithm = (typeof CHECKSUM_ALGORITHMS)[number];

/** FULL_OBJECT is over the bytes; COMPOSITE is over the checksums of the parts, with `-<parts>` after it. */
export type ChecksumType = 'FULL_OBJECT' | 'COMPOSITE';

export interface Checksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly type: ChecksumType;
  /** Base64, with `-<parts>` after it when COMPOSITE. */
  readonly value: string;
}

/** What a client says the bytes hash to. */
export interface ClaimedChecksum {
  readonly algorithm: ChecksumAlgorithm;
  /** Base64 of exactly the algorithm's length. */
  readonly value: string;
}

export const CHECKSUM_BYTES: Readonly<Record<ChecksumAlgorithm, number>> = {
  CRC32: 4,
  CRC32C: 4,
  CRC64NVME: 8,
  SHA1: 20,
  SHA256: 32,
};

const FIELD_PREFIX = 'x-amz-checksum-';
/** Fields of the same prefix that carry no checksum. */
const NOT_VALUES = new Set(['x-amz-checksum-algorithm', 'x-amz-checksum-mode', 'x-amz-checksum-type']);

export function checksumField(algorithm: ChecksumAlgorithm): string {
  return FIELD_PREFIX + algorithm.toLowerCase();
}

/** The element of XML documents: `ChecksumCRC32C`. */
export function checksumElement(algorithm: ChecksumAlgorithm): string {
  return `Checksum${algorithm}`;
}

/** @throws S3Error InvalidRequest for an algorithm that is not one of the five */
export function parseChecksumAlgorithm(text: string): ChecksumAlgorithm {
  const upper = text.toUpperCase();
  const found = CHECKSUM_ALGORITHMS.find((algorithm) => algorithm === upper);
  if (found === undefined) {
    throw new S3Error(
      'InvalidRequest',
      `Checksum algorithm ${text} is not one of CRC32, CRC32C, CRC64NVME, SHA1, SHA256.`,
    );
  }
  return found;
}

/** The algorithm that `x-amz-checksum-crc32` or a trailer of that name stands for. */
export function algorithmOfField(name: string): ChecksumAlgorithm | undefined {
  return CHECKSUM_ALGORITHMS.find((algorithm) => checksumField(algorithm) === name);
}

/** @throws S3Error InvalidRequest when `value` is not base64 of the algorithm's length */
export function claimChecksum(algorithm: ChecksumAlgorithm, value: string): ClaimedChecksum {
  if (!isBase64Of(value, CHECKSUM_BYTES[algorithm])) {
    throw new S3Error('InvalidRequest', `Value for ${checksumField(algorithm)} header is invalid.`);
  }
  return { algorithm, value };
}

/** True when `text` is the canonical base64 form of `length` bytes. */
export function isBase64Of(text: string, length: number): boolean {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === length && bytes.toString('base64') === text;
}

/**
 * The checksum a request claims in its fields, if any.
 * @throws S3Error InvalidRequest for two, for an unknown one, for a malformed value, and when
 *   `x-amz-sdk-checksum-algorithm` names another or nothing follows it
 */
export function claimedChecksum(fields: Fields): ClaimedChecksum | undefined {
  let claimed: ClaimedChecksum | undefined;
  for (const [name, value] of fields) {
    if (!name.startsWith(FIELD_PREFIX) || NOT_VALUES.has(name)) continue;
    const algorithm = algorithmOfField(name) ?? parseChecksumAlgorithm(name.slice(FIELD_PREFIX.length));
    if (claimed !== undefined) {
      throw new S3Error(
        'InvalidRequest',
        'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
      );
    }
    claimed = claimChecksum(algorithm, value);
  }
  const trailer = fields.get('x-amz-trailer');
  if (claimed !== undefined && trailer !== undefined) {
    throw new S3Error('InvalidRequest', 'Expecting a single x-amz-checksum- header or trailer, not both.');
  }
  requireAnnounced(fields, claimed?.algorithm ?? trailerAlgorithm(trailer));
  return claimed;
}

/** The checksum that `x-amz-trailer` announces. @throws S3Error InvalidRequest for any other trailer */
export function trailerAlgorithm(trailer: string | undefined): ChecksumAlgorithm | undefined {
  if (trailer === undefined) return undefined;
  const algorithm = algorithmOfField(trailer.trim().toLowerCase());
  if (algorithm === undefined) {
    throw new S3Error('InvalidRequest', 'The value specified in the x-amz-trailer header is not supported');
  }
  return algorithm;
}

function requireAnnounced(fields: Fields, given: ChecksumAlgorithm | undefined): void {
  const announced = fields.get('x-amz-sdk-checksum-algorithm');
  if (announced === undefined) return;
  if (given === undefined) {
    throw new S3Error(
      'InvalidRequest',
      'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer ' +
        'headers were found.',
    );
  }
  if (parseChecksumAlgorithm(announced) !== given) {
    throw new S3Error('InvalidRequest', 'Value for x-amz-sdk-checksum-algorithm header is invalid.');
  }
}

/** Content-MD5. @throws S3Error InvalidDigest when it is not base64 of 16 bytes */
export function claimedMd5(fields: Fields): string | undefined {
  const value = fields.get('content-md5');
  if (value === undefined) return undefined;
  if (!isBase64Of(value, 16)) throw new S3Error('InvalidDigest');
  return value;
}
