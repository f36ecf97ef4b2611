/**
 * True for what only this machine reaches: 127.0.0.0/8, ::1, the former inside IPv6, and the name `localhost`.
 * A name such as `127.example.com` is none, however it begins: anybody can make it lead here.
 */
export function isLoopback(address: string): boolean {
  if (address === '::1' || address === '[::1]' || address === 'localhost') return true;
  const v4 = address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
  const octets = v4.split('.');
  return octets.length === 4 && octets[0] === '127' && octets.every(isOctet);
}

/** Plain and decimal, as sockets and URLs spell it: `0x1` and `1e1` are names, and `010` is 8 or 10. */
function isOctet(text: string): boolean {
  const value = Number(text);
  return value >= 0 && value <= 255 && String(value) === text;
}
