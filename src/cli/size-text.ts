const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** A number of bytes for a person: `12.3 MiB`. */
export function sizeText(bytes: number): string {
  let size = bytes;
  let unit = 0;
  for (; size >= 1_024 && unit < UNITS.length - 1; unit += 1) size /= 1_024;
  return `${unit === 0 ? size : size.toFixed(1)} ${UNITS[unit]}`;
}
