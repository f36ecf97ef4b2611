/** A log line for a person: time, service, level, message, and what else it says. */

const LEVELS: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'ERROR' };

interface LogRecord {
  readonly level: number;
  readonly time: string;
  readonly service: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** @param line one JSON object as pino writes it; anything else is passed through */
export function formatLogLine(line: string): string {
  let record: LogRecord;
  try {
    record = JSON.parse(line) as LogRecord;
  } catch {
    return line;
  }
  const { level, time, service, msg, ...fields } = record;
  const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`);
  return `${time.slice(11, 23)} ${service.padEnd(8)} ${LEVELS[level] ?? level} ${msg}${rest.join('')}\n`;
}
