/** Checksums on their way out: as fields of an answer and as elements of a document. */
import { type Checksum, checksumElement, checksumField } from './checksums.ts';
import type { ResponseField } from './message.ts';
import type { XmlWriter } from './xml-writer.ts';

export function checksumFields(checksum: Checksum | undefined): ResponseField[] {
  if (checksum === undefined) return [];
  return [
    [checksumField(checksum.algorithm), checksum.value],
    ['x-amz-checksum-type', checksum.type],
  ];
}

export function writeChecksum(xml: XmlWriter, checksum: Checksum | undefined): void {
  if (checksum === undefined) return;
  xml.text(checksumElement(checksum.algorithm), checksum.value).text('ChecksumType', checksum.type);
}
