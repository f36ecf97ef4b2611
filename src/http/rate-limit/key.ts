/** Whom a request is counted for, when nothing better is known. */

/**
 * An address as a key: IPv4 whole, also where it comes through an IPv6 socket; of IPv6 the first 64 bits, as every
 * customer has all the rest to choose from.
 */
export function addressKey(address: string): string {
  if (!address.includes(':')) return address;
  if (address.includes('.')) return address.slice(address.lastIndexOf(':') + 1);
  const [left = '', right] = (address.split('%')[0] ?? '').split('::');
  const groups = left === '' ? [] : left.split(':');
  const behind = right === undefined || right === '' ? 0 : right.split(':').length;
  while (right !== undefined && groups.length + behind < 8) groups.push('0');
  const all = right === undefined || right === '' ? groups : [...groups, ...right.split(':')];
  return `${all.slice(0, 4).join(':')}::/64`;
}
