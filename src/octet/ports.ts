import type { OctetConfig } from './config.ts';

/** A configured port with the offset; 0 stays 0, which lets the operating system choose. */
export function portOf(config: OctetConfig, port: number): number {
  return port === 0 ? 0 : port + config.portOffset;
}
