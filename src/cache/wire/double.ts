/**
 * Floating-point numbers as text. A whole number within 2^52 is printed as an integer; anything else with the
 * fewest digits that read back as the same number, in plain notation while that is short and with an exponent
 * beyond (`1e+20`, `1e-7`). That is what servers of version 7.2 print.
 */

const EXACT = 2 ** 52;

export function formatDouble(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < EXACT) return Object.is(value, -0) ? '-0' : String(value);
  if (Number.isNaN(value)) return 'nan';
  if (value === Infinity) return 'inf';
  if (value === -Infinity) return '-inf';
  return formatShortest(value);
}

/** The shortest digits d1 d2 ... with value = 0.d1d2... scaled, laid out as the reference formatter does. */
function formatShortest(value: number): string {
  const sign = value < 0 ? '-' : '';
  const [mantissa, exponentText] = Math.abs(value).toExponential().split('e') as [string, string];
  const digits = mantissa.replace('.', '');
  const exponent = Number(exponentText);
  const scale = exponent - digits.length + 1;
  if (scale >= 0 && Math.abs(exponent) < digits.length + 7) return sign + digits + '0'.repeat(scale);
  if (scale < 0 && (scale > -7 || Math.abs(exponent) < 4)) return sign + plainFraction(digits, exponent);
  return `${sign}${digits[0]}${digits.length > 1 ? `.${digits.slice(1)}` : ''}e${exponent < 0 ? '-' : '+'}${Math.abs(exponent)}`;
}

function plainFraction(digits: string, exponent: number): string {
  if (exponent < 0) return `0.${'0'.repeat(-exponent - 1)}${digits}`;
  return `${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`;
}
