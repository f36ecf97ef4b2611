/**
 * The CRC of a whole from the CRCs of its parts, without their bytes. A reflected CRC with all ones before
 * and after obeys
 *
 *   crc(A B) = crc(A) · x^(8 · length of B) mod P  xor  crc(B)
 *
 * over polynomials with coefficients in GF(2). Bit 63 (or 31) of a reflected value is x^0.
 */

interface Field {
  readonly bits: bigint;
  /** The polynomial, reflected, without its highest term. */
  readonly polynomial: bigint;
}

const FIELDS: Readonly<Record<string, Field>> = {
  CRC32: { bits: 32n, polynomial: 0xedb88320n },
  CRC32C: { bits: 32n, polynomial: 0x82f63b78n },
  CRC64NVME: { bits: 64n, polynomial: 0x9a6c9329ac4bc9b5n },
};

export interface PartCrc {
  /** Big-endian, as in the base64 of a checksum field. */
  readonly crc: Buffer;
  readonly sizeBytes: number;
}

/** @param algorithm CRC32, CRC32C or CRC64NVME */
export function combineCrcs(algorithm: string, parts: readonly PartCrc[]): Buffer {
  const field = FIELDS[algorithm];
  if (field === undefined) throw new RangeError(`${algorithm} cannot be combined`);
  // Parts have one or two sizes, so their shifts are computed once.
  const shifts = new Map<number, bigint>();
  let whole = 0n;
  for (const { crc, sizeBytes } of parts) {
    let shift = shifts.get(sizeBytes);
    if (shift === undefined) {
      shift = powerOfX(field, BigInt(sizeBytes) * 8n);
      shifts.set(sizeBytes, shift);
    }
    whole = multiply(field, whole, shift) ^ BigInt(`0x${crc.toString('hex')}`);
  }
  return Buffer.from(whole.toString(16).padStart(Number(field.bits) / 4, '0'), 'hex');
}

function powerOfX(field: Field, exponent: bigint): bigint {
  const one = 1n << (field.bits - 1n);
  let result = one;
  let square = one >> 1n;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = multiply(field, result, square);
    square = multiply(field, square, square);
  }
  return result;
}

/** Product modulo the polynomial; both reflected. */
function multiply(field: Field, left: bigint, right: bigint): bigint {
  let product = 0n;
  let shifted = right;
  for (let bit = 1n << (field.bits - 1n); bit > 0n; bit >>= 1n) {
    if ((left & bit) !== 0n) product ^= shifted;
    shifted = (shifted & 1n) === 1n ? (shifted >> 1n) ^ field.polynomial : shifted >> 1n;
  }
  return product;
}
