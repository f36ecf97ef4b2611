/**
 * The values that a structured field may have. RFC 9651 section 3.
 *
 *   item         sugar;q=0.5              a bare item and its parameters
 *   list         sugar, (tea rum);hot     items and inner lists
 *   dictionary   en="Tea", da, n=2        the same under keys
 *
 *   bare item    integer  42        string  "tea"     byte sequence   :dGVh:     date  @1659578233
 *                decimal  4.5       token   tea/rum   display string  %"t%c3%a9" boolean  ?1
 *
 * Parameters and dictionaries are Maps: a key named `__proto__` is a key like any other.
 */

export type BareItem =
  /** A whole number of at most 15 digits. */
  | { readonly type: 'integer'; readonly value: number }
  /** At most 12 digits before the point and 3 behind it; more of those are rounded when written. */
  | { readonly type: 'decimal'; readonly value: number }
  /** Printable ASCII. */
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'token'; readonly value: string }
  | { readonly type: 'bytes'; readonly value: Uint8Array }
  | { readonly type: 'boolean'; readonly value: boolean }
  /** Whole seconds since 1970, also before it. */
  | { readonly type: 'date'; readonly value: number }
  /** Any Unicode text; for people, never for programs. */
  | { readonly type: 'display-string'; readonly value: string };

export type Parameters = ReadonlyMap<string, BareItem>;

export interface Item {
  readonly kind: 'item';
  readonly bare: BareItem;
  readonly parameters: Parameters;
}

export interface InnerList {
  readonly kind: 'inner-list';
  readonly items: readonly Item[];
  readonly parameters: Parameters;
}

export type Member = Item | InnerList;
export type List = readonly Member[];
export type Dictionary = ReadonlyMap<string, Member>;

export const NO_PARAMETERS: Parameters = new Map();

/** An item of a bare item, with the parameters given as an object's own properties in their order. */
export function item(bare: BareItem, parameters: Readonly<Record<string, BareItem>> = {}): Item {
  const entries = Object.entries(parameters);
  return { kind: 'item', bare, parameters: entries.length === 0 ? NO_PARAMETERS : new Map(entries) };
}

/** The largest integer and date: 15 digits. RFC 9651 section 3.3.1. */
export const MAX_INTEGER = 999_999_999_999_999;
