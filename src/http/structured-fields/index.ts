/** Structured field values: RateLimit, Priority, Cache-Status, Signature-Input and all newer fields. RFC 9651. */
export { type MalformedStructure, type Parsed, parseDictionary, parseItem, parseList } from './parse.ts';
export { serialiseDictionary, serialiseItem, serialiseList } from './serialise.ts';
export {
  type BareItem,
  type Dictionary,
  type InnerList,
  type Item,
  item,
  type List,
  type Member,
  NO_PARAMETERS,
  type Parameters,
} from './value.ts';
