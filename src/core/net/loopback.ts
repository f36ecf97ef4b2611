/**
 * True for addresses of this machine itself: 127.0.0.0/8, ::1, and the former inside IPv6. A name such as
 * `127.example.com` is none, however it begins.
 */
export function isLoopback(address: string): boolean {
  if (address === '::1') return true;
  const v4 = address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
  const octets = v4.split('.');
  return octets.length === 4 && octets[0] === '127' && octets.every(isOctet);
}

function isOctet(text: string): boolean {
  const value = Number(text);
  return text !== '' && text.length <= 3 && Number.isInteger(value) && value >= 0 && value <= 255;
}
