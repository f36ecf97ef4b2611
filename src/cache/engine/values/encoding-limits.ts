/**
 * Up to which size a value reports its compact encoding. Our own representation does not change at these
 * bounds; OBJECT ENCODING does, because clients and their tests look at it. As with the field's own servers
 * a value that has left its compact encoding does not return to it.
 */
export interface EncodingLimits {
  hashMaxListpackEntries: number;
  hashMaxListpackValue: number;
  /** Bytes of one node when negative: -1 to -5 for 4, 8, 16, 32, 64 KiB. Entries when positive. */
  listMaxListpackSize: number;
  setMaxIntsetEntries: number;
  setMaxListpackEntries: number;
  setMaxListpackValue: number;
  zsetMaxListpackEntries: number;
  zsetMaxListpackValue: number;
}

export const DEFAULT_ENCODING_LIMITS: Readonly<EncodingLimits> = {
  hashMaxListpackEntries: 512,
  hashMaxListpackValue: 64,
  listMaxListpackSize: -2,
  setMaxIntsetEntries: 512,
  setMaxListpackEntries: 128,
  setMaxListpackValue: 64,
  zsetMaxListpackEntries: 128,
  zsetMaxListpackValue: 64,
};

/** True when a list of `items` with `bytes` of text fits one compact node. */
export function fitsListNode(limit: number, items: number, bytes: number): boolean {
  if (limit >= 0) return items <= Math.max(limit, 1);
  return bytes <= 2_048 * 2 ** Math.min(-limit, 5);
}
