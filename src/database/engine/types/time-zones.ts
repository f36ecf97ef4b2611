/**
 * Time zones by name, from the runtime's own zone database: no clock, only the offset of a zone at a moment.
 */
import { UTC, type ZoneOffset } from './datetime.ts';

/** `UTC`, an offset such as `+02` or `-03:30`, or an IANA name. @returns undefined when unknown */
export function zoneByName(name: string): { readonly name: string; readonly offset: ZoneOffset } | undefined {
  if (/^(utc|gmt|z|zulu|etc\/utc)$/i.test(name))
    return { name: /^etc/i.test(name) ? 'Etc/UTC' : name.toUpperCase(), offset: UTC };
  const fixed = /^([+-]?)(\d{1,2})(?::?(\d{2}))?$/.exec(name);
  if (fixed !== null) {
    const seconds = Number(fixed[2]) * 3600 + Number(fixed[3] ?? 0) * 60;
    const offset = fixed[1] === '-' ? -seconds : seconds;
    return { name, offset: () => offset };
  }
  try {
    const format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      timeZoneName: 'longOffset',
      year: 'numeric',
    });
    return { name: format.resolvedOptions().timeZone, offset: cachedOffset(format) };
  } catch {
    return undefined;
  }
}

/** Offsets change at quarter hours at the finest, so one answer serves 15 minutes. */
function cachedOffset(format: Intl.DateTimeFormat): ZoneOffset {
  const known = new Map<number, number>();
  return (posixSeconds) => {
    const quarter = Math.floor(posixSeconds / 900);
    let offset = known.get(quarter);
    if (offset === undefined) {
      offset = readOffset(format, quarter * 900_000);
      if (known.size > 4_096) known.clear();
      known.set(quarter, offset);
    }
    return offset;
  };
}

function readOffset(format: Intl.DateTimeFormat, millis: number): number {
  const clamped = Math.min(Math.max(millis, -8.64e15), 8.64e15);
  const text = format.formatToParts(clamped).find((part) => part.type === 'timeZoneName')?.value ?? 'GMT';
  const match = /^GMT([+-])(\d{2}):(\d{2})(?::(\d{2}))?$/.exec(text);
  if (match === null) return 0;
  const seconds = Number(match[2]) * 3600 + Number(match[3]) * 60 + Number(match[4] ?? 0);
  return match[1] === '-' ? -seconds : seconds;
}
