/**
 * A blob as a file: chunks, each with its checksum, and a trailer. All numbers are big-endian.
 *
 *   ┌──────────────┬─────┬──────────────┬─────┬───┬────────────┬─────┬─────────┐
 *   │ 65,536 bytes │ CRC │ 65,536 bytes │ CRC │ … │ 1 … 65,536 │ CRC │ trailer │      an empty blob is a
 *   └──────────────┴─────┴──────────────┴─────┴───┴────────────┴─────┴─────────┘      trailer alone
 *
 *   CRC      4 bytes: CRC-32 of the chunk, seeded by the id and the chunk's index, so that a sound chunk in the
 *            wrong place or the wrong file is as bad as a rotten one
 *   trailer  32 bytes, at the end because the size is known only there:
 *              0   8   size of the content in bytes
 *              8  16   id
 *             24   4   CRC-32 of the 24 bytes before
 *             28   4   magic "OB" and the format version, 1, in two bytes
 *
 * Chunk n begins at n * 65,540: a range is read without reading what is before it.
 */
import { crc32 } from '../bytes/crc32.ts';
import { BlobError } from './errors.ts';
import { CHUNK_BYTES } from './limits.ts';

export const CRC_BYTES = 4;
export const TRAILER_BYTES = 32;
export const STORED_CHUNK_BYTES = CHUNK_BYTES + CRC_BYTES;

const AT = { size: 0, id: 8, crc: 24, magic: 28, format: 30 } as const;
const MAGIC = 0x4f42;
const FORMAT = 1;

/** The size of the file that holds `sizeBytes` of content. */
export function storedBytesOf(sizeBytes: number): number {
  return sizeBytes + Math.ceil(sizeBytes / CHUNK_BYTES) * CRC_BYTES + TRAILER_BYTES;
}

export function chunkCrc(id: string, index: number, content: Uint8Array): number {
  const seed = Buffer.allocUnsafe(20);
  seed.write(id, 0, 'hex');
  seed.writeUInt32BE(index, 16);
  return crc32(content, crc32(seed));
}

export function encodeTrailer(id: string, sizeBytes: number): Buffer {
  const trailer = Buffer.alloc(TRAILER_BYTES);
  trailer.writeBigUInt64BE(BigInt(sizeBytes), AT.size);
  trailer.write(id, AT.id, 'hex');
  trailer.writeUInt32BE(crc32(trailer.subarray(0, AT.crc)), AT.crc);
  trailer.writeUInt16BE(MAGIC, AT.magic);
  trailer.writeUInt16BE(FORMAT, AT.format);
  return trailer;
}

/**
 * @returns the size of the content
 * @throws BlobError `corrupt`, naming `path`
 */
export function decodeTrailer(trailer: Buffer, id: string, fileBytes: number, path: string): number {
  const place = `${path}, trailer`;
  if (trailer.length < TRAILER_BYTES || trailer.readUInt16BE(AT.magic) !== MAGIC) {
    throw new BlobError('corrupt', `${place}: no trailer at the end of the file`);
  }
  const format = trailer.readUInt16BE(AT.format);
  if (format !== FORMAT)
    throw new BlobError('corrupt', `${place}: format ${format}, this release reads ${FORMAT}`);
  if (crc32(trailer.subarray(0, AT.crc)) !== trailer.readUInt32BE(AT.crc)) {
    throw new BlobError('corrupt', `${place}: wrong CRC`);
  }
  const storedId = trailer.toString('hex', AT.id, AT.crc);
  if (storedId !== id) throw new BlobError('corrupt', `${place}: this is the file of ${storedId}`);
  const sizeBytes = Number(trailer.readBigUInt64BE(AT.size));
  if (storedBytesOf(sizeBytes) !== fileBytes) {
    throw new BlobError(
      'corrupt',
      `${place}: ${sizeBytes} bytes of content do not fit a file of ${fileBytes}`,
    );
  }
  return sizeBytes;
}
