/**
 * What the object store holds.
 *
 *   bucket ─▶ key (UTF-8 order) ─▶ object ─▶ content: slices ─▶ bodies
 *          ─▶ upload ─▶ parts ─▶ content: slices ─▶ bodies
 *
 * A body is written once and never changed. Objects and parts name slices of bodies, so completing an
 * upload and copying an object move no bytes: they only name bodies once more.
 */
import type { Checksum, ChecksumAlgorithm, ChecksumType } from '../wire/checksums.ts';
import type { ObjectFields } from '../wire/object-fields.ts';

export interface Bucket {
  readonly name: string;
  readonly createdMs: number;
}

export interface Slice {
  readonly bodyId: string;
  readonly start: number;
  readonly sizeBytes: number;
}

/** The bytes of an object in order; empty for an object of no bytes. */
export type Content = readonly Slice[];

export interface ObjectSummary {
  /** Hexadecimal MD5, or `<md5 of the parts' md5s>-<parts>`; without quotes. */
  readonly etag: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  readonly checksum?: Checksum;
}

export interface PartSummary {
  readonly sizeBytes: number;
  /** Base64, of the algorithm of the object's checksum. */
  readonly checksum?: string;
}

export interface StoredObject extends ObjectSummary, ObjectFields {
  readonly content: Content;
  /** Set for an object made by multipart upload. */
  readonly parts?: readonly PartSummary[];
  /** The upload that made it: completing it once more gives the same answer. */
  readonly uploadId?: string;
}

export interface Upload extends ObjectFields {
  readonly id: string;
  readonly bucket: string;
  readonly key: string;
  readonly startedMs: number;
  readonly algorithm: ChecksumAlgorithm;
  readonly checksumType: ChecksumType;
  /** True when the client chose the algorithm, and so expects to see it. */
  readonly algorithmChosen: boolean;
}

export interface Part {
  readonly number: number;
  /** Hexadecimal MD5. */
  readonly etag: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  /** Base64, of the upload's algorithm. */
  readonly checksum: string;
  /** What the client sent, where that was of another algorithm. */
  readonly sent?: { readonly algorithm: ChecksumAlgorithm; readonly value: string };
  readonly content: Content;
}

export function contentBytes(content: Content): number {
  return content.reduce((sum, slice) => sum + slice.sizeBytes, 0);
}

/** The slices of `content` from byte `start` up to `end`, not included. */
export function sliceContent(content: Content, start: number, end: number): Content {
  const slices: Slice[] = [];
  let offset = 0;
  for (const slice of content) {
    const from = Math.max(start, offset);
    const to = Math.min(end, offset + slice.sizeBytes);
    if (from < to) {
      slices.push({ bodyId: slice.bodyId, start: slice.start + from - offset, sizeBytes: to - from });
    }
    offset += slice.sizeBytes;
  }
  return slices;
}
