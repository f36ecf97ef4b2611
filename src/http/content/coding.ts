/**
 * Content codings, by node:zlib. RFC 9110 section 8.4.1, RFC 7932 (br), RFC 8878 and RFC 9659 (zstd).
 *
 *   gzip   0x1f 0x8b …            zstd   0x28 0xb5 0x2f 0xfd …            br   no magic
 *
 * `deflate` is not offered and not taken: half of the world means zlib by it (RFC 1950, as the standard says) and
 * half bare deflate (RFC 1951), and whoever can do it can do gzip.
 *
 * What is coded on the fly is coded fast rather than small, and with a window that keeps an encoder below 1 MiB:
 * by itself brotli would take seconds at its quality of 11, and 16 MiB.
 */
import zlib, { type BrotliOptions, type ZlibOptions, type ZstdOptions } from 'node:zlib';
import { CONTENT_LIMITS } from '../limits.ts';

/** Best first: what a client takes several of is answered with the first. */
export const CODINGS = ['br', 'zstd', 'gzip'] as const;

export type ContentCoding = (typeof CODINGS)[number];

/** What a file is called that holds another one, coded. */
export const FILE_SUFFIXES: Readonly<Record<ContentCoding, string>> = {
  br: '.br',
  zstd: '.zst',
  gzip: '.gz',
};

const { constants } = zlib;
const PIECE_BYTES = 16_384;
const WINDOW_LOG = 18;

const GZIP: ZlibOptions = { level: 5, chunkSize: PIECE_BYTES };
const BROTLI: BrotliOptions = {
  chunkSize: PIECE_BYTES,
  params: { [constants.BROTLI_PARAM_QUALITY]: 4, [constants.BROTLI_PARAM_LGWIN]: WINDOW_LOG },
};
const ZSTD: ZstdOptions = {
  chunkSize: PIECE_BYTES,
  params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_windowLog]: WINDOW_LOG },
};
const ZSTD_DECODED: ZstdOptions = {
  chunkSize: PIECE_BYTES,
  params: { [constants.ZSTD_d_windowLogMax]: CONTENT_LIMITS.zstdWindowLog },
};

/** A stream of node:zlib, as far as it is used here. */
export type ZlibStream = zlib.Gzip | zlib.BrotliCompress | zlib.ZstdCompress;

interface Codec {
  /** In this thread, at once. */
  readonly encodeNow: (bytes: Uint8Array) => Buffer;
  /** In another thread. */
  readonly encode: (bytes: Uint8Array, done: (error: Error | null, coded: Buffer) => void) => void;
  readonly encoder: () => ZlibStream;
  readonly decoder: () => ZlibStream;
  /** The flush after which all that went in has come out. */
  readonly flush: number;
}

export const CODECS: Readonly<Record<ContentCoding, Codec>> = {
  gzip: {
    encodeNow: (bytes) => zlib.gzipSync(bytes, GZIP),
    encode: (bytes, done) => zlib.gzip(bytes, GZIP, done),
    encoder: () => zlib.createGzip(GZIP),
    decoder: () => zlib.createGunzip({ chunkSize: PIECE_BYTES }),
    flush: constants.Z_SYNC_FLUSH,
  },
  br: {
    encodeNow: (bytes) => zlib.brotliCompressSync(bytes, BROTLI),
    encode: (bytes, done) => zlib.brotliCompress(bytes, BROTLI, done),
    encoder: () => zlib.createBrotliCompress(BROTLI),
    decoder: () => zlib.createBrotliDecompress({ chunkSize: PIECE_BYTES }),
    flush: constants.BROTLI_OPERATION_FLUSH,
  },
  zstd: {
    encodeNow: (bytes) => zlib.zstdCompressSync(bytes, ZSTD),
    encode: (bytes, done) => zlib.zstdCompress(bytes, ZSTD, done),
    encoder: () => zlib.createZstdCompress(ZSTD),
    decoder: () => zlib.createZstdDecompress(ZSTD_DECODED),
    flush: constants.ZSTD_e_flush,
  },
};

/** The coding of this name in any case, also by its older name; undefined when it is none of ours. */
export function codingOf(name: string): ContentCoding | undefined {
  const lower = name.toLowerCase();
  const known = lower === 'x-gzip' ? 'gzip' : lower;
  return CODINGS.find((coding) => coding === known);
}
