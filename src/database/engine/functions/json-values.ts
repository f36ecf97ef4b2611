/** SQL values as JSON text, as to_json does it. */
import type { Run } from '../execute/run.ts';
import { formatTimestamp, formatTimestampTz } from '../types/datetime.ts';
import { quoteJson } from '../types/json.ts';
import { OID } from '../types/oids.ts';
import { typeOf } from '../types/types.ts';
import type { Value } from '../types/values.ts';

export function jsonOf(value: Value, oid: number, run: Run): string {
  if (value === null) return 'null';
  const type = typeOf(oid);
  if (type.elementOid !== 0)
    return `[${(value as readonly Value[]).map((item) => jsonOf(item, type.elementOid, run)).join(',')}]`;
  switch (oid) {
    case OID.bool:
      return String(value);
    case OID.json:
    case OID.jsonb:
      return value as string;
    case OID.timestamp:
      return quoteJson(formatTimestamp(value as bigint, '', 'T'));
    case OID.timestamptz:
      return quoteJson(formatTimestampTz(value as bigint, run.conversion.zone, 'T'));
    default: {
      const text = type.print(value, run.conversion);
      const plain = type.category === 'N' && /^-?\d/.test(text);
      return plain ? text : quoteJson(text);
    }
  }
}
